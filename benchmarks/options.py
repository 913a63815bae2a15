"""The command line of benchmarks.pipeline."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contenders import CONTENDERS, Contender


@dataclass(frozen=True)
class Options:
    """What was asked for on the command line."""

    traces: int
    candidates: int
    rate: float
    partitions: int
    contenders: tuple[Contender, ...]
    bound: float
    kafka: str | None
    apache: bool
    json: Path | None
    repeat: int
    patience: int

    @property
    def broker(self) -> str:
        return "Apache Kafka" if self.apache else self.kafka or "tansu, in memory"


def parse(about: str, arguments: Sequence[str] | None) -> Options:
    """Read the command line; a wrong one ends the process with code 2."""
    names = {contender.name: contender for contender in CONTENDERS}
    parser = argparse.ArgumentParser("python -m benchmarks.pipeline", description=about,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--traces", type=_positive, default=100_000, help="requests in the topic (%(default)s)")
    parser.add_argument("--candidates", type=_positive, default=100, help="of a request that are scored (%(default)s)")
    parser.add_argument(
        "--rate", type=_positive, default=2_500, help="requests a second, in record times (%(default)s)"
    )
    parser.add_argument("--partitions", type=_positive, default=4, help="(%(default)s)")
    parser.add_argument("--only", default=",".join(names), help="some of %(default)s")
    parser.add_argument("--bound", type=_positive, default=30, help="seconds for plain Faust, which then stops")
    parser.add_argument("--kafka-address", metavar="HOST:PORT", help="a running broker in place of the local one")
    parser.add_argument("--apache", action="store_true", help="start Apache Kafka in place of the local broker")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there, too")
    parser.add_argument("--repeat", type=_positive, default=1, metavar="N", help="take the best of so many runs")
    parser.add_argument("--wait-idle", type=_positive, default=0, metavar="SECONDS",
                        help="before each contender, at most so long, until nobody else is at work")  # fmt: skip
    given = parser.parse_args(arguments)
    chosen = given.only.split(",")
    if unknown := [name for name in chosen if name not in names]:
        parser.error(f"--only {','.join(unknown)}: known are {', '.join(names)}")
    contenders = tuple(contender for name, contender in names.items() if name in chosen)
    return Options(given.traces, given.candidates, given.rate, given.partitions, contenders, given.bound,
                   given.kafka_address, given.apache, given.json, given.repeat, given.wait_idle)  # fmt: skip


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number
