"""How long until somebody is told of each fault of the demo, and whether what is told names the right place.

uv run python -m benchmarks.detection [--seeds 11 12] [--rates 100 20] [--faults NAME ...] [--small]

In simulated time, through the same pipeline, seal, rules and alert engine as a worker runs, in ClickHouse's engine on
this machine (simulated.py says what is left out: the broker, and how long the work takes). A minute of healthy traffic,
its counts over and over as the past to compare with, a minute more, then the fault. Seconds are from the fault to the
first page and the first ticket. `named`: an alert, or its line of what changed, has the component that the fault is in;
`segment`: it names the only requests that are touched, or none where all are. `told`: all alerts of the time looked at.
What is compared by half hours is looked at longer, one of its windows over and over.
--small: the fault touches 3 % of the requests, which have a segment of their own, and is looked at for twenty minutes
after more than an hour of the past. Thresholds were set on seed 7.
"""

import argparse
import itertools
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.simulated import Told, seconds, simulation
from benchmarks.small_segment import SEGMENT, SmallSegment
from rectrace import settings
from rectrace.demo import world as worlds
from rectrace.demo.business import standing_rules
from rectrace.demo.faults import Fault, Faults, library
from rectrace.demo.traffic import Message, Traffic
from rectrace.demo.truth import Truth
from rectrace.demo.world import World
from rectrace.local.clickhouse import start_clickhouse
from schemas.parts import WINDOW_S

START: Final = 4_115_534_400.0  # 2100-06-01T12:00:00Z: nothing of it expires meanwhile
HEALTHY_S: Final = 60
REPEATED: Final = 20  # seconds from the start: the window that stands for the past
# Of a small segment one window has a handful of requests: then so many stand for it, in turn.
HEALTHY_SMALL_S: Final = 180
REPEATED_SMALL: Final = 12
PAST: Final = 42  # windows
LOOKED_AT_S: Final = 120
LOOKED_AT_SMALL_S: Final = 1_200
SLOW: Final = ("scorer_scale_shift",)  # what is compared by half hours: a window of it over and over, so long
SLOW_S: Final = 1_800
LONG_PAST: Final = 420  # windows: an hour and more
SETTLED_S: Final = 40  # a window so long ago is sealed
STEP_S: Final = 10
ENOUGH_S: Final = 60  # no longer look at what is right by then
OF_SMALL: Final = ("source_empty", "filter_overdrop", "stage_timeout", "scorer_constant")
# What nobody should be told of: copies merge; of payload times and unknown fields the worker's own metrics tell; more
# traffic is nobody's fault.
SILENT: Final = ("events_duplicated", "clock_skew", "schema_v2", "traffic_spike")
HEAD: Final = ("fault", "requests/s", "right", "s to page", "s to ticket", "named", "segment", "told", "first told")
# What requests differ by in the demo: what an alert may name as those that are touched.
KNOWN: Final = frozenset({"country", "device", "age_band", "app", "ranker", "diversity"})
RULES: Final = frozenset(rule.id for rule in standing_rules())  # that the demo's business logic applies
_EVERYWHERE: Final = frozenset({"alertname", "severity", "service"})
_NAMED: Final = re.compile(r"\b(?:experiment\.)?([a-z_]+)=([\w.+-]+)")


@dataclass(frozen=True)
class Outcome:
    """Of one run. page, ticket: seconds from the fault to the first; None: never."""

    page: float | None
    ticket: float | None
    named: bool
    segment: bool
    told: int
    right: bool
    first: str


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table of Markdown, a line as soon as it is known; what was told to stderr."""
    names = [truth.name for truth in library()]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12])
    parser.add_argument("--rates", type=float, nargs="+", default=[100.0, 20.0], help="requests a second")
    parser.add_argument("--faults", nargs="+", choices=names, metavar="NAME", help=f"of {', '.join(names)}")
    parser.add_argument("--small", action="store_true", help="faults of 3 %% of the requests")
    options = parser.parse_args(arguments)
    faults = options.faults or (OF_SMALL if options.small else names)
    print(_line(HEAD), _line(["-"] * len(HEAD)), sep="\n", flush=True)
    with tempfile.TemporaryDirectory() as at, start_clickhouse(0, Path(at, "data"), Path(at)) as running:
        for fault, rate in itertools.product(faults, options.rates):
            truth = next(each for each in library() if each.name == fault)
            where = settings.load(clickhouse=running.url, database="detection")
            outcomes = [look(where, worlds.build(seed, START), truth, rate, options.small) for seed in options.seeds]
            print(_line(row(fault, rate, outcomes)), flush=True)


def look(where: settings.Settings, world: World, truth: Truth, rate: float, small: bool) -> Outcome:
    """One fault, until it is told right or for as long as it is looked at."""
    segment = SEGMENT if small else truth.segment
    with simulation(where, START) as service:
        service.run(_traffic(world, rate, START, [], small), START + (HEALTHY_SMALL_S if small else HEALTHY_S))
        windows = [int(START) + REPEATED + WINDOW_S * number for number in range(REPEATED_SMALL if small else 1)]
        service.repeat(windows, LONG_PAST if small or truth.name in SLOW else PAST)
        traffic = _traffic(world, rate, service.now, [Fault(truth, HEALTHY_S)], small)
        sets_in = service.now + HEALTHY_S
        end = sets_in + (LOOKED_AT_SMALL_S if small else LOOKED_AT_S)
        service.run(traffic, sets_in + ENOUGH_S)
        while not (outcome := judge(service.listener.told, truth, segment, sets_in)).right and service.now < end:
            service.run(traffic, service.now + STEP_S)
        if not outcome.right and truth.name in SLOW:
            service.repeat([int(service.now) // WINDOW_S * WINDOW_S - SETTLED_S], SLOW_S // WINDOW_S)
            outcome = judge(service.listener.told, truth, segment, sets_in)
    for told in service.listener.told:
        print(f"{truth.name} {rate:g}/s {told.at - sets_in:.0f} s: {said(told)}", file=sys.stderr, flush=True)
    return outcome


def _traffic(
    world: World, rate: float, start: float, faults: Sequence[Fault], small: bool
) -> Iterator[Sequence[Message]]:
    traffic = Traffic(world, rate, start)
    traffic.faults = (SmallSegment if small else Faults)(faults)
    return seconds(traffic, start)


def judge(told: Sequence[Told], truth: Truth, segment: Mapping[str, str], sets_in: float) -> Outcome:
    """What was told by now. What nobody should be told of is right as long as nobody is."""
    texts = [said(each) for each in told]
    named = any(names_component(each, truth) for each in told)
    found: set[tuple[str, str]] = set().union(*(_NAMED.findall(text) for text in texts))
    found = {each for each in found if each[0] in KNOWN}
    of_segment = bool(found & set(segment.items())) if segment else not found

    def first(severity: str) -> float | None:
        return next((each.at - sets_in for each in told if each.notification.labels["severity"] == severity), None)

    right = not told if truth.name in SILENT else named and of_segment
    return Outcome(first("page"), first("ticket"), named, of_segment, len(told), right, texts[0] if texts else "")


def names_component(told: Told, truth: Truth) -> bool:
    """By its labels, in its line of what changed, or by a rule that it applies."""
    labels, summary = told.notification.labels, told.notification.annotations["summary"]
    if truth.stage == "business_logic" and any(f" {rule} " in summary for rule in RULES):
        return True
    return labels.get("component") == truth.component or f"{truth.stage}/{truth.component}" in said(told)


def said(told: Told) -> str:
    """The alert, where, and what changed: in one line."""
    labels = {name: value for name, value in told.notification.labels.items() if name not in _EVERYWHERE}
    where = " ".join(f"{name}={value}" for name, value in labels.items())
    changed = told.notification.annotations.get("changed", "")
    return f"{told.notification.labels['alertname']} {where}{': ' if changed else ''}{changed}"


def row(fault: str, rate: float, outcomes: Sequence[Outcome]) -> list[str]:
    """One line: of how many runs, and the median of those in which somebody was told."""
    of = len(outcomes)
    pages = [each.page for each in outcomes if each.page is not None]
    tickets = [each.ticket for each in outcomes if each.ticket is not None]
    counts = [
        sum(values) for values in zip(*((each.right, each.named, each.segment) for each in outcomes), strict=True)
    ]
    right, named, segment = (f"{count}/{of}" for count in counts)
    silent = fault in SILENT
    return [
        fault, f"{rate:g}", right, _seconds(pages), _seconds(tickets), "-" if silent else named,
        "-" if silent else segment, f"{sum(each.told for each in outcomes) / of:.1f}",
        outcomes[0].first.partition(" ")[0] or "-",
    ]  # fmt: skip


def _seconds(values: Sequence[float]) -> str:
    return f"{median(values):.0f}" if values else "-"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
