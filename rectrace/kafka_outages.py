"""What to tell people when Kafka cannot be used: one line that says what to do."""

import asyncio

from rectrace.kafka_cluster import cluster
from rectrace.settings import Settings
from streams.unreachable import why


def in_words(text: str, settings: Settings) -> str:
    """About an error of Kafka's clients, from its text; where they found no broker, by asking one what is wrong.
    Blocks."""
    if "bootstrap" in text:
        if cause := asyncio.run(why(cluster(settings))):
            return f"Kafka: {cause}."
        text = f"no broker answers at {settings.kafka}"
    text = text.removeprefix(f"Kafka at {settings.kafka}: ")
    return f"Kafka: {text}. Is it running there? RECTRACE_KAFKA or --kafka names the address."
