"""Conditions mean the same to polars as to a plain evaluator, and read back as they are written."""

import math
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.rules.expressions import TYPES, expression
from streams.rules.fields import Where
from streams.rules.language import Mistake, read
from streams.rules.tree import Call, Tree, text
from tests.support.random_rules import ITEM_FIELDS, REQUEST_FIELDS, conditions, values
from tests.support.rule_reference import value

TOKENS = """
brand price available sources at segments attributes country x as select from interval distinct null true
and or not in is between like case when then else end if avg count countIf quantile coalesce match has
= != < > + - * / % || . , ( ) [ ] { } :: : ? -> ; -- /* ' '' 'x' " ` @ $ 1 0.5
"""
WORDS = [*TOKENS.split(), "\\", "\n", "\x00"]
WRITTEN = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join) | st.text(max_size=20)
FIELDS = [*ITEM_FIELDS, *REQUEST_FIELDS]
ROWS = st.lists(st.fixed_dictionaries({field.name: values(field) for field in FIELDS}), min_size=1, max_size=4)


@given(conditions(FIELDS), ROWS)
def test_a_condition_is_to_polars_what_it_is_to_the_reference(tree: Tree, rows: list[dict[str, Any]]) -> None:
    frame = pl.DataFrame(rows, schema={field.name: TYPES[field.type] for field in FIELDS})
    found = frame.with_columns(expression(tree, {}).alias("#")).get_column("#").to_list()
    assert found == [value(tree, row) for row in rows]


@given(conditions(FIELDS))
def test_a_condition_reads_back_as_it_is_written(tree: Tree) -> None:
    assert flat(read(text(tree), "item")) == flat(tree)


def flat(tree: Tree) -> Tree:
    """With chains of one connector as one call, and no repeats in IN."""
    if not isinstance(tree, Call):
        return tree
    parts = [flat(part) for part in tree.arguments]
    if tree.function in ("and", "or", "concat"):
        parts = [
            below
            for part in parts
            for below in (part.arguments if isinstance(part, Call) and part.function == tree.function else (part,))
        ]
    return Call(tree.function, tuple(parts), tree.type)


def test_nan_is_told_from_null() -> None:
    frame = pl.DataFrame({"score": [math.nan, None, 1.0], "price": [None, 0.0, 0.0]})
    conditions = {
        "score = score": [False, None, True],
        "score != score": [True, None, False],
        "not (score > 0)": [True, None, False],
        "score in (1, 2)": [False, None, True],
        "isNaN(score)": [True, None, False],
        "score is null": [False, True, False],
        "score / 0 > 0": [False, None, True],
        "0 / 0 = 0 / 0": [False, False, False],
        "score > 0 / price": [None, None, False],
        "score != 0 / price": [None, None, True],
        "not (0 / price = score)": [None, None, True],
    }
    for condition, wanted in conditions.items():
        made = frame.with_columns(expression(read(condition, "item"), {}).alias("#"))
        assert made.get_column("#").to_list() == wanted, condition


@given(WRITTEN, st.sampled_from(["item", "slate"]))
def test_whatever_is_written_is_understood_or_refused_with_a_place(written: str, where: Where) -> None:
    refused = Mistake("", -1)
    try:
        tree = read(written, where)
    except Mistake as mistake:
        refused = mistake
    else:
        assert tree.type == "boolean"
        return
    assert 0 <= refused.offset <= len(written)
    assert refused.message


@pytest.mark.parametrize(("left", "right", "rest"), [(7, 3, 1), (-7, 3, -1), (7, -3, 1), (-7.5, 2, -1.5), (6, 3, 0)])
def test_a_remainder_has_the_sign_of_what_is_divided(left: float, right: float, rest: float) -> None:
    frame = pl.DataFrame({"price": [float(left)], "k": [float(right)]})
    made = frame.select(expression(read(f"price % k = {rest}", "item"), {}).alias("#"))
    assert made.item() is True
