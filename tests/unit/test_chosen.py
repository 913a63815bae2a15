"""Pairs as text: what was joined is read again, whatever names and values hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.clickhouse import chosen

NAMES = st.text(alphabet=st.characters(exclude_characters="=", exclude_categories=["Cs"]), min_size=1, max_size=6)
VALUES = st.text(alphabet=st.sampled_from("a,=\\ é"), min_size=1, max_size=6)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=4))
def test_what_was_joined_is_read_again(pairs: list[chosen.Pair]) -> None:
    assert chosen.pairs(chosen.joined(pairs)) == pairs


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("", []),
        ("country=DE", [("country", "DE")]),
        ("country=DE,device=ios", [("country", "DE"), ("device", "ios")]),
        ("city=Paris, TX", [("city", "Paris, TX")]),
        (r"city=a\,b=c", [("city", "a,b=c")]),
        (r"path=C:\Temp", [("path", r"C:\Temp")]),
    ],
)
def test_what_people_write(text: str, pairs: list[chosen.Pair]) -> None:
    assert chosen.pairs(text) == pairs


@pytest.mark.parametrize("text", ["DE", "=DE", "country=", "country=DE,device="])
def test_what_is_no_pair_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not NAME=VALUE"):
        chosen.pairs(text)
