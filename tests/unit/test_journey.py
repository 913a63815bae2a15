"""The pipeline order of a placement, and configuration as SQL."""

import pytest

from schemas.pipeline import STAGES
from sinks.clickhouse.journey import Journey, complete


def test_an_order_of_all_stages_is_taken_as_it_is() -> None:
    order = [*STAGES[:3], "scoring", "filtering", *STAGES[5:]]
    assert complete(order) == order


@pytest.mark.parametrize(
    ("named", "whole"),
    [
        ([], list(STAGES)),
        (["request", "retrieval", "scoring", "filtering", "response"],
         ["request", "retrieval", "merging", "scoring", *STAGES[5:9], "filtering", "response"]),
        (["request", "retrieval", "ann", "covisit", "response"],
         ["request", "retrieval", "ann", "covisit", *STAGES[2:]]),
        (["covisit", "ann"], ["request", "covisit", "ann", *STAGES[1:]]),
    ],
)  # fmt: skip
def test_what_an_order_leaves_out_follows_what_usually_comes_before_it(named: list[str], whole: list[str]) -> None:
    assert complete(named) == whole
    assert set(STAGES) <= set(complete(named))


def test_orders_are_by_placement_with_a_default() -> None:
    journey = Journey(orders={"home": ["request", "ann"], "*": ["request", "it's"]})
    merged = journey.merge("(SELECT 1)")
    assert "multiIf(placement = 'home', ['request', 'ann', 'retrieval'" in merged
    assert "['request', 'it\\'s', 'retrieval'" in merged


def test_fates_know_stages_only() -> None:
    fates = Journey(orders={"home": ["request", "ann"]}).fates("SELECT 1")
    assert "multiIf(placement = 'home', ['request', 'retrieval'" in fates
    assert "'ann'" not in fates


def test_every_placeholder_is_filled_in() -> None:
    journey = Journey(expected={"home": ["ann"]})
    assert "$" not in journey.merge("(SELECT 1)") + journey.fates("SELECT 1")
