"""What is different about the bad requests: what they say of themselves, against what the rest does. Reads only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from sinks.clickhouse.changes import Times
from sinks.clickhouse.queries import sql
from sinks.clickhouse.reader import Reader
from sinks.clickhouse.slices import Within, blocks, visible

Row = dict[str, Any]
MOST: Final = 10_000  # requests of either side that are compared
LOOKED_AT: Final = 200_000  # requests whose stages are read for that
LIMIT: Final = 500  # values
_NEVER: Final = 1e300  # more than anything takes or drops
_NOW: Final = "window >= {since:DateTime('UTC')} AND window < {until:DateTime('UTC')}"


@dataclass(frozen=True)
class Values:
    """Rows by value, of so many bad requests and of the rest, as they were compared. places: of components in the
    pipeline."""

    bad: int
    rest: int
    rows: Sequence[Row]
    places: Mapping[str, int] = field(default_factory=dict)


class Chosen(Protocol):
    """Which requests, as reader.RequestFilter says it."""

    def condition(self, database: str) -> str:
        """An SQL expression over the columns of `traces`, with query parameters."""
        ...

    @property
    def parameters(self) -> dict[str, str]:
        """Those parameters."""
        ...


@dataclass(frozen=True)
class Different:
    """Questions about one time: bad says which requests are, within among which. Raises Unavailable when ClickHouse
    cannot answer. What both choose by is told apart: bad ones by a status, a rule, segments, arms, the placement or
    a call."""

    reader: Reader
    database: str
    times: Times
    bad: Chosen
    within: Within

    def counts(self) -> tuple[int, int]:
        """The bad ones, and the rest."""
        row = self.reader.ask("different_counts", self._parameters, **self._parts("true"))[0]
        return row["bad_ones"], row["rest"]

    def values(self, bad: int, rest: int) -> Values:
        """What requests say, most of all what is commoner among the bad ones. bad, rest: how many there are."""
        share = min(LOOKED_AT / max(bad + rest, 1), 1.0)
        one_in = {name: max(int(count * share) // MOST, 1) for name, count in (("bad_in", bad), ("rest_in", rest))}
        parts = self._parts(blocks(self.times, bad + rest, LOOKED_AT))
        requests = sql("different_requests", database=self.database, **parts)
        told = {**self._parameters, **one_in}
        usual = self.reader.ask("different_usual", told, requests=requests)
        totals = next(({"bad": row["bad_ones"], "rest": row["rest"]} for row in usual if not row["kind"]), None)
        if not totals or not all(totals.values()):
            return Values(0, 0, [])
        took, drops = ([row for row in usual if row["kind"] == kind] for kind in ("took", "drops"))
        limits = {
            "took_names": [row["name"] for row in took], "took": [_limit(row) for row in took],
            "drops_names": [row["name"] for row in drops], "drops_reasons": [row["reason"] for row in drops],
            "drops": [_limit(row) for row in drops], "limit": LIMIT,
        }  # fmt: skip
        rows = self.reader.ask("different", {**told, **totals, **limits}, requests=requests)
        return Values(**totals, rows=rows, places={row["name"]: row["place"] for row in took})

    def _parts(self, sample: str) -> dict[str, str]:
        """`bad` has the names of its parameters for itself: `within` may choose by the same."""
        bad = self.bad.condition(self.database)
        for name in self.bad.parameters:
            bad = bad.replace(f"{{{name}:", f"{{bad_{name}:")
        shown = visible(self.database, _NOW, sample)
        return {"bad": f"({bad})", "condition": self.within.condition, "visible": shown}

    @property
    def _parameters(self) -> dict[str, Any]:
        mine = {f"bad_{name}": value for name, value in self.bad.parameters.items()}
        return {**self.times.parameters, **mine, **self.within.parameters}


def _limit(row: Row) -> float:
    return _NEVER if row["usual"] is None else float(row["usual"])
