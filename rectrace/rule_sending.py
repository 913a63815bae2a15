"""Records of rules to the Kafka of the settings, for a person who waits."""

from collections.abc import Sequence

from rectrace import kafka_outages, producing
from rectrace.kafka_cluster import cluster
from rectrace.producing import Outgoing
from rectrace.settings import Settings
from schemas.errors import Unavailable


def send(settings: Settings, records: Sequence[Outgoing]) -> str:
    """Publish all; blocks. Returns what is wrong and what to do, empty if nothing is."""
    try:
        problems = producing.send(cluster(settings), records) if records else []
    except Unavailable as error:
        return kafka_outages.in_words(str(error), settings)
    failed = [f"{(record.key or b'').decode()}: {why}" for record, why in zip(records, problems, strict=True) if why]
    if not failed:
        return ""
    return f"not published: {'; '.join(failed)}. Does the topic {settings.topics.rules} exist? See `rectrace topics`."
