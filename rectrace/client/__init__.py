"""What a recommender service imports to publish its events: light, and never in the way of a recommendation.

producer = KafkaProducer(bootstrap_servers="kafka:9092")
publisher = Publisher(lambda topic, key, value: producer.send(topic, key=key, value=value))

trace = publisher.request("r-17", placement="home", k=20, user_id="u-1", segments={"country": "DE"})
with timed() as clock:
    items, scores = ann(user)
trace.retrieval("ann", items, scores=scores, duration_ms=clock.ms)
trace.filtering("stock", kept, dropped={"out_of_stock": gone})
trace.response(served)
"""

from rectrace.client.publisher import Publisher
from rectrace.client.request import RequestTrace
from rectrace.client.stopwatch import timed

__all__ = ["Publisher", "RequestTrace", "timed"]
