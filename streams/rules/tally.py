"""Hits and counts, from which rows the conditions matched."""

from collections.abc import Sequence
from typing import Final

import polars as pl

from schemas.rules import WINDOW, Rule
from streams.rules.expressions import Columns
from streams.rules.frames import MOMENT, PAIRS, ROW
from streams.rules.plan import Matched
from streams.rules.reading import Read
from streams.rules.shown import seen, shown
from streams.rules.tree import Tree

HITS: Final = pl.Schema(
    {
        "rule_id": pl.String(),
        "version": pl.String(),
        "request_id": pl.String(),
        "at": MOMENT,
        "item": pl.String(),  # "" unless the rule's scope is item
        "position": pl.UInt32(),  # 1-based; 0 unless the rule's scope is item
        "values": PAIRS,  # what `when` saw, as text: field or aggregate, value; NULL as "NULL"
    }
)
COUNTS: Final = pl.Schema(
    {
        "rule_id": pl.String(),
        "version": pl.String(),
        "group": PAIRS,  # of fires.group_by; empty without
        "judged": pl.UInt32(),  # requests in force: of scope item and slate, those that were answered
        "hit": pl.UInt32(),  # requests at fault
    }
)


_WINDOW: Final = "#window"
Group = tuple[str, ...]  # the window, if it counts by windows; values of fires.group_by, in its order; NULL is ""


class Tally:
    """Collects hits and counts. requests: a row a request, with `#row`, request_id, at, responded and group fields.

    by_window: count for each window by itself, whose start is then a first column `window` of the counts.
    """

    def __init__(self, requests: pl.DataFrame, *, by_window: bool = False) -> None:
        window = pl.col("at").dt.epoch("ms") // (WINDOW * 1000) * WINDOW
        self._requests = requests.with_columns(window.alias(_WINDOW)) if by_window else requests
        self._by = [_WINDOW] if by_window else []
        self._judged: dict[tuple[object, ...], dict[Group, int]] = {}
        self._hits: list[pl.DataFrame] = [pl.DataFrame(schema=HITS)]
        self._counts: list[dict[str, object]] = []

    def add(self, read: Sequence[Read], matched: Matched, frame: pl.DataFrame, columns: Columns) -> None:
        """What these rules matched among the rows of a frame of fields: served items, or requests."""
        sums = matched.matches.sum()
        alike: dict[frozenset[Tree], list[tuple[Read, pl.Series]]] = {}  # rules whose evidence has the same names
        for each in read:
            rule = each.rule
            if rule.id in matched.failed:
                continue
            hit: dict[Group, int] = {}
            if frame.height and sums.get_column(rule.id).item():
                rows = _judged_by(rule, matched.matches.get_column(rule.id), frame).arg_true()
                alike.setdefault(frozenset(seen(each.tree)), []).append((each, rows))
                hit = self._grouped(rule, frame.get_column(ROW).gather(rows).unique())
            self._count(rule, hit)
        self._hits += [_hits(rules, frame, columns) for rules in alike.values()]

    @property
    def hits(self) -> pl.DataFrame:
        """`HITS`, those of one rule together."""
        return pl.concat(self._hits)

    @property
    def counts(self) -> pl.DataFrame:
        """`COUNTS`"""
        schema = {"window": MOMENT, **COUNTS} if self._by else COUNTS
        return pl.DataFrame(self._counts, schema=schema)

    def _count(self, rule: Rule, hit: dict[Group, int]) -> None:
        for group, judged in self._groups(rule).items():
            values = group[len(self._by) :]
            pairs = [{"key": key, "value": value} for key, value in zip(rule.fires.group_by, values, strict=True)]
            window = {"window": int(group[0]) * 1000} if self._by else {}
            self._counts.append(
                {
                    **window,
                    "rule_id": rule.id,
                    "version": rule.version,
                    "group": pairs,
                    "judged": judged,
                    "hit": hit.get(group, 0),
                }
            )

    def _groups(self, rule: Rule) -> dict[Group, int]:
        """How many requests the rule judges, by group."""
        key = (rule.scope == "trace", rule.active.since_ms, rule.active.until_ms, rule.fires.group_by)
        if key not in self._judged:
            every = pl.repeat(value=True, n=self._requests.height, dtype=pl.Boolean, eager=True)
            rows = self._requests.get_column(ROW).filter(_judged_by(rule, every, self._requests))
            self._judged[key] = self._grouped(rule, rows)
        return self._judged[key]

    def _grouped(self, rule: Rule, rows: pl.Series) -> dict[Group, int]:
        """How many of these requests are in each group."""
        by = [*self._by, *rule.fires.group_by]
        if not by:
            return {(): len(rows)}
        groups = self._requests.select(pl.col(name).cast(pl.String).fill_null("") for name in by)
        counted = groups[rows.cast(pl.UInt32)].group_by(by, maintain_order=True).len()
        return {tuple(row[:-1]): row[-1] for row in counted.iter_rows()}


def _judged_by(rule: Rule, mask: pl.Series, frame: pl.DataFrame) -> pl.Series:
    """Of the rows in a mask those that the rule judges: in force, and answered unless it is about the request alone."""
    mask = mask if rule.scope == "trace" else mask & frame.get_column("responded")
    if rule.active.since_ms is not None:
        mask &= frame.get_column("at").dt.epoch("ms") >= rule.active.since_ms
    if rule.active.until_ms is not None:
        mask &= frame.get_column("at").dt.epoch("ms") < rule.active.until_ms
    return mask


def _hits(rules: Sequence[tuple[Read, pl.Series]], frame: pl.DataFrame, columns: Columns) -> pl.DataFrame:
    """The hits of rules whose evidence has the same names."""
    of_items = rules[0][0].rule.scope == "item"
    told = pl.DataFrame(
        {
            "rule_id": [read.rule.id for read, _ in rules],
            "version": [read.rule.version for read, _ in rules],
            "#rows": [len(rows) for _, rows in rules],
        },
        schema={"rule_id": pl.String, "version": pl.String, "#rows": pl.UInt32},
    )
    rows = frame[pl.concat([rows for _, rows in rules])]
    return rows.select(
        pl.lit(told.select(pl.col("rule_id").repeat_by("#rows").explode()).to_series()).alias("rule_id"),
        pl.lit(told.select(pl.col("version").repeat_by("#rows").explode()).to_series()).alias("version"),
        "request_id",
        "at",
        (pl.col("item") if of_items else pl.lit("")).alias("item"),
        (pl.col("position") if of_items else pl.lit(0)).cast(pl.UInt32).alias("position"),
        shown(rules[0][0].tree, columns).alias("values"),
    )
