"""Requests by what tells them apart: a segment, an experiment's arm, the placement, or two of these. Reads only.

By one thing from the sums of sealed windows, as far as they have it; all else from sealed traces, of the narrow columns
that are asked for alone, and of a sample where those are wide.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from schemas.parts import WINDOW_S
from sinks.clickhouse import chosen
from sinks.clickhouse.changes import BOTH, LEVELS, By, Times, only
from sinks.clickhouse.queries import sql
from sinks.clickhouse.reader import Reader

Row = dict[str, Any]
Family = Literal["serving", "candidates", "rules", "clicks", "pressure"]  # what is summed

PLACEMENT: Final = "placement"
EXPERIMENT: Final = "experiment."  # before the name of one, as segment_metrics has it
OTHERS: Final = "(all others)"
MOST_VALUES: Final = 25  # of one thing that keep their name
BLOCK: Final = 500  # requests that lie together on disk, about: of lists of items what can be read by itself
# Traces that are read of one time, about. Serving and candidates are a few bytes a stage and are read whole, up to what
# few have in two days; lists of items and scores are kilobytes.
MOST: Final[Mapping[Family, int]] = {
    "serving": 20_000_000, "candidates": 2_000_000, "rules": 2_000_000, "clicks": 100_000, "pressure": 1_500,
}  # fmt: skip
_LEVELS: Final = ", ".join(map(repr, LEVELS))
_SERVING: Final = f"""countIf(t.responded) AS responded,
    countIf(has(statuses, 'empty')) AS empty, countIf(has(statuses, 'short')) AS short,
    countIf(t.responded AND n_served < 5) AS under_5, countIf(t.responded AND n_served < 10) AS under_10,
    countIf(has(statuses, 'fallback')) AS fallback, countIf(hasAny(statuses, ['error', 'timeout'])) AS failed,
    countIf(has(statuses, 'error')) AS error, countIf(has(statuses, 'timeout')) AS timeout,
    countIf(has(statuses, 'incomplete')) AS incomplete, countIf(has(statuses, 'slow')) AS slow,
    countIf(has(statuses, 'conflict')) AS conflict, sum(k) AS slots, sum(n_served) AS served,
    quantilesTDigestIf({_LEVELS})(assumeNotNull(total_ms), total_ms IS NOT NULL) AS latency"""
# Candidates are what merging puts out, or all that sources find where nothing merges.
_CANDIDATES: Final = """arrayMap((n, items) -> ifNull(n, items), stages.n_out, stages.items.size1) AS outs,
            arrayLastIndex(stage -> stage = 'merging', stages.stage) AS merged,
            if(
                merged > 0, outs[merged],
                arraySum((stage, n) -> if(stage = 'retrieval', n, 0), stages.stage, outs)
            )::UInt64 AS candidates,
            if(candidates > 0, least(n_served, candidates), 0)::UInt64 AS chosen"""
_COLUMNS: Final[Mapping[Family, str]] = {
    "serving": "responded, statuses, n_served, k, total_ms",
    "candidates": _CANDIDATES,
    "rules": f"request_id IN (SELECT request_id FROM DATABASE.violations WHERE {BOTH}) AS at_fault",
    "clicks": "request_id, served",
    "pressure": "responded, served_by, served, k, stages",
}
_SUMS: Final[Mapping[Family, str]] = {
    "serving": _SERVING,
    "candidates": "sum(t.candidates) AS candidates, sum(t.chosen) AS chosen",
    "rules": "countIf(at_fault) AS violations",
    "clicks": "sum(t.shown) AS shown, sum(t.clicks) AS clicks, sum(t.purchases) AS purchases",
    "pressure": "countIf(t.judged) AS judged, sum(t.pressure) AS pressure, sum(t.slots) AS slots_by_primary, "
    "sum(t.slots_by_rules) AS slots_by_rules",
}


@dataclass(frozen=True)
class Within:
    """Which requests: empty means any."""

    placement: str = ""
    segments: tuple[chosen.Pair, ...] = ()
    arms: tuple[chosen.Pair, ...] = ()

    @property
    def condition(self) -> str:
        """An SQL expression over the columns of `traces` beside the placement, with query parameters."""
        both = chosen.condition("segments", self.segments), chosen.condition("experiments", self.arms)
        return " AND ".join(filter(None, both)) or "true"

    @property
    def parameters(self) -> dict[str, str]:
        """Query parameters."""
        return {
            "placement": self.placement,
            **chosen.parameters("segments", self.segments),
            **chosen.parameters("experiments", self.arms),
        }


@dataclass(frozen=True)
class Slices:
    """Questions about two times. Raises Unavailable when ClickHouse cannot answer."""

    reader: Reader
    database: str
    times: Times
    within: Within = Within()

    def seals(self) -> Row:
        """How many windows of both times are sealed, and until when anything is."""
        return self.reader.ask("changed_seals", self.times.parameters)[0]

    def sealed(self, by: By) -> list[Row]:
        """Sums of requests by segment (the total is '', an arm is experiment.NAME=ARM) or by placement: of all that is
        within, the placement alone counts."""
        told = {**self.times.parameters, "placement": self.within.placement}
        return self.reader.ask("changed_segments", told, by=by, both=BOTH, only=only(by), levels=_LEVELS)

    def traced(self, family: Family, first: str, second: str, requests: float) -> list[Row]:
        """Sums of a family by two things: `placement`, the name of a segment, experiment.NAME, or empty for none.
        requests: about how many there are in one time."""
        told = {
            **self.times.parameters, **self.within.parameters, "others": OTHERS,
            "first_name": first.removeprefix(EXPERIMENT), "second_name": second.removeprefix(EXPERIMENT),
        }  # fmt: skip
        sample = blocks(self.times, requests, MOST[family])
        columns = _COLUMNS[family].replace("DATABASE", self.database)
        requests_ = self._requests(first, second, columns, sample)
        if family == "clicks":
            requests_ = sql("slices_clicks", database=self.database, requests=requests_)
        elif family == "pressure":
            kept = "is_now, first_value, second_value"
            measured = sql("rule_moves_measured", moves=sql("rule_moves", traces=requests_), kept=kept)
            requests_ = f"{measured} SELECT {kept}, judged, pressure, slots, slots_by_rules FROM measured"
        named = self._requests(first, second, "1 AS one", sample)
        return self.reader.ask(
            "slices", told, requests=requests_, named=named, sums=_SUMS[family], most=str(MOST_VALUES)
        )

    def _requests(self, first: str, second: str, columns: str, sample: str) -> str:
        return sql(
            "slices_requests", database=self.database, visible=visible(self.database, BOTH, sample), columns=columns,
            condition=self.within.condition, first=_value(first, "first"), second=_value(second, "second"),
        )  # fmt: skip


def visible(database: str, when: str, sample: str = "true") -> str:
    """A condition on a table of runs that leaves what its view would show of some windows. Through the view all of
    `stages` would be read for a part of it."""
    shown = f"SELECT window, run, tail FROM {database}.visible WHERE {when} AND {sample}"
    return f"(window, run, tail) IN ({shown})"


def blocks(times: Times, requests: float, most: int) -> str:
    """A condition on windows that leaves about so many of so many requests in one time: every so-many-th stretch of
    windows, long enough that what is left out need not be read."""
    windows = int((times.until - times.since).total_seconds()) // WINDOW_S
    one_in = int(requests // most)
    if one_in < 2:
        return "true"
    together = max(round(windows * BLOCK / requests), 1)
    every = max(min(one_in, windows // together), 1)
    return f"intDiv(toUnixTimestamp(window), {WINDOW_S * together}) % {every} = 0"


def by_one(rows: Sequence[Row], name: str) -> list[Row]:
    """Of rows of segments those of one name (an experiment's: experiment.NAME), by its values."""
    before = f"{name}="
    return [
        {**row, "element": row["element"].removeprefix(before)} for row in rows if row["element"].startswith(before)
    ]


def names(rows: Sequence[Row]) -> list[str]:
    """Of rows of segments the names: segments, then experiments."""
    found = {row["element"].partition("=")[0] for row in rows if row["element"]}
    return sorted(found, key=lambda name: (name.startswith(EXPERIMENT), name))


def _value(thing: str, parameter: str) -> str:
    if not thing:
        return "''"
    if thing == PLACEMENT:
        return "placement::String"
    column = "experiments" if thing.startswith(EXPERIMENT) else "segments"
    return f"{column}[{{{parameter}_name:String}}]::String"
