"""confluent-kafka alone: consume(5000), and orjson on every value. Nothing committed, nothing kept."""

import orjson
from confluent_kafka import Consumer, KafkaException, TopicPartition

from benchmarks.job import Stopwatch, this_job


def read(watch: Stopwatch) -> None:
    job = watch.job
    consumer = Consumer({"bootstrap.servers": job.kafka, "group.id": "confluent", "enable.auto.commit": False})
    consumer.assign([TopicPartition(job.topic, number, 0) for number in range(job.partitions)])
    seen = 0
    while seen < job.events:
        messages = consumer.consume(min(5_000, job.events - seen), timeout=1.0)  # it waits until it has so many
        if messages and not watch.running:
            watch.start()
        for message in messages:
            if error := message.error():
                raise KafkaException(error)
            orjson.loads(message.value())
        seen += len(messages)
    watch.lap(seen)
    watch.report(seen)
    consumer.close()


if __name__ == "__main__":
    read(Stopwatch(this_job()))
