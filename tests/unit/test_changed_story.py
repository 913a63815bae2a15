"""What changed, in words: the headline of an alert, and the sentences beside it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rectrace.changed_facts import Amount, Cause, Novelty, Pair, Slice, Sums, amount, causes, changed, within
from rectrace.changed_looks import bad_looks
from rectrace.changed_metrics import METRICS, share_above
from rectrace.changed_story import Asked, ChangedStory, Mix, headline, says, sentences
from sinks.clickhouse.changes import LEVELS
from streams.detect.mix import Moved
from streams.detect.suspects import SIGNALS, Deviation, Signal, deviations

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
COUNTRY = Cause("country", (Slice("DE", 0.97, 400, 0.01, 0.6),), 0.97, 4.8)
REGION = Deviation("filtering", "region", "yield", "", 0.8, 0.41, -20.0, ("home",))
QUIET = ChangedStory(
    Asked(METRICS["empty"], "", NOON, NOON + HOUR, NOON - HOUR, NOON), NOON + HOUR, 0, Amount(0.004, 8, 2_000, None),
    Amount(0.004, 8, 2_000, None), False, (), (), Mix("", 0.0, ()), (), (), ("home",), (),
)  # fmt: skip


def story(**fields: Any) -> ChangedStory:
    return replace(QUIET, **fields)


def test_the_headline_names_the_metric_the_segment_and_the_suspect() -> None:
    told = story(changed=True, now=Amount(0.12, 240, 2_000, None), causes=(COUNTRY,), deviations=(REGION,))
    assert headline(told) == (
        "empty responses 12% (240 of 2,000), was 0.40% (8 of 2,000); 97% of it in country=DE; "
        "suspect filtering/region: passes 41% of candidates (was 80%)"
    )
    assert "\n" not in headline(told)


def test_in_a_small_segment_the_requests_that_show_it_tell_who_did_it() -> None:
    """Of all requests only a consequence deviates; of the bad ones what was before it."""
    gone = Deviation("filtering", "stock", "dropped", "sold_out", 0.05, 0.7, 9.0, ("home",))
    later = Deviation("cutoff", "top_k", "empty", "", 0.0, 0.03, 6.0, ("home",))
    told = story(changed=True, now=Amount(0.03, 60, 2_000, None), deviations=(later,), of_bad=(gone, later))
    assert headline(told).endswith("; suspect filtering/stock: in them it drops 70% as sold_out (was 5.0%)")
    both = story(changed=True, deviations=(replace(gone, now=0.2), later), of_bad=(gone, later))
    assert headline(both).endswith("; suspect filtering/stock: drops 20% as sold_out (was 5.0%)")
    assert headline(story(deviations=(later,))).endswith(
        "; but cutoff/top_k deviates: puts out nothing in 3.0% (was 0%)"
    )


def bad_row(stage: str, component: str, side: int, **numbers: float) -> dict[str, Any]:
    zero = dict.fromkeys(("events", "failed", "fallbacks", "zero_out", "n_out", "n_in", "duration", "dropped"), 0.0)
    return {"placement": "home", "stage": stage, "component": component, "reason": "", "is_now": side} | zero | numbers


def test_drops_of_bad_requests_are_shares_of_what_sources_found() -> None:
    rows = [bad_row("request", "api", 0, events=500), bad_row("request", "api", 1, events=60)]
    rows += [bad_row("retrieval", "ann", side, events=n, n_out=n * 100) for side, n in ((0, 500), (1, 60))]
    rows += [bad_row("filtering", "region", side, events=n, n_out=n * 50) for side, n in ((0, 500), (1, 60))]
    rows += [bad_row("filtering", "region", 0, dropped=2_500) | {"reason": "blocked"}]
    rows += [bad_row("filtering", "region", 1, dropped=4_800) | {"reason": "blocked"}]
    (found,) = deviations(bad_looks(rows), lambda stage, component: (0.0,))
    assert (found.component, found.what, found.before, found.now) == ("region", "blocked", 0.05, 0.8)


def test_when_nothing_deviates_it_says_so() -> None:
    assert headline(QUIET) == "empty responses 0.40% (8 of 2,000), not changed: was 0.40% (8 of 2,000)"
    assert sentences(QUIET) == ["Nothing deviates: neither the metric nor any component, reason, version or arm."]
    assert sentences(story(incomplete=2))[0].endswith("2 windows of it are incomplete: a partition made no progress.")


def test_what_can_only_be_said_in_part() -> None:
    even = story(changed=True, now=Amount(0.12, 240, 2_000, None))
    assert sentences(even) == [
        "No segment, experiment arm or placement stands out: the change is in all of them.",
        "No component deviates: none is missing, fails, loses or takes more than before.",
    ]
    assert "nothing to compare with" in headline(story(before=None))
    assert "no sealed requests" in headline(story(now=None))
    assert sentences(story(now=None, incomplete=0)) == ["There were no sealed requests in that time."]


def test_versions_and_reasons() -> None:
    new = Novelty("2.1.0", "ranker", 0.0, 0.46, "experiment.ranker=v2")
    gone, grown = Novelty("2.0.0", "ranker", 0.5, 0.0), Novelty("experiment.x=b", "", 0.02, 0.4)
    lost = Moved(("region", "dropped", "region_blocked"), 0.05, 0.75, 0.3, 20.0)
    told = story(novelties=(new, gone, grown), mix=Mix("country=DE", 0.4, (lost,)))
    assert headline(told).endswith("; ranker 2.1.0 appeared (46% of its events, only in experiment.ranker=v2)")
    assert sentences(told)[1:] == [
        "What moved most in how candidates are lost in country=DE: "
        "region_blocked by region, 5.0% of them before, now 75%.",
        "ranker 2.1.0 appeared (46% of its events, only in experiment.ranker=v2).",
        "ranker 2.0.0 vanished (was 50% of its events).",
        "experiment.x=b grew from 2.0% to 40% of requests.",
    ]


@pytest.mark.parametrize("signal", SIGNALS)
def test_every_signal_has_its_words(signal: Signal) -> None:
    told = says(Deviation("scoring", "ranker", signal, "some_reason", 0.25, 0.5, 9.0, ("home",)))
    assert "50%" in told or "0.5" in told or "one score" in told or "0 ms" in told


def pair(before: tuple[float, float], now: tuple[float, float]) -> Pair:
    """Of (bad, requests)."""
    return Pair(*(Sums(part, whole, whole) for part, whole in (before, now)))


def test_a_change_is_more_than_chance_and_matters() -> None:
    empty, requests, latency = METRICS["empty"], METRICS["requests"], METRICS["latency"]
    assert changed(empty, pair((0, 2_000), (15, 2_000)))
    assert not changed(empty, pair((0, 2_000), (2, 2_000)))
    assert not changed(empty, pair((500_000, 1e7), (510_000, 1e7)))
    assert not changed(empty, pair((0, 0), (15, 2_000)))
    assert changed(requests, pair((1_000, 1_000), (1_300, 1_300)))
    assert not changed(requests, pair((1_000, 1_000), (1_050, 1_050)))
    assert changed(latency, pair((100, 2_000), (900, 2_000)))


def test_a_segment_is_named_only_where_it_stands_out() -> None:
    def split(de: tuple[float, float], rest: tuple[float, float]) -> dict[str, Pair]:
        """Bad now of 500 in DE and of 1,500 elsewhere; before 1 % everywhere."""
        cells = {"country=DE": pair((5, 500), de), "country=FR": pair((15, 1_500), rest)}
        return {**cells, "": Pair(*(a + b for a, b in zip(*cells.values(), strict=True)))}

    (found,) = causes(METRICS["empty"], split((200, 500), (15, 1_500)), {})
    assert (found.names, found.slices[0].before, found.slices[0].now) == ("country=DE", 0.01, 0.4)
    assert causes(METRICS["empty"], split((100, 500), (300, 1_500)), {}) == []
    at = {"home": pair((10, 1_000), (10, 1_000)), "cart": pair((10, 1_000), (200, 1_000))}
    assert [each.names for each in causes(METRICS["empty"], split((53, 500), (157, 1_500)), at)] == ["placement=cart"]


def test_what_was_chosen_out_of_many_must_stand_out_by_more() -> None:
    def ages(bad: Sequence[float]) -> dict[str, Pair]:
        cells = {f"age_band={number}": pair((0, 8), (each, 8)) for number, each in enumerate(bad)}
        return {**cells, "": pair((0, 8 * len(bad)), (sum(bad), 8 * len(bad)))}

    # 10 of 16 against 4 of 32: a difference of 3.7 times its deviation
    assert causes(METRICS["failed"], ages([5, 5, 1, 1, 1, 1]), {}) == []
    assert [each.names for each in causes(METRICS["failed"], ages([7, 7, 1, 1, 1, 1]), {})] == ["age_band=0, 1"]


def test_requests_that_say_nothing_of_a_segment_are_an_element() -> None:
    cells = {"": pair((20, 2_000), (400, 2_000)), "country=DE": pair((10, 1_000), (10, 1_000))}
    assert [each.names for each in causes(METRICS["empty"], cells, {})] == ["country=(none)"]


def test_a_version_is_within_an_arm_only_if_nearly_all_of_both() -> None:
    def rows(v2: int, ios: int) -> list[dict[str, Any]]:
        named = {"": (1_000, 400), "experiment.ranker=v2": (400, v2), "device=ios": (700, ios)}
        return [{"element": name, "requests": n, "affected": bad} for name, (n, bad) in named.items()]

    assert within(rows(400, 280)) == "experiment.ranker=v2"
    assert within(rows(160, 280)) == ""
    assert within([]) == ""


def test_amounts_and_their_intervals() -> None:
    share = amount(METRICS["empty"], Sums(15, 148, 148))
    assert share.value == 15 / 148
    assert share.interval is not None
    assert tuple(share.interval) == pytest.approx((0.0624, 0.1605), abs=1e-4)
    count = amount(METRICS["requests"], Sums(400, 400, 400))
    assert count.value == 400
    assert count.interval is not None
    assert tuple(count.interval) == pytest.approx((360.8, 439.2))
    assert amount(METRICS["served"], Sums(300, 100, 100)).interval is None


def test_the_share_of_slow_requests_from_quantiles() -> None:
    uniform = [level * 1_000 for level in LEVELS]  # 10, 20, ..., 990 ms
    assert share_above(uniform, 950) == pytest.approx(0.05)
    assert share_above(uniform, 505) == pytest.approx(0.495)
    assert share_above(uniform, 5_000) == pytest.approx(0.01)
    assert share_above(uniform, 1) == pytest.approx(0.99)
    assert share_above([7.0] * len(LEVELS), 7.0) == pytest.approx(0.01)
