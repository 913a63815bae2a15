"""The frames that rules are judged on: the exact schemas, and from them one column a field.

`TRACES` has one row a merged request, `CATALOG` one a state of an item. A frame of traces may lack the columns that no
rule needs (`Judge.columns` names those that are needed); lists of one row that belong to the served items are equally
long. Maps are lists of (key, value), as Arrow has them.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Final

import polars as pl

from schemas.pipeline import PARALLEL_STAGES
from streams.rules.expressions import TYPES
from streams.rules.fields import ITEM, STAGE_FIELDS, Field

MOMENT: Final = pl.Datetime("ms", "UTC")
PAIRS: Final = pl.List(pl.Struct({"key": pl.String, "value": pl.String}))
TRACES: Final = pl.Schema(
    {
        "request_id": pl.String(),
        "at": MOMENT,  # record time of the request: what `at` and active from/until mean
        "responded_at": MOMENT,  # record time of the response: the catalogue counts as of then; NULL: as of `at`
        "placement": pl.String(),
        "user_id": pl.String(),
        "k": pl.UInt32(),
        "segments": PAIRS,
        "experiments": PAIRS,
        "context": pl.String(),  # JSON
        "missing": pl.List(pl.String),
        "responded": pl.Boolean(),
        "served_by": pl.String(),
        "n_served": pl.UInt32(),
        "total_ms": pl.Float32(),
        "statuses": pl.List(pl.String),
        "conflicts": pl.UInt32(),
        "served": pl.List(pl.String),  # items, in order; the next three go with it
        "scores": pl.List(pl.Float32),  # of the model; NULL: none
        "model_ranks": pl.List(pl.UInt32),  # 1-based; 0: none
        "sources": pl.List(pl.List(pl.String)),
        "stages": pl.List(
            pl.Struct(
                {
                    "stage": pl.String,
                    "component": pl.String,
                    "attempt": pl.UInt8,
                    "status": pl.String,
                    "duration_ms": pl.Float32,
                    "n_in": pl.UInt32,
                    "n_out": pl.UInt32,
                }
            )
        ),  # in pipeline order
    }
)
CATALOG: Final = pl.Schema(
    {
        "item": pl.String(),
        "record_at": MOMENT,  # valid from
        "deleted": pl.Boolean(),
        "title": pl.String(),  # "" is NULL, here and in brand and category
        "brand": pl.String(),
        "category": pl.String(),
        "price": pl.Float64(),
        "available": pl.Boolean(),
        "created_at": MOMENT,
        "attributes": PAIRS,
    }
)
ROW: Final = "#row"  # a request's place in the frame
ALWAYS: Final = ("request_id", "at", "responded")
_OF_ITEMS: Final = {"score": "scores", "model_rank": "model_ranks", "sources": "sources"}
OF_CATALOG: Final = ("title", "brand", "category", "price", "available", "created_at")
_NULL_IF_EMPTY: Final = frozenset({"user_id", "served_by", "title", "brand", "category"})
_DAY_MS: Final = 86_400_000
_FROM_CATALOG: Final = frozenset({*OF_CATALOG, "in_catalog", "age_days"})


def columns(fields: Iterable[Field], *, items: bool) -> list[str]:
    """The columns of `TRACES` that these fields need; items: whether served items are looked at."""
    needed = {*ALWAYS, *(("served",) if items else ())}
    for field in fields:
        if from_catalog(field):
            needed.add("responded_at")
        elif field.of == "item":
            needed |= {_OF_ITEMS[field.name]} if field.name in _OF_ITEMS else set()
        elif field.group in ("stage", "component"):
            needed.add("stages")
        else:
            needed.add(field.group or field.name)
    return [name for name in TRACES if name in needed]


def from_catalog(field: Field) -> bool:
    """Whether its value is the catalogue's."""
    return field.of == "item" and (field.group == "attributes" or field.name in _FROM_CATALOG)


def requests(traces: pl.DataFrame, fields: Iterable[Field], keep: Sequence[str] = ()) -> pl.DataFrame:
    """One row a request: `#row`, `ALWAYS`, `keep` as they are, and one column a field of the request."""
    wanted = [field for field in dict.fromkeys(fields) if field.of == "request"]
    frame = traces.with_row_index(ROW)
    plain = [field for field in wanted if not field.group and field.name not in ALWAYS]
    made = frame.select(
        ROW, pl.col("request_id").cast(pl.String), pl.col("at").cast(MOMENT), pl.col("responded").cast(pl.Boolean),
        *keep, *(_plain(field) for field in plain if field.name not in keep),
        *(_of_context(field) for field in wanted if field.group == "context"),
        *(label(field) for field in wanted if field.group in ("segments", "experiments")),
    )  # fmt: skip
    of_stages = [field for field in wanted if field.group in ("stage", "component")]
    return made.join(_stages(frame, of_stages), on=ROW, how="left", maintain_order="left") if of_stages else made


def _plain(field: Field) -> pl.Expr:
    value = pl.col(field.name).cast(TYPES[field.type])
    return pl.when(value != "").then(value).alias(field.name) if field.name in _NULL_IF_EMPTY else value


def _of_context(field: Field) -> pl.Expr:
    return pl.col("context").str.json_path_match(f"$[{json.dumps(field.key, ensure_ascii=False)}]").alias(field.name)


def label(field: Field) -> pl.Expr:
    """The value of one key of a map; of a key that is there twice, the last."""
    pair = pl.element().struct
    found = pl.col(field.group).list.eval(pair.field("value").filter(pair.field("key") == field.key))
    return found.list.last().cast(pl.String).alias(field.name)


def _stages(frame: pl.DataFrame, fields: Sequence[Field]) -> pl.DataFrame:
    """Of each component the highest attempt counts."""
    events = frame.select(ROW, "stages").explode("stages").drop_nulls("stages").unnest("stages")
    if events.get_column("attempt").max():
        newest = pl.col("attempt").max().over(ROW, "stage", "component")
        events = events.filter(pl.col("attempt") == newest)
    return events.group_by(ROW, maintain_order=True).agg(_of_stage(field) for field in fields)


def _of_stage(field: Field) -> pl.Expr:
    """Of several components: the longest; what parallel ones take in and put out together, else what the last does."""
    mine = pl.col(field.group) == field.key
    name = field.name.rpartition(".")[2]
    if name == "failed":
        return pl.when(mine.any()).then((mine & pl.col("status").is_in(["timeout", "error"])).any()).alias(field.name)
    values = pl.col(name).cast(TYPES[STAGE_FIELDS[name]]).filter(mine)
    if name == "duration_ms":
        return values.max().alias(field.name)
    if field.group == "stage" and field.key in PARALLEL_STAGES:
        return pl.when(values.count() > 0).then(values.sum()).alias(field.name)
    return values.last().alias(field.name)


def served_items(made: pl.DataFrame, fields: Iterable[Field], history: pl.DataFrame | None) -> pl.DataFrame:
    """One row a served item: what `made` (of `requests`, with `served` and what goes with it) has of its request, and
    one column a field of the item. history: from `catalogue`; None where no field needs it."""
    wanted = [field for field in dict.fromkeys(fields) if field.of == "item"]
    lists = ["served", *(column for name, column in _OF_ITEMS.items() if column in made.columns)]
    rows = made.filter(pl.col("responded") & (pl.col("served").list.len() > 0))
    items = (
        rows.with_columns(pl.int_ranges(1, pl.col("served").list.len() + 1).alias("position"))
        .explode("position", *lists)
        .rename({"served": "item"})
    )
    renamed = {column: name for name, column in _OF_ITEMS.items() if column in lists and column != name}
    items = items.rename(renamed).with_columns(
        pl.col(field.name).cast(TYPES[field.type])
        for field in dict.fromkeys([ITEM["item"], ITEM["position"], *wanted])
        if field.name in items.columns or field.name in renamed.values()
    )
    if "model_rank" in items.columns:
        items = items.with_columns(pl.when(pl.col("model_rank") > 0).then(pl.col("model_rank")).alias("model_rank"))
    return items if history is None else as_of(items, history)


def catalogue(catalog: pl.DataFrame, fields: Iterable[Field]) -> pl.DataFrame:
    """The catalogue as it is looked up in: columns as fields, in the order of time."""
    wanted = [field for field in dict.fromkeys(fields) if from_catalog(field)]
    made = catalog.select(
        pl.col("item").cast(pl.String),
        pl.col("record_at").cast(MOMENT),
        (~pl.col("deleted")).alias("in_catalog"),
        *(catalog_field(ITEM[name]) for name in OF_CATALOG),
        *(label(field) for field in wanted if field.group == "attributes"),
    )
    there = made.columns[3:]
    made = made.with_columns(pl.when("in_catalog").then(pl.col(name)).alias(name) for name in there)
    return made.sort("record_at", maintain_order=True)


def catalog_field(field: Field) -> pl.Expr:
    """One column of a catalogue as a field: "" and NaN are NULL."""
    value = pl.col(field.name).cast(TYPES[field.type])
    if field.name in _NULL_IF_EMPTY:
        value = pl.when(value != "").then(value)
    return (value.fill_nan(None) if field.type == "number" else value).alias(field.name)


def as_of(items: pl.DataFrame, history: pl.DataFrame) -> pl.DataFrame:
    """The items with the state that the catalogue had at the response."""
    found = (
        items.with_columns(pl.coalesce("responded_at", "at").cast(MOMENT).alias("#time"))
        .with_row_index("#item")
        .sort("#time", maintain_order=True)
        .join_asof(history, left_on="#time", right_on="record_at", by="item", check_sortedness=False)
        .sort("#item")
        .drop("#item", "#time", "record_at")
    )
    return found.with_columns(
        pl.col("in_catalog").fill_null(value=False), days(pl.col("created_at"), pl.col("at")).alias("age_days")
    )


def days(since: pl.Expr, until: pl.Expr) -> pl.Expr:
    """How many days lie between."""
    return (until - since).dt.total_milliseconds() / _DAY_MS
