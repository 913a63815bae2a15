"""A worker process for the tests: the real app, landing into one file that several workers append to.

Usage: [METRICS_PORT=n] file_worker.py KAFKA GROUP STAGES(comma) FILE. While FILE.away exists, the sink is unavailable.
"""

import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from schemas.errors import Unavailable
from schemas.parts import CatalogRow, Claim, DeadLetter, InteractionRow, Part, RuleRow
from streams.app import WorkerConfig, run
from streams.cluster import Cluster
from streams.join import JoinPolicy
from streams.pipeline import PipelinePolicy


class FileSink:
    """One JSON line per part, dead letter or claim; it begins with a newline: a killed writer spoils only its own."""

    def __init__(self, path: Path) -> None:
        self._away = path.with_suffix(".away")
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def _append(self, kind: str, rows: Sequence[object]) -> None:
        if self._away.exists():
            raise Unavailable("the file sink was told to be away")
        lines = b"".join(b"\n" + json.dumps([kind, row]).encode() for row in rows)
        while lines:
            lines = lines[os.write(self._file, lines) :]

    def land(self, parts: Sequence[Part]) -> list[DeadLetter]:
        rows = []
        for part in parts:
            events = [
                [event.topic, event.partition, event.offset, event.hash, event.record_at] for event in part.events
            ]
            rows.append([part.request_id, part.closed, events])
        self._append("part", rows)
        return []

    def write_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        self._append("letter", [[letter.topic, letter.partition, letter.offset, letter.reason] for letter in letters])

    def write_interactions(self, rows: Sequence[InteractionRow]) -> None:
        self._append("interaction", [row.request_id for row in rows])

    def write_catalog(self, rows: Sequence[CatalogRow]) -> None:
        self._append("item", [row.item for row in rows])

    def write_rules(self, rows: Sequence[RuleRow]) -> None:
        self._append("rule", [row.id for row in rows])

    def write_progress(self, claims: Sequence[Claim]) -> None:
        self._append("claim", [[claim.topic, claim.partition, claim.landed_until] for claim in claims])

    def write_seal(self, now: float) -> None:
        self._append("seal", [[os.getpid(), now]])


class FileSealer:
    """Says who seals."""

    def __init__(self, sink: FileSink) -> None:
        self._sink = sink

    def tick(self, now: float) -> None:
        self._sink.write_seal(now)


def main() -> int:
    kafka, group, stages, path = sys.argv[1:5]
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    policy = PipelinePolicy(
        stages=tuple(stages.split(",")),
        interactions="",
        catalog="",
        rules="",
        join=JoinPolicy(grace_ms=2_000, settle_ms=500),
    )
    port = int(os.environ.get("METRICS_PORT", "0"))
    config = WorkerConfig(Cluster(kafka), group, policy, metrics_port=port, session_timeout=4.0, shutdown_limit=8.0)
    sink = FileSink(Path(path))
    return run(config, sink, FileSealer(sink))


if __name__ == "__main__":
    sys.exit(main())
