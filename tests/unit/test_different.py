"""What is commoner among the bad ones, beyond chance."""

from typing import Any

import pytest

from rectrace.different import Q, differences, sentence
from streams.detect.proportion import Share, likelihood
from streams.detect.tails import two_sided


def row(field: str, name: str, value: str, bad: int, rest: int, *, looks: int = 40) -> dict[str, Any]:
    return {
        "field": field, "name": name, "value": value, "bad_with": bad, "rest_with": rest,
        "looks": looks, "example": "r1" if bad else "",
    }  # fmt: skip


def test_what_explains_most_comes_first_and_what_may_be_chance_last() -> None:
    told = differences(
        50,
        5_000,
        [
            row("segment", "device", "ios", 27, 2_300),
            row("segment", "country", "FR", 0, 1_000),
            row("drops many", "eligibility", "20 as region_blocked", 40, 100),
            row("segment", "country", "DE", 50, 1_000),
            row("version", "ranker", "1.4.0", 50, 4_990),
        ],
        {},
    )
    assert [(each.says, each.sure) for each in told.found] == [
        ("country=DE", True), ("eligibility drops more than 20 as region_blocked", True), ("country=FR", True),
        ("device=ios", False), ("ranker 1.4.0", False),
    ]  # fmt: skip
    best = told.found[0]
    assert (best.bad, best.rest, best.explains, best.likely) == (1.0, 0.2, 0.8, 5.0)
    assert best.interval.low < 0.8 < best.interval.high
    assert [each.says for each in told.sure] == ["country=DE", "eligibility drops more than 20 as region_blocked"]
    assert sentence(told, "empty requests") == (
        "Commoner among empty requests than among the others: country=DE (100% against 20%); eligibility drops more "
        "than 20 as region_blocked (80% against 2.0%)."
    )


def test_more_looks_ask_for_more() -> None:
    """The same deviation, among few values and among thousands of which few rows are left."""
    deviates = row("segment", "city", "Ulm", 8, 180, looks=5), row("segment", "city", "Rom", 20, 2_000, looks=5)
    p = two_sided(likelihood(Share(180, 5_000, 5_000), Share(8, 50, 50)))
    assert Q / 5_000 < p < Q / 5
    assert [each.value for each in differences(50, 5_000, deviates, {}).sure] == ["Ulm"]
    many = differences(50, 5_000, [{**each, "looks": 5_000} for each in deviates], {})
    assert many.sure == []
    assert sentence(many, "slow requests").endswith("beyond chance (5,000 values compared).")


def test_what_the_bad_ones_were_chosen_by_is_no_difference() -> None:
    told = differences(
        50,
        5_000,
        [
            row("source", "covisit", "finds nothing", 50, 0),
            row("component", "covisit", "timeout", 50, 0),
            row("source", "content", "finds nothing", 45, 0),
            row("version", "covisit", "3.0.0", 44, 0),
            row("segment", "app", "8.4", 43, 0),
        ],
        {},
    )
    assert [each.says for each in told.beside("covisit").sure] == [
        "source content finds nothing",
        "covisit 3.0.0",
        "app=8.4",
    ]


def test_nothing_to_compare() -> None:
    told = differences(0, 0, [], {})
    assert (told.bad, told.rest, told.found) == (0, 0, ())


def test_what_none_of_the_rest_has_has_no_factor() -> None:
    (only,) = differences(50, 5_000, [row("missing", "mmr", "", 50, 0)], {}).found
    assert only.explains == pytest.approx(1.0)
    assert (only.likely, only.says) == (None, "mmr expected and not seen")


def test_what_explains_as_much_is_in_the_order_of_the_pipeline() -> None:
    """A ranker that times out: what comes after it follows from it."""
    told = differences(
        50,
        5_000,
        [
            row("component", "api", "fallback", 50, 0),
            row("component", "mmr", "sends nothing", 50, 0),
            row("component", "ranker", "takes more than 53 ms", 50, 10),
            row("component", "ranker", "timeout", 50, 0),
            row("served by", "", "fallback", 50, 0),
            row("segment", "country", "DE", 30, 0),
        ],
        {"ranker": 5, "mmr": 6, "api": 7},
    )
    assert [each.says for each in told.found] == [
        "ranker timeout", "ranker takes more than 53 ms", "api fallback", "served by fallback", "mmr sends nothing",
        "country=DE",
    ]  # fmt: skip
