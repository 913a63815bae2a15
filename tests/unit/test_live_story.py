"""What is told of the newest minute, and of whom it is news."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rectrace.console import charts, live_story
from rectrace.console.live_story import NONE, Counts, Live
from rectrace.console.sharing import Shared

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
GOOD = Counts(6_000, 6_000, 6, 30, 12, 18, 80.0)


def live(now: Counts, before: Counts = GOOD, earlier: str = "one hour earlier") -> Live:
    return Live(NOON, earlier, now, before, {}, [], [], [], [], [], evaluated=NOON)


def windows(*ago: int) -> list[datetime]:
    """Those of the minutes that end so many seconds before noon."""
    return [NOON - timedelta(seconds=each + 10 * n) for each in ago for n in range(1, 7)]


@pytest.mark.parametrize(
    ("there", "ago"),
    [
        (windows(0, 60, 600, 3_600), 3_600),
        (windows(0, 60, 600), 600),
        (windows(0, 60), 60),
        (windows(0), 0),
        (windows(60)[:3], 60),
        (windows(60)[:2], 0),
        ([], 0),
    ],
)
def test_it_is_compared_with_the_furthest_that_had_requests(there: list[datetime], ago: int) -> None:
    assert live_story.comparable(there, NOON) == ago


def tones(now: Counts, before: Counts = GOOD) -> dict[str, str]:
    return {figure.name: figure.tone for figure in live_story.figures(live(now, before)) if figure.tone}


def test_only_what_is_more_than_chance_is_marked() -> None:
    assert tones(GOOD) == {}
    assert tones(replace(GOOD, empty=12, requests=5_800)) == {}
    assert tones(replace(GOOD, empty=60, short=300)) == {"empty": "bad", "short": "bad"}
    assert tones(GOOD, replace(GOOD, fallback=300)) == {"fallback": "good"}
    assert tones(replace(GOOD, failed=100)) == {"error": "bad"}
    assert tones(replace(GOOD, requests=3_000)) == {"requests/s": "bad"}
    assert tones(replace(GOOD, requests=60, responses=60), replace(GOOD, requests=62, responses=62)) == {}
    assert tones(replace(GOOD, p95=130.0)) == {"p95": "bad"}
    assert tones(replace(GOOD, p95=95.0)) == {}
    assert tones(Counts(20, 20, 0, 0, 0, 0, 130.0), Counts(20, 20, 0, 0, 0, 0, 80.0)) == {}


def test_figures_say_what_they_are_compared_with() -> None:
    shown = {figure.name: (figure.value, figure.before) for figure in live_story.figures(live(GOOD))}
    assert shown == {
        "requests/s": ("100.0", "100.0"), "empty": ("0.1%", "0.1%"), "short": ("0.5%", "0.5%"),
        "fallback": ("0.2%", "0.2%"), "error": ("0.3%", "0.3%"), "p95": ("80 ms", "80 ms"),
    }  # fmt: skip
    nothing = live_story.figures(live(NONE, NONE, ""))
    assert [(figure.value, figure.before) for figure in nothing] == [("0.0", "")] + [("-", "")] * 5


def test_the_counts_of_a_placement_or_of_all() -> None:
    def row(place: str, requests: int, *, is_all: bool = False, is_now: bool = True) -> dict[str, Any]:
        names = ("responses", "empty_ones", "short_ones", "fallbacks", "failures")
        return {**dict.fromkeys(names, 0), "place": place, "requests": requests, "is_all": is_all, "is_now": is_now,
                "p95": None}  # fmt: skip

    rows = [row("", 7, is_all=True, is_now=False), row("home", 3), row("", 2), row("", 5, is_all=True)]
    assert live_story.chosen(rows, "", now=True).requests == 5
    assert live_story.chosen(rows, "home", now=True).requests == 3
    assert live_story.chosen(rows, "", now=False).requests == 7
    assert live_story.chosen(rows, "home", now=False) == NONE


def test_segments_lose_by_more_than_chance() -> None:
    def row(name: str, requests: int, bad: int) -> dict[str, Any]:
        return {"place": "home", "name": name, "requests": requests, "bad": bad, "rest_requests": 900, "rest_bad": 9}

    (lost,) = live_story.worse([row("country=DE", 100, 21), row("country=FR", 100, 3), row("country=MT", 2, 1)])
    assert (lost["segment"], lost["bad"], lost["others"]) == ("country=DE", 21.0, 1.0)
    assert lost["lost"] == pytest.approx(20)
    assert len(live_story.worse([row(f"s={n}", 100, 50) for n in range(20)])) == live_story.SHOWN


def test_a_source_that_brings_nothing_any_more_is_still_there() -> None:
    def row(source: str, retrieved: int, served: int) -> dict[str, Any]:
        return {"source": source, "requests": 10, "retrieved": retrieved, "in_list": served}

    ann, gone = live_story.yields([row("ann", 400, 40)], [row("ann", 400, 20), row("covisit", 300, 30)])
    assert (ann["retrieved"], ann["served"], ann["yield"], ann["yield_before"]) == (40.0, 4.0, 10.0, 5.0)
    assert (gone["source"], gone["retrieved"], gone["yield"], gone["yield_before"]) == ("covisit", 0.0, None, 10.0)


def test_new_violations_come_first() -> None:
    def row(rule: str, severity: str, found: int, before: int, of_before: int = 50) -> dict[str, Any]:
        return {"rule_id": rule, "severity_name": severity, "found": found, "of": 100, "found_before": before,
                "of_before": of_before, "examples": ["r"]}  # fmt: skip

    rows = [
        row("old", "page", 50, 20),
        row("info", "info", 9, 0),
        row("new", "page", 2, 0),
        row("first", "page", 3, 0, 0),
    ]
    told = live_story.violated(rows)
    assert [(each["rule"], each["new"]) for each in told] == [
        ("new", True), ("info", True), ("old", False), ("first", False),
    ]  # fmt: skip
    assert (told[2]["share"], told[2]["share_before"], told[3]["share_before"]) == (50.0, 40.0, None)


def test_the_funnel_has_the_first_component_on_top() -> None:
    def row(name: str, taken: int, passed: int, before: int) -> dict[str, Any]:
        return {"stage_name": name, "name": name, "calls": 10, "calls_before": 10 if before else 0, "taken": taken,
                "taken_before": before * 2, "passed": passed, "passed_before": before, "failures": 1,
                "failures_before": 0}  # fmt: skip

    source, stage = live_story.funnel([row("ann", 0, 400, 300), row("stock", 400, 100, 0)])
    assert (source["taken"], source["yield"], source["passed"], source["passed_before"]) == (None, None, 40.0, 30.0)
    assert (stage["yield"], stage["yield_before"], stage["failed"]) == (25.0, None, 10.0)
    options = charts.funnel([source, stage])
    assert options["yAxis"]["data"] == ["stock", "ann"]
    assert [each["data"] for each in options["series"]] == [[None, 30.0], [10.0, 40.0]]


def test_who_asks_the_same_meanwhile_gets_the_same_answer() -> None:
    async def journey() -> None:
        shared: Shared[int] = Shared(0.2)
        asked: list[str] = []

        async def ask(fails: bool = False) -> int:
            asked.append("")
            await asyncio.sleep(0.02)
            if fails:
                raise ValueError("away")
            return len(asked)

        assert await asyncio.gather(*(shared.get("home", ask) for _ in range(3))) == [1, 1, 1]
        assert await shared.get("home", ask) == 1
        assert await shared.get("cart", ask) == 2
        await asyncio.sleep(0.25)
        first = asyncio.ensure_future(shared.get("home", ask))
        await asyncio.sleep(0.01)
        other = asyncio.ensure_future(shared.get("home", ask))
        await asyncio.sleep(0)
        first.cancel()  # has gone: the other one still hears
        assert await other == 3
        failed = await asyncio.gather(
            *(shared.get("away", lambda: ask(fails=True)) for _ in range(2)), return_exceptions=True
        )
        assert [str(each) for each in failed] == ["away", "away"]
        assert await shared.get("away", ask) == 5

    asyncio.run(journey())
