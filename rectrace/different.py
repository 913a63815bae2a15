"""What is different about the bad requests? Pure, from rows of sinks/clickhouse/different.py."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from streams.detect.proportion import Interval, Share, apart, likelihood, wilson
from streams.detect.scan import benjamini_hochberg
from streams.detect.tails import two_sided

Row = Mapping[str, Any]

Q: Final = 0.01  # of what is told as a difference, so much may be chance
FEW: Final = 20  # bad requests: fewer say little
ABSENT: Final = "sends nothing"  # the value of a component that the query gives
TOLD: Final = 3  # values in a sentence
_FIELDS: Final = {  # how a field's name and value are said
    "placement": "placement={value}",
    "segment": "{name}={value}",
    "arm": "experiment {name}={value}",
    "served by": "served by {value}",
    "version": "{name} {value}",
    "missing": "{name} expected and not seen",
    "component": "{name} {value}",
    "source": "source {name} {value}",
    "drops as": "{name} drops as {value}",
    "drops many": "{name} drops more than {value}",
}
_DONE: Final = ("component", "source")  # fields that say what a component did


@dataclass(frozen=True)
class Difference:
    """One value of one field: bad and rest are shares of the requests that say it. explains: bad - rest, which is 1 for
    what all bad ones and none of the rest have, with its 95 % interval. sure: more than chance, of all looks together.
    likely: how many times as many of the bad have it; None: none of the rest does."""

    field: str
    name: str
    value: str
    bad_with: int
    rest_with: int
    bad: float
    rest: float
    interval: Interval
    sure: bool
    example: str

    @property
    def explains(self) -> float:
        """bad - rest."""
        return self.bad - self.rest

    @property
    def likely(self) -> float | None:
        """bad / rest."""
        return self.bad / self.rest if self.rest else None

    @property
    def says(self) -> str:
        """In words."""
        return _FIELDS[self.field].format(name=self.name or "(empty)", value=self.value or "(empty)")


@dataclass(frozen=True)
class Differences:
    """bad and rest: requests that were read; looks: values that were compared."""

    bad: int
    rest: int
    looks: int
    found: tuple[Difference, ...]

    @property
    def sure(self) -> list[Difference]:
        """What is commoner among the bad ones, more than by chance."""
        return [each for each in self.found if each.sure and each.explains > 0]

    def beside(self, component: str) -> "Differences":
        """Without what that component did, where the bad ones were chosen by it: its version stays."""
        found = (each for each in self.found if each.name != component or each.field not in _DONE)
        return replace(self, found=tuple(found))


def differences(bad: int, rest: int, rows: Sequence[Row], places: Mapping[str, int]) -> Differences:
    """What explains most first, of what is no chance; then the others. bad, rest: requests that were compared; places:
    of components in the pipeline. Of what explains as much (to a point) what comes first there is first, because the
    others follow from it, and what is not there last."""
    looks = rows[0]["looks"] if rows else 0
    shares = {number: _shares(row, bad, rest) for number, row in enumerate(rows)}
    p_values = {number: two_sided(likelihood(*both)) for number, both in shares.items()}
    # rows may have been cut off: those that are not here were looked at, too
    passing = benjamini_hochberg(p_values, Q * len(rows) / max(looks, 1))
    found = [_made(row, *shares[number], sure=number in passing) for number, row in enumerate(rows)]

    def order(each: Difference) -> tuple[bool, float, bool, int, float, str]:
        last = max(places.values(), default=0) + 1 if each.field == "served by" else 0
        absent = each.field == "missing" or each.value == ABSENT
        return not each.sure, -round(each.explains, 2), absent, places.get(each.name, last), -each.explains, each.says

    ordered = sorted(found, key=order)
    return Differences(bad, rest, looks, tuple(ordered))


def sentence(told: Differences, bad: str) -> str:
    """The answer. bad: what the bad ones are called."""
    sure = told.sure
    if not sure:
        return f"Nothing is commoner among {bad} than among the others, beyond chance ({told.looks:,} values compared)."
    best = "; ".join(f"{each.says} ({_percent(each.bad)} against {_percent(each.rest)})" for each in sure[:TOLD])
    more = f", and {len(sure) - TOLD:,} more" if len(sure) > TOLD else ""
    return f"Commoner among {bad} than among the others: {best}{more}."


def _shares(row: Row, bad: int, rest: int) -> tuple[Share, Share]:
    return Share(row["rest_with"], rest, rest), Share(row["bad_with"], bad, bad)


def _made(row: Row, rest: Share, bad: Share, *, sure: bool) -> Difference:
    interval = apart(bad.value, wilson(bad.part, bad.whole), rest.value, wilson(rest.part, rest.whole))
    return Difference(
        row["field"], row["name"], row["value"], row["bad_with"], row["rest_with"], bad.value, rest.value, interval,
        sure, row["example"],
    )  # fmt: skip


def _percent(share: float) -> str:
    return f"{share:.{0 if share >= 0.1 or share == 0 else 1}%}"
