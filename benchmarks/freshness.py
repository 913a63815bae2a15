"""How long after its response event is a request's trace there for `rectrace why`? Asks a running demo:

uv run rectrace demo --rate 100                            # in another terminal
uv run python -m benchmarks.freshness [--samples 100]
"""

import argparse
import statistics
import time

import msgspec
from confluent_kafka import OFFSET_END, Consumer, TopicPartition

from rectrace import settings
from rectrace.database import asking

TOPIC = "rectrace.stages"
GIVE_UP = 30.0  # seconds


class Stage(msgspec.Struct):
    """What tells a response event."""

    stage: str
    request_id: str


def main() -> None:
    """Print the distribution, in seconds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kafka")
    parser.add_argument("--clickhouse")
    parser.add_argument("--samples", type=int, default=100)
    options = parser.parse_args()
    configured = settings.load(kafka=options.kafka, clickhouse=options.clickhouse)
    delays = measure(configured, options.samples)
    quantiles = statistics.quantiles(delays, n=20)
    print(f"{len(delays)} requests, from the response's record time to its trace being found, in seconds:")
    print(f"median {statistics.median(delays):.2f}   p95 {quantiles[18]:.2f}   max {max(delays):.2f}")


def measure(configured: settings.Settings, samples: int) -> list[float]:
    """Delays of so many requests, one after the other, in seconds."""
    decoder = msgspec.json.Decoder(Stage)
    consumer = Consumer({"bootstrap.servers": configured.kafka, "group.id": "freshness", "enable.auto.commit": False})
    consumer.assign([TopicPartition(TOPIC, 0, OFFSET_END)])
    delays: list[float] = []
    with asking(configured) as reader:
        while len(delays) < samples:
            record = consumer.poll(1.0)
            if record is None or record.error() or not (value := record.value()):
                continue
            stage = decoder.decode(value)
            published = record.timestamp()[1] / 1000
            if stage.stage != "response" or time.time() - published > 0.5:  # too far behind to tell
                continue
            while not (trace := reader.trace(stage.request_id)) or not trace["responded"]:
                if time.time() - published > GIVE_UP:
                    raise SystemExit(f"request {stage.request_id} was not there after {GIVE_UP:g} s")
                time.sleep(0.02)
            delays.append(time.time() - published)
            consumer.assign([TopicPartition(TOPIC, 0, OFFSET_END)])
    return delays


if __name__ == "__main__":
    main()
