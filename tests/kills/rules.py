"""Rules that the kill tests' traffic violates, published as if long ago: they judge every window."""

from confluent_kafka import Producer

from schemas.rules import Rule, encode_rule

LONG_AGO = 1_700_000_000_000  # ms
RULES = (
    Rule.model_validate(
        {
            "id": "first-ends-in-7", "owner": "tests", "severity": "page", "scope": "item",
            "when": "position = 1 AND endsWith(item, '7')", "message": "The first ends in 7",
            "fires": {"group_by": ["placement"]},
        }
    ),
    Rule.model_validate(
        {
            "id": "short", "owner": "tests", "scope": "trace", "when": "n_served < k", "message": "Too few",
            "fires": {"group_by": ["segments.country"]},
        }
    ),
)  # fmt: skip


def publish(kafka: str, topic: str) -> None:
    """As often as the topic is made: the same records at the same times are the same rules."""
    producer = Producer({"bootstrap.servers": kafka, "log_level": 0})
    for rule in RULES:
        producer.produce(topic, encode_rule(rule), key=rule.id, timestamp=LONG_AGO)
    assert producer.flush(30) == 0
