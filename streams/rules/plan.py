"""Many conditions at once: what they have in common is computed once, and one that fails takes no other down."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import and_, or_
from typing import Final

import polars as pl

from streams.rules.expressions import Columns, expression
from streams.rules.tree import LOGIC, Call, Tree

SMALL: Final = 5_000  # rows: below, handing out to threads costs more than it saves
_FAILURES: Final = (pl.exceptions.PolarsError, pl.exceptions.PanicException)


@dataclass(frozen=True)
class Matched:
    """matches: a boolean column a condition, NULL where it is; failed: why, by condition."""

    matches: pl.DataFrame
    failed: dict[str, str]


class Plan:
    """Conditions by name, compiled once. A predicate is what is between AND, OR and NOT."""

    def __init__(self, conditions: Mapping[str, Tree], columns: Columns) -> None:
        self._predicates: dict[Tree, str] = {}
        self._uses: dict[str, set[str]] = {}
        self._conditions: dict[str, pl.Expr] = {}
        for name, tree in conditions.items():
            self._uses[name] = set()
            self._conditions[name] = self._combined(tree, self._uses[name]).alias(name)
        self._expressions = {name: expression(tree, columns).alias(name) for tree, name in self._predicates.items()}

    def __len__(self) -> int:
        return len(self._conditions)

    def run(self, frame: pl.DataFrame) -> Matched:
        """Evaluate all conditions over all rows of a frame with a column a field."""
        values, broken = evaluate(frame, self._expressions)
        failed = {}
        for name, used in self._uses.items():
            if hurt := [broken[each] for each in used if each in broken]:
                failed[name] = hurt[0]
        sound = [made for name, made in self._conditions.items() if name not in failed]
        return Matched(_select(values, sound), failed)

    def _combined(self, tree: Tree, used: set[str]) -> pl.Expr:
        if not (isinstance(tree, Call) and tree.function in LOGIC):
            name = self._predicates.setdefault(tree, f"#p{len(self._predicates)}")
            used.add(name)
            return pl.col(name)
        parts = [self._combined(each, used) for each in tree.arguments]
        return ~parts[0] if tree.function == "not" else reduce(and_ if tree.function == "and" else or_, parts)


def evaluate(frame: pl.DataFrame, wanted: Mapping[str, pl.Expr]) -> tuple[pl.DataFrame, dict[str, str]]:
    """The frame with one more column for each expression, which has that name; and those that failed, with why."""
    try:
        return _with(frame, list(wanted.values())), {}
    except _FAILURES as error:
        if len(wanted) == 1:
            return frame, {next(iter(wanted)): " ".join(str(error).split())[:300]}
    names = list(wanted)
    halves = (names[: len(names) // 2], names[len(names) // 2 :])
    failed: dict[str, str] = {}
    for half in halves:
        frame, broken = evaluate(frame, {name: wanted[name] for name in half})
        failed |= broken
    return frame, failed


def _with(frame: pl.DataFrame, named: list[pl.Expr]) -> pl.DataFrame:
    return frame.with_columns_seq(named) if frame.height < SMALL else frame.with_columns(named)


def _select(frame: pl.DataFrame, named: list[pl.Expr]) -> pl.DataFrame:
    return frame.select_seq(named) if frame.height < SMALL else frame.select(named)
