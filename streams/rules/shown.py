"""What a condition saw, as text: the evidence of a hit."""

from typing import Final

import polars as pl

from streams.rules.expressions import Columns
from streams.rules.fields import Field, Type
from streams.rules.frames import PAIRS
from streams.rules.tree import Aggregate, Tree, parts, text

DIGITS: Final = 7  # as many as a Float32 has
_KEY: Final = frozenset({"item", "position", "request_id"})  # a hit has columns of its own for these


def shown(tree: Tree, columns: Columns) -> pl.Expr:
    """The fields and aggregates of a condition with their values, as a list of (key, value); NULL as "NULL"."""
    nodes = sorted(seen(tree), key=text)
    pairs = [
        pl.struct(key=pl.lit(text(node)), value=as_text(_column(node, columns), node.type).fill_null("NULL"))
        for node in nodes
    ]
    return pl.concat_list(pairs).cast(PAIRS) if pairs else pl.lit([], dtype=PAIRS)


def seen(tree: Tree) -> list[Field | Aggregate]:
    """What a condition looks at: aggregates as a whole, fields outside of them."""
    if isinstance(tree, Field | Aggregate):
        return [] if isinstance(tree, Field) and tree.name in _KEY else [tree]
    return list(dict.fromkeys(node for part in parts(tree) for node in seen(part)))


def _column(node: Field | Aggregate, columns: Columns) -> pl.Expr:
    return pl.col(node.name if isinstance(node, Field) else columns[node])


def as_text(value: pl.Expr, kind: Type) -> pl.Expr:
    """12, 0.28, true, 2026-06-01T12:00:00.000Z, a,b"""
    if kind == "number":
        whole = (value == value.round()) & (value.abs() < 1e15)
        return (
            pl.when(whole)
            .then(value.cast(pl.Int64, strict=False).cast(pl.String))
            .otherwise(value.round_sig_figs(DIGITS).cast(pl.String))
        )
    if kind == "time":
        return value.dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
    return value.list.join(",") if kind == "list" else value.cast(pl.String)
