"""Signals from counts: pooling, history, what is frozen. All in memory."""

from collections.abc import Callable, Iterable

import pytest

from schemas.alerts import AlertCounts, AlertState, Latency, LetterCounts, PlacementCounts, StageCounts
from streams.alerts.model import Signal
from streams.alerts.signals import GAP_S, HISTORY_S, LEAST_HISTORY, SPAN, BuiltIn, CountedSignals, pooled
from streams.alerts.thresholds import Thresholds

T = 1_700_000_000
N = 70  # windows: history, gap and a few more
LAST = T + 10 * (N - 1)
WINDOWS = [T + 10 * n for n in range(N)]


def counts(
    n: Callable[[int], int] = lambda number: 100,
    requests: Callable[[int], int] = lambda number: 100,
    windows: Iterable[int] = WINDOWS,
    p95: Callable[[int], float] = lambda number: 50.0,
) -> AlertCounts:
    """ann at home, window number by window number; none where n gives 0."""
    made = AlertCounts(list(windows), [], [], [], [], [], [])
    for window in made.windows:
        number = (window - T) // 10
        if asked := requests(number):
            made.placements.append(PlacementCounts(window, "home", asked, asked, 0, 0, 0, 0))
            made.latencies.append(Latency(window, "home", "", "", p95(number), asked))
        if events := n(number):
            made.stages.append(StageCounts(window, "home", "retrieval", "ann", events, 0, 0))
    return made


def at(found: AlertCounts, name: str, window: int = LAST, active: Iterable[AlertState] = ()) -> Signal | None:
    signals = CountedSignals(found, Thresholds()).at(window, list(active))
    return next((signal for signal in signals if signal.definition.name == name), None)


def frozen(name: str, rate: float, **labels: str) -> AlertState:
    return AlertState(name, {"placement": "home", **labels}, "page", "firing", T, [(T, "b")], frozen=rate)


ANN = {"stage": "retrieval", "component": "ann"}


def test_enough_traffic_is_judged_window_by_window_and_thin_one_together() -> None:
    rows = {T: (1, 60), T + 10: (2, 30), T + 20: (4, 30)}
    windows = [T, T + 10, T + 20]
    assert pooled(rows, windows, lambda row: row, enough=30) == (4, 30)
    assert pooled(rows, windows, lambda row: row, enough=31) == (6, 60)
    assert pooled(rows, windows, lambda row: row, enough=1000) == (7, 120)
    assert pooled(rows, windows, lambda row: row, enough=1000, span=1) == (4, 30)


def test_what_is_older_than_the_span_is_not_pooled() -> None:
    found = counts(requests=lambda number: 1)
    signal = at(found, "EmptyResponses")
    assert signal is not None
    assert signal.total == SPAN


def test_a_window_without_news_of_a_placement_is_not_judged_for_it() -> None:
    found = counts(requests=lambda number: 0 if number == N - 1 else 100)
    assert at(found, "EmptyResponses") is None
    assert at(found, "EmptyResponses", LAST - 10) is not None


def test_incomplete_windows_are_as_if_they_were_not_there() -> None:
    found = counts(windows=[window for window in WINDOWS if window != LAST - 10], requests=lambda number: 40)
    signal = at(found, "EmptyResponses")
    assert signal is not None
    assert signal.total == 80


def test_silence_is_measured_by_requests_and_by_what_came_before() -> None:
    found = counts(n=lambda number: 0 if number >= N - 2 else 200)
    silent = at(found, "ComponentSilent")
    assert silent is not None
    assert (silent.labels, silent.value, silent.baseline) == ({"placement": "home", **ANN}, 0.0, 2.0)
    assert silent.text == {"expected": "200"}


def test_more_or_less_traffic_is_no_silence() -> None:
    found = counts(
        n=lambda number: 10 if number >= N - 2 else 100, requests=lambda number: 10 if number >= N - 2 else 100
    )
    silent = at(found, "ComponentSilent")
    assert silent is not None
    assert (silent.value, silent.baseline) == (1.0, 1.0)


def test_the_minute_before_is_no_history() -> None:
    gone = (LAST - GAP_S - T) // 10
    found = counts(n=lambda number: 0 if number >= gone else 100)
    silent = at(found, "ComponentSilent")
    assert silent is not None
    assert silent.baseline == 1.0


@pytest.mark.parametrize(("known", "mute"), [(LEAST_HISTORY - 1, True), (LEAST_HISTORY, False)])
def test_comparisons_are_mute_until_enough_is_known(known: int, mute: bool) -> None:
    first = (LAST - GAP_S - T) // 10 - known
    found = counts(
        n=lambda number: 100 if number >= first else 0, requests=lambda number: 100 if number >= first else 0
    )
    assert (at(found, "ComponentSilent") is None) is mute
    shift, collapse = at(found, "LatencyShift"), at(found, "TrafficCollapse")
    assert shift is not None
    assert (shift.baseline is None) is mute
    assert (collapse is None or collapse.baseline is None) is mute


def test_who_is_silent_for_longer_than_the_history_is_still_silent() -> None:
    found = counts(n=lambda number: 0)
    assert at(found, "ComponentSilent") is None
    silent = at(found, "ComponentSilent", active=[frozen("ComponentSilent", 0.5, **ANN)])
    assert silent is not None
    assert (silent.value, silent.total) == (0.0, 50.0)


def test_traffic_that_stays_away_for_longer_than_the_history_still_does() -> None:
    found = counts(requests=lambda number: 0, n=lambda number: 0)
    assert at(found, "TrafficCollapse") is None
    collapse = at(found, "TrafficCollapse", active=[frozen("TrafficCollapse", 300.0)])
    assert collapse is not None
    assert (collapse.value, collapse.total, collapse.baseline) == (0, 300.0, None)


def test_traffic_is_summed_over_half_a_minute_and_compared_with_the_median() -> None:
    found = counts(requests=lambda number: 1000 if number == 5 else 10 if number >= N - 2 else 100)
    collapse = at(found, "TrafficCollapse")
    assert collapse is not None
    assert (collapse.value, collapse.baseline) == (120, 300)


def test_latency_is_compared_with_the_median_of_what_was() -> None:
    shift = at(counts(p95=lambda number: 400.0 if number >= N - 3 else 50.0), "LatencyShift")
    assert shift is not None
    assert (shift.value, shift.baseline, shift.total) == (400.0, 50.0, 100)


def test_a_slow_response_is_a_slow_request_and_no_slow_stage() -> None:
    found = counts()
    found.latencies.extend(
        Latency(window, "home", stage, "api", 900.0 if window == LAST else 50.0, 100)
        for window in WINDOWS
        for stage in ("response", "scoring")
    )
    signals = CountedSignals(found, Thresholds()).at(LAST, [])
    assert {signal.labels.get("stage") for signal in signals if "Latency" in signal.definition.name} == {
        None,
        "scoring",
    }


def test_a_failed_call_is_not_counted_as_one_that_brought_nothing() -> None:
    found = counts()
    found.stages[-1] = StageCounts(LAST, "home", "retrieval", "ann", 100, 30, 40)
    empty, failing = at(found, "SourceEmpty"), at(found, "StageFailing")
    assert empty is not None
    assert failing is not None
    assert (empty.bad, failing.bad) == (10, 30)


def test_only_sources_can_be_empty() -> None:
    found = counts()
    found.stages.append(StageCounts(LAST, "home", "filtering", "policy", 100, 0, 100))
    names = {
        signal.labels["component"]
        for signal in CountedSignals(found, Thresholds()).at(LAST, [])
        if signal.definition.name == "SourceEmpty"
    }
    assert names == {"ann"}


def test_dead_letters_are_a_share_of_what_the_component_sent() -> None:
    found = counts()
    found.letters.extend(
        [LetterCounts(LAST, "ann", 25), LetterCounts(LAST, "", 5), LetterCounts(LAST, "nouveaut\ufffds", 2)]
    )
    letters = {
        signal.labels["component"]: (signal.bad, signal.total)
        for signal in CountedSignals(found, Thresholds()).at(LAST, [])
        if signal.definition.name == "DeadLetters"
    }
    assert letters == {"ann": (25, 125), "(unknown)": (7, 107)}


def test_whose_every_event_is_broken_keeps_its_name_once_it_is_told() -> None:
    found = counts(n=lambda number: 0)
    found.letters.append(LetterCounts(LAST, "ann", 100))
    told = AlertState("DeadLetters", {"component": "ann"}, "ticket", "firing", T, [(T, "b")])
    for active, name in (((), "(unknown)"), ((told,), "ann")):
        signal = at(found, "DeadLetters", active=active)
        assert signal is not None
        assert (signal.labels["component"], signal.bad) == (name, 100)


@pytest.mark.parametrize(
    ("share", "now", "fewer"),
    [
        (0.2, 170, False),  # of 200: two standard errors
        (0.2, 120, True),
        (1.0, 950, True),
        (3.0, 2_700, True),  # a component that is called three times a request
        (3.0, 3_100, False),
    ],
)
def test_fewer_events_than_before_are_missing_where_that_is_no_chance(share: float, now: int, fewer: bool) -> None:
    found = counts(lambda number: int(1_000 * share) if number < N - 1 else now, lambda number: 1_000)
    signal = at(found, "EventsMissing")
    assert signal is not None
    assert signal.value is not None
    assert signal.baseline is not None
    assert (signal.value < signal.baseline) is fewer


def test_as_much_is_read_as_is_compared_with() -> None:
    asked = []

    class Store:
        def counts(self, first: int, last: int) -> AlertCounts:
            asked.append((first, last))
            return counts()

    list(BuiltIn(Store(), Thresholds()).load(T, LAST).at(LAST, []))
    assert asked == [(T - HISTORY_S - GAP_S, LAST)]
