"""Sending dead letters to their topics again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rectrace import producing
from rectrace.producing import Outgoing
from streams.cluster import Cluster
from streams.intake import REPLAY_HEADER

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Chosen:
    """What to send, oldest first, and what is left out."""

    records: list[Row]
    copies: int  # the same bytes for the same topic are sent once
    items: int  # of the catalogue


def choose(letters: Sequence[Row], without_topic: str) -> Chosen:
    """From dead letters, newest first. A letter that was replayed in vain is there again: each is sent once."""
    wanted = [row for row in letters if row["topic"] != without_topic]
    distinct = {(row["topic"], row["key"], row["raw"]): row for row in wanted}
    records = sorted(distinct.values(), key=lambda row: (row["record_at"], row["topic"], row["offset"]))
    return Chosen(records, len(wanted) - len(records), len(letters) - len(wanted))


def summary(chosen: Chosen) -> str:
    """How many of what, for people."""
    count = len(chosen.records)
    copies = f"; {chosen.copies} more with the same bytes as one of them" if chosen.copies else ""
    items = f"; not {chosen.items} of the catalogue (name their topic to send them)" if chosen.items else ""
    return f"{count:,} dead letter{'' if count == 1 else 's'}{copies}{items}"


def send(kafka: Cluster, records: Sequence[Row]) -> list[str]:
    """Publish each to the partition it came from: its request may still be open there. Returns what the broker did not
    take; raises Unavailable."""
    headers = [(REPLAY_HEADER, b"1")]
    outgoing = [Outgoing(row["topic"], row["key"] or None, row["raw"], headers, row["partition"]) for row in records]
    problems = zip(records, producing.send(kafka, outgoing), strict=True)
    return [f"{_origin(row)}: {problem}" for row, problem in problems if problem]


def _origin(row: Row) -> str:
    return f"{row['topic']}, partition {row['partition']}, offset {row['offset']}"
