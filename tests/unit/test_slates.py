"""What two answers have in common."""

import pytest

from rectrace.console.slates import compare


def test_what_differs() -> None:
    told = compare(["a", "b", "c", "d"], ["b", "a", "x", "d", "y"])
    assert (told.only_left, told.only_right) == (["c"], ["x", "y"])
    assert told.moves == {"a": -1, "b": 1, "d": 0}
    assert told.overlap is not None
    assert 0 < told.overlap < 1
    assert told.sentence().startswith(
        "3 items in both, 2 of them at another place; 1 only left, 2 only right. Overlap 0."
    )


def test_the_same_nothing_in_common_and_nothing_at_all() -> None:
    same, other, one, empty = compare("abc", "abc"), compare("abc", "xyz"), compare("abc", ""), compare("", "")
    assert same.overlap == pytest.approx(1)
    assert same.sentence() == "Both are the same."
    assert (other.overlap, other.moves, other.only_right) == (0, {}, ["x", "y", "z"])
    assert (one.overlap, one.only_left) == (0, ["a", "b", "c"])
    assert (empty.overlap, empty.sentence()) == (None, "Both are empty.")


def test_the_sides_can_be_changed_over() -> None:
    there, back = compare("abcd", "dax"), compare("dax", "abcd")
    assert there.overlap == pytest.approx(back.overlap)
    assert (there.only_left, there.moves) == (back.only_right, {item: -move for item, move in back.moves.items()})


def test_of_an_item_that_is_there_twice_the_first_place_counts() -> None:
    told = compare(["a", "b", "a"], ["b", "c", "c", "a", "b"])
    assert told.moves == {"a": -3, "b": 1}
    assert told.only_right == ["c"]
