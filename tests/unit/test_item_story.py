"""Why an item is not shown, in words: the share of its candidacies, how they ended, what changed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rectrace.item_story import Asked, ItemStory, newest_sealed, tell_item

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def ending(fate: str, now: int, before: int, **fields: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "fate": fate, "stage": "filtering", "component": "stock", "reason": "gone", "now": now, "before": before,
        "mean_rank": None, "mean_score": None, "mean_position": None, "examples": [],
    }  # fmt: skip
    return row | fields


def told(
    endings: list[dict[str, Any]], requests: int = 100, before: int = 200, *, entry: dict[str, Any] | None = None,
    segment: str = "", placement: str = "", sealed: datetime | None = NOON,
) -> ItemStory:  # fmt: skip
    asked = Asked("g1", segment, placement, NOON - timedelta(minutes=15), NOON)
    sources = [{"source": "ann", "now": 4, "before": 1, "served": 2, "alone": 3}]
    return tell_item(asked, {"now": requests, "before": before, "sealed": sealed}, endings, sources, entry)


def test_how_often_where_it_ends_and_what_changed() -> None:
    story = told([ending("dropped", 30, 5), ending("served", 10, 45)])
    assert story.sentences() == [
        "A candidate in 40 of 100 requests (40.0%), served in 10 (25.0% of those).",
        "Mostly dropped in filtering by stock: gone (30 times, 75% of its candidacies).",
        "Before, a candidate in 50 of 200 requests (25.0%), served in 45 (90.0%).",
        "Most grown: dropped in filtering by stock: gone, from 10% to 75% of its candidacies.",
    ]
    assert [(each.share, each.share_before) for each in story.endings] == [(0.75, 0.1), (0.25, 0.9)]


def test_where_is_said() -> None:
    first = told([ending("served", 1, 0)], segment="country=DE", placement="home").sentences()[0]
    assert first == "A candidate in 1 of 100 requests in country=DE at home (1.0%), served in 1 (100.0% of those)."


def test_a_change_below_a_tenth_is_not_worth_a_sentence() -> None:
    assert len(told([ending("served", 50, 50), ending("dropped", 50, 59)]).sentences()) == 3


def test_served_always_has_no_mostly() -> None:
    assert not [each for each in told([ending("served", 9, 9)]).sentences() if each.startswith("Mostly")]


def test_no_source_brought_it() -> None:
    assert told([], entry={"title": "T", "available": True}).sentences() == [
        "No source brought it in any of 100 requests.",
        "Before, a candidate in 0 of 200 requests (0.0%), served in 0.",
    ]
    assert told([], placement="cart").sentences()[0] == (
        "No source brought it in any of 100 requests at cart. The catalogue does not know it either: is the id right?"
    )


def test_an_item_that_went_away() -> None:
    story = told([ending("served", 0, 7)])
    assert story.sentences()[0].startswith("No source brought it in any of 100 requests.")
    assert story.sentences()[-1] == "Before, a candidate in 7 of 200 requests (3.5%), served in 7 (100.0%)."


def test_no_requests_and_nothing_to_compare_with() -> None:
    assert told([], requests=0).sentences() == ["There were no sealed requests in that time."]
    assert told([ending("served", 1, 0)], before=0).sentences()[-1] == (
        "There is nothing to compare with: no requests in the time before."
    )


@pytest.mark.parametrize(
    ("sealed", "behind"),
    [(NOON, False), (NOON - timedelta(seconds=59), False), (NOON - timedelta(seconds=61), True), (None, True)],
)
def test_behind_is_told_by_what_is_sealed(sealed: datetime | None, behind: bool) -> None:
    assert told([], sealed=sealed).behind is behind
    if sealed:
        assert told([], sealed=sealed.replace(tzinfo=None)).behind is behind, "the driver may leave the zone out"


@pytest.mark.parametrize(
    ("sealed_ago", "end_ago"),
    [(0, 0), (15, 15), (60, 60), (61, 0), (3_600, 0), (-3_600, 0), (None, 0)],
)
def test_a_span_ends_where_the_seal_is_unless_that_is_far_behind(sealed_ago: int | None, end_ago: int) -> None:
    """Else the part that is not sealed yet would look like less traffic than before."""
    sealed = None if sealed_ago is None else NOON - timedelta(seconds=sealed_ago)
    assert newest_sealed(NOON, sealed) == NOON - timedelta(seconds=end_ago)


def test_the_catalogue_entry_is_in_it() -> None:
    story = told([], entry={"title": "Vest", "available": False})
    assert (story.known, story.title, story.available) == (True, "Vest", False)
    assert (told([]).known, told([]).available) == (False, None)


def test_json_is_flat_and_has_the_sentences() -> None:
    story = told([ending("served", 1, 1)])
    data = story.as_json()
    assert (data["item"], data["until"], data["requests"]) == ("g1", NOON, 100)
    assert data["sentences"] == story.sentences()
    assert data["sources"] == [{"source": "ann", "now": 4, "before": 1, "served": 2, "alone": 3}]


@pytest.mark.parametrize(
    ("endings", "requests", "healthy", "verdict"),
    [
        ([], 0, None, "Nothing can be said of g1: there were no sealed requests."),
        ([], 100, None, "g1 is not shown because no source brings it: in none of 100 requests."),
        (
            [ending("served", 0, 50)], 100, False,
            "g1 is not shown because no source brings it: in none of 100 requests, of 200 before in 50.",
        ),
        (
            [ending("dropped", 30, 0), ending("cut", 10, 0)], 100, False,
            "g1 is not shown: of its 40 candidacies 75% were dropped in filtering by stock: gone.",
        ),
        (
            [ending("dropped", 70, 5), ending("served", 10, 95)], 100, False,
            "g1 is shown much less than before: served in 12% of its candidacies, before in 95%; now 88% of them are "
            "dropped in filtering by stock: gone, before 5%.",
        ),
        (
            [ending("served", 5, 100)], 100, False,
            "g1 is shown less because sources bring it less: in 5.0% of requests, before in 50.0%.",
        ),
        ([ending("served", 40, 95)], 100, True, "g1 is shown: served in 40 of 100 requests (40.0%)."),
        (
            [ending("dropped", 3, 1), ending("served", 1, 3)], 100, True,
            "g1 is shown: served in 1 of 100 requests (1.0%).",
        ),
    ],
)  # fmt: skip
def test_verdict(endings: list[dict[str, Any]], requests: int, healthy: bool | None, verdict: str) -> None:
    """What may be chance, as of few candidacies, is not called ill."""
    story = told(endings, requests)
    assert (story.healthy, story.verdict()) == (healthy, verdict)


def test_a_verdict_on_what_is_not_available() -> None:
    gone = told([], entry={"title": "Silk Top", "available": False})
    assert gone.healthy is False
    assert gone.verdict() == (
        "g1 (Silk Top) is not shown because no source brings it: in none of 100 requests. "
        "The catalogue says that it is not available."
    )
