"""An item by segment, and what it would need to be served by its scores alone. Pure, from rows of the reader."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from rectrace.story import Row, ending
from sinks.clickhouse.reader import Period
from sinks.clickhouse.rows import utc


@dataclass(frozen=True)
class SegmentLine:
    """An item in one segment. Shares are None where there is nothing to be a share of."""

    segment: str  # NAME=VALUE
    requests: int
    candidacies: int
    served: int
    reach: float | None  # candidacies of its requests
    survival: float | None  # served of its candidacies
    survival_before: float | None  # in as long a time before
    mostly: str  # how most of those ended that were not served


def newest(windows: Sequence[tuple[datetime, int]], period: Period, many: int) -> Period:
    """The end of a period, in which there are so many requests, or all of it. windows: (start, requests) in order of
    time. What is read of traces grows with them, whatever the time that is asked for."""
    seen = 0
    for start, requests in reversed(windows):
        seen += requests
        if seen >= many:
            return Period(max(utc(start), period.since), period.until)
    return period


def by_segment(rows: Iterable[Row]) -> list[SegmentLine]:
    """The segments with the most candidacies first."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["segment"]].append(row)
    lines = [_line(segment, endings) for segment, endings in groups.items()]
    return sorted(lines, key=lambda line: (-line.candidacies, line.segment))


def need(row: Row, many: int) -> str:
    """What it would need, in one sentence; empty where no scorer saw it. row: of Reader.item_needs."""
    requests = row["requests"]
    if not requests:
        return ""
    of = f"its newest {requests:,} requests that scored it" if requests == many else f"{requests:,} requests scored it"
    return (
        f"By its score alone it would have been served in {row['enough'] / requests:.0%} of the time ({of}): "
        f"its score is {row['score']:.3g} (rank {row['rank']:,} of {row['scored']:,}), and the last of "
        f"{row['slots']:,} slots takes {row['needed']:.3g} (medians)."
    )


def _line(segment: str, endings: Sequence[Row]) -> SegmentLine:
    now, before = sum(row["now"] for row in endings), sum(row["before"] for row in endings)
    served = sum(row["now"] for row in endings if row["fate"] == "served")
    served_before = sum(row["before"] for row in endings if row["fate"] == "served")
    lost = max((row for row in endings if row["fate"] != "served" and row["now"]), key=_times, default=None)
    requests = endings[0]["requests"]
    return SegmentLine(
        segment,
        requests,
        now,
        served,
        now / requests if requests else None,
        served / now if now else None,
        served_before / before if before else None,
        ending(lost["fate"], lost["stage"], lost["component"], lost["reason"]) if lost else "",
    )


def _times(row: Row) -> int:
    times: int = row["now"]
    return times
