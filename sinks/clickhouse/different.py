"""What is different about the bad requests: what they say of themselves, against what the rest does. Reads only."""

from dataclasses import dataclass
from typing import Any, Final

from sinks.clickhouse.changes import Times
from sinks.clickhouse.reader import Reader, RequestFilter
from sinks.clickhouse.slices import Within

Row = dict[str, Any]
MOST: Final = 20_000  # requests of either side that are read
LIMIT: Final = 500  # values
_NOW: Final = "window >= {since:DateTime('UTC')} AND window < {until:DateTime('UTC')}"
_VISIBLE: Final = f"{_NOW} AND (window, run, tail) IN (SELECT window, run, tail FROM DATABASE.visible WHERE {_NOW})"


@dataclass(frozen=True)
class Different:
    """Questions about one time: bad says which requests are, within among which. Raises Unavailable when ClickHouse
    cannot answer. What both choose by is told apart: bad ones by a status, a rule, segments, arms or the placement."""

    reader: Reader
    database: str
    times: Times
    bad: RequestFilter
    within: Within

    def counts(self) -> tuple[int, int]:
        """The bad ones, and the rest."""
        row = self.reader.ask("different_counts", self._parameters, **self._parts)[0]
        return row["bad_ones"], row["rest"]

    def values(self, bad: int, rest: int) -> list[Row]:
        """What requests say, most of all what is commoner among the bad ones."""
        sample = {"bad_in": max(bad // MOST, 1), "rest_in": max(rest // MOST, 1), "limit": LIMIT}
        return self.reader.ask("different", {**self._parameters, **sample}, **self._parts)

    @property
    def _parameters(self) -> dict[str, Any]:
        """`bad` has the names of its parameters for itself where `within` chooses by the same."""
        mine = {f"bad_{name}": value for name, value in self.bad.parameters.items()}
        return {**self.times.parameters, **mine, **self.within.parameters}

    @property
    def _parts(self) -> dict[str, str]:
        bad = self.bad.condition(self.database)
        for name in self.bad.parameters:
            bad = bad.replace(f"{{{name}:", f"{{bad_{name}:")
        visible = _VISIBLE.replace("DATABASE", self.database)
        return {"bad": f"({bad})", "condition": self.within.condition, "visible": visible}
