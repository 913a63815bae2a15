"""What of what was served is at fault: all rules over a batch of merged requests at once."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import polars as pl

from schemas.rule_problems import RulesInvalid
from schemas.rules import Rule
from streams.rules import frames
from streams.rules.expressions import on_nothing, over_items, row_value
from streams.rules.fields import Field, resolve
from streams.rules.frames import ROW
from streams.rules.plan import Plan, evaluate
from streams.rules.reading import Read, read_rule
from streams.rules.tally import COUNTS, HITS, Tally
from streams.rules.tree import Tree, aggregates, fields

__all__ = ["COUNTS", "HITS", "Judge", "Verdict"]


@dataclass(frozen=True)
class Verdict:
    """hits: a row a violation (`HITS`); counts: a row a rule and group (`COUNTS`); failed: why, by rule id."""

    hits: pl.DataFrame
    counts: pl.DataFrame
    failed: dict[str, str] = field(default_factory=dict)


_KEPT: Final = frozenset({"responded_at", "served", "scores", "model_ranks", "sources"})


class Judge:
    """The rules that watch, compiled once. Rules that cannot be are in `failed`, and judge nothing."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.failed: dict[str, str] = {}
        self._read = list(self._readable({rule.id: rule for rule in rules if rule.watches}.values()))
        self.rules = [read.rule for read in self._read]
        self._of_items = [read for read in self._read if read.rule.scope == "item"]
        self._of_requests = [read for read in self._read if read.rule.scope != "item"]
        self._aggregates = list(dict.fromkeys(each for read in self._of_requests for each in aggregates(read.tree)))
        self._columns: dict[Tree, str] = {aggregate: f"#a{number}" for number, aggregate in enumerate(self._aggregates)}
        self._row_values = {
            name: row_value(each, {}).alias(name)
            for each, name in zip(self._aggregates, self._columns.values(), strict=True)
        }
        self._item_plan = Plan({read.rule.id: read.tree for read in self._of_items}, {})
        self._request_plan = Plan({read.rule.id: read.tree for read in self._of_requests}, self._columns)
        self._catalog: tuple[pl.DataFrame, pl.DataFrame] | None = None  # as given, as looked up in

    def _readable(self, rules: Iterable[Rule]) -> Iterable[Read]:
        """Those that can be read and compiled; the last of an id."""
        for rule in rules:
            try:
                read = read_rule(rule)
                _try_compiling(read)
            except RulesInvalid as invalid:
                self.failed[rule.id] = str(invalid)
            except Exception as error:  # whatever is wrong with one rule, the others must judge
                self.failed[rule.id] = f"rule {rule.id}, when: {type(error).__name__}: {error}"
            else:
                yield read

    @cached_property
    def fields(self) -> list[Field]:
        """All fields that conditions and groups name."""
        groups = [resolve(tuple(name.split(".", 1)), "trace") for rule in self.rules for name in rule.fires.group_by]
        return list(dict.fromkeys([*(each for read in self._read for each in fields(read.tree)), *groups]))

    @property
    def looks_at_items(self) -> bool:
        """Whether any rule needs the served items."""
        return bool(self._of_items or self._aggregates)

    @property
    def needs_catalog(self) -> bool:
        """Whether any rule needs the catalogue."""
        return any(map(frames.from_catalog, self.fields))

    @property
    def columns(self) -> list[str]:
        """The columns of `frames.TRACES` that must be there."""
        return frames.columns(self.fields, items=self.looks_at_items)

    def judge(self, traces: pl.DataFrame, catalog: pl.DataFrame, *, by_window: bool = False) -> Verdict:
        """traces: a row a merged request (`frames.TRACES`, at least `columns`); catalog: a row a state of an item
        (`frames.CATALOG`), of at least the items served, from before the first response on."""
        requests = frames.requests(traces, self.fields, [name for name in self.columns if name in _KEPT])
        tally, failed, broken = Tally(requests, by_window=by_window), dict(self.failed), dict[str, str]()
        if self.looks_at_items:
            history = self._history(catalog) if self.needs_catalog else None
            items = frames.served_items(requests, self.fields, history)
            found = self._item_plan.run(items)
            tally.add(self._of_items, found, items, {})
            failed |= found.failed
            requests, broken = self._with_aggregates(requests, items)
        found = self._request_plan.run(requests)
        tally.add(self._of_requests, found, requests, self._columns)
        for read in self._of_requests:  # say what failed, not that its column is not there
            hurt = [broken[self._columns[each]] for each in aggregates(read.tree) if self._columns[each] in broken]
            failed |= {read.rule.id: hurt[0]} if hurt else {}
        return Verdict(tally.hits, tally.counts, found.failed | failed)

    def _history(self, catalog: pl.DataFrame) -> pl.DataFrame:
        if self._catalog is None or self._catalog[0] is not catalog:
            self._catalog = catalog, frames.catalogue(catalog, self.fields)
        return self._catalog[1]

    def _with_aggregates(self, requests: pl.DataFrame, items: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, str]]:
        """The requests with a column an aggregate, and those that failed."""
        values, broken = evaluate(items, self._row_values)
        sound = [each for each in self._aggregates if self._columns[each] not in broken]
        grouped = values.group_by(ROW, maintain_order=True).agg(
            over_items(each, self._columns[each]).alias(self._columns[each]) for each in sound
        )
        made = requests.join(grouped, on=ROW, how="left", maintain_order="left")
        filled = [
            pl.col(self._columns[each]).fill_null(on_nothing(each)) for each in sound if on_nothing(each) is not None
        ]
        return made.with_columns(filled), broken


def _try_compiling(read: Read) -> None:
    inner = aggregates(read.tree)
    Plan({read.rule.id: read.tree}, dict.fromkeys(inner, "#a"))
    for each in inner:
        over_items(each, "#a")
        row_value(each, {})
