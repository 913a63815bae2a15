"""What a terminal is given: nothing that it would obey or that rich would read as markup, ids whole in any width."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console, RenderableType

from rectrace import show
from rectrace.item_story import Asked, tell_item
from rectrace.story import tell

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
ODD = ["[/b]", "[red]x", ":smile:", "\x1b[31mred", "a\tb", "\x07\x9b", "名前"]
LONG = "0123456789abcdef-0123456789abcdef"


def printed(renderable: RenderableType, width: int) -> str:
    """As `show.console()` would print it on a terminal of that width, without colours."""
    file = io.StringIO()
    Console(file=file, width=width, highlight=False, markup=False, emoji=False).print(renderable)
    return file.getvalue()


def request(request_id: str, at: datetime = NOON, **fields: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "request_id": request_id, "at": at, "placement": "home", "user_id": "u", "statuses": [], "n_served": 1, "k": 2,
        "total_ms": 5.0, "segments": {"country": "DE"}, "experiments": {}, "position": 0,
    }  # fmt: skip
    return row | fields


def story(item: str, request_id: str = "r") -> Any:
    stage = {
        "stage": "response", "component": item, "version": item, "attempt": 1, "ts": NOON, "duration_ms": 1.0,
        "status": "error", "error": item, "n_in": None, "n_out": 1, "has_items": True, "items": [item], "scores": [],
        "dropped": {item: ["z"]}, "dropped_counts": {}, "adjustments": [],
    }  # fmt: skip
    trace = {
        "request_id": request_id, "at": NOON, "placement": item, "user_id": item, "k": 2, "segments": {item: item},
        "experiments": {}, "responded": True, "served_by": "fallback", "n_served": 1, "total_ms": None,
        "statuses": ["error"], "missing": [item], "conflicts": 1, "stages": [stage],
    }  # fmt: skip
    fate = {
        "item": item, "fate": "served", "stage": "response", "component": "", "reason": "", "position": 1,
        "score": None, "model_rank": 0, "dropped_earlier": False,
    }  # fmt: skip
    gone = fate | {"item": "z", "fate": "dropped", "component": item, "reason": item, "position": 0}
    return tell(trace, [fate, gone], [], {item: {"title": item}})


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("width", [80, 140])
def test_odd_ids_are_shown_and_not_obeyed(odd: str, width: int) -> None:
    told = story(odd)
    letter = {"record_at": NOON, "reason": "empty", "field": odd, "component": odd, "message": odd, "topic": "t"}
    letter |= {"partition": 0, "offset": 1, "raw": b"x", "request_id": odd}
    ending = {"fate": "dropped", "stage": "s", "component": odd, "reason": odd, "now": 1, "before": 0}
    ending |= {"mean_rank": None, "mean_score": None, "mean_position": None, "examples": [odd]}
    asked = Asked(odd, "", "", NOON - timedelta(minutes=1), NOON)
    traffic = {"now": 1, "before": 1, "sealed": NOON}
    entry = {"title": odd, "available": False}
    views = [
        show.story(told, width),
        show.item_story(told, told.candidates[0]),
        show.requests([request(odd, user_id=odd)], odd, width),
        show.dead_letters([letter], width),
        show.item(tell_item(asked, traffic, [ending], [], entry), width),
    ]
    signs = odd.translate({0x1B: "␛", 0x07: "", 0x9B: "␡"}).replace("\t", " ").split()
    for view in views:
        text = printed(view, width)
        assert not [sign for sign in text if (ord(sign) < 32 and sign != "\n") or 127 <= ord(sign) < 160]
        assert all(sign in text for sign in signs)


@pytest.mark.parametrize("width", [60, 80, 110, 140, 200])
def test_request_ids_are_whole_in_any_width(width: int) -> None:
    rows = [request(LONG, statuses=["empty", "short", "no_response", "incomplete"]), request("r2")]
    assert LONG in printed(show.requests(rows, "", width), width)
    assert LONG in printed(show.requests(rows, "g1", width), width)
    assert LONG in printed(show.story(story("g1", LONG), width), width)


def test_times_have_their_date_where_there_are_several() -> None:
    one = printed(show.requests([request("a"), request("b", NOON - timedelta(hours=1))], "", 140), 140)
    assert "at 2026-06-01 UTC" in one
    assert "12:00:00.000" in one
    two = printed(show.requests([request("a"), request("b", NOON - timedelta(hours=13))], "", 140), 140)
    assert "06-01 12:00:00" in two
    assert "05-31 23:00:00" in two


def test_a_seal_that_is_behind_is_said() -> None:
    asked = Asked("g1", "", "", NOON - timedelta(minutes=5), NOON)

    def told(sealed: datetime | None) -> str:
        story = tell_item(asked, {"now": 1, "before": 1, "sealed": sealed}, [], [], None)
        return printed(show.item(story, 140), 140)

    assert "sealed until 2026-06-01 11:00:00: what came later is not counted yet" in told(NOON - timedelta(hours=1))
    assert "nothing is sealed yet" in told(None)
    assert "seal" not in told(NOON).replace("sealed requests", "")
