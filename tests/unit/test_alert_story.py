"""What shows an alert, and whether anybody acted on it."""

from datetime import UTC, datetime, timedelta

import pytest

from rectrace import alert_list
from rectrace.alert_list import Incident
from rectrace.console import alert_story, charts
from schemas.alerts import AlertState, Change, Evaluation
from sinks.silences import Matcher, Silence
from streams.alerts.text import Links

T = 1_780_315_200  # 2026-06-01 12:00 UTC
NOON = datetime.fromtimestamp(T, UTC)
NOW = NOON + timedelta(minutes=10)
EMPTY = AlertState(
    "EmptyResponses", {"placement": "home"}, "page", "firing", T, [(T, "b")], told=True, bad=14, total=280,
    threshold=0.02,
)  # fmt: skip


def incident(state: AlertState = EMPTY, ended: int = 0) -> Incident:
    """ended: seconds after noon; 0: it fires."""
    if not ended:
        return alert_list.incidents([], [Evaluation("sealed", T, 1, "judged", [state])], Links())[0]
    change = Change("resolved", state.told, state, T + ended)
    return alert_list.incidents([Evaluation("sealed", T, 1, "judged", [], [change])], [], Links())[0]


def silence(*matchers: Matcher, starts: float = 0, ends: float = 3600, why: str = "known") -> Silence:
    """starts, ends: seconds after noon."""
    return Silence(matchers, NOON + timedelta(seconds=starts), NOON + timedelta(seconds=ends), "ana", why)


@pytest.mark.parametrize(
    ("matcher", "value", "matches"),
    [
        (Matcher("placement", "home"), "home", True),
        (Matcher("placement", "home"), "home2", False),
        (Matcher("placement", "home", equal=False), "home", False),
        (Matcher("placement", "home", equal=False), "", True),
        (Matcher("placement", ""), "", True),
        (Matcher("placement", "ho.*|cart", regex=True), "home", True),
        (Matcher("placement", "ho", regex=True), "home", False),
        (Matcher("placement", "ho.*|cart", regex=True, equal=False), "cart", False),
        (Matcher("placement", r"\pL+", regex=True), "küche", True),
        (Matcher("placement", "(a+)+b", regex=True), "a" * 64, False),
        (Matcher("placement", "(", regex=True), "(", False),
    ],
    ids=str,
)
def test_a_matcher(matcher: Matcher, value: str, matches: bool) -> None:
    assert matcher.matches({"placement": value} if value else {}) is matches


def test_matchers_read_as_alertmanager_writes_them() -> None:
    told = [Matcher("a", 'x"y'), Matcher("a", "x", regex=True), Matcher("a", "", equal=False)]
    told.append(Matcher("a", "x", regex=True, equal=False))
    assert [str(each) for each in told] == ['a="x\\"y"', 'a=~"x"', 'a!=""', 'a!~"x"']


def test_an_acknowledgement_is_of_exactly_this_alert() -> None:
    def worse(**labels: str) -> dict[str, str]:
        return alert_story.sent(incident(AlertState("SegmentWorse", labels, "ticket", "firing", T, [(T, "b")])))

    everywhere = AlertState(
        "SegmentWorse", {"segment": "country=DE", "metric": "empty"}, "ticket", "firing", T, [(T, "b")]
    )
    own = silence(*alert_story.exactly(incident(everywhere)))
    assert own.matches(worse(segment="country=DE", metric="empty"))
    assert not own.matches(worse(segment="country=DE", metric="empty", placement="home"))
    assert not own.matches(worse(segment="country=DE", metric="short"))
    wide = silence(*alert_story.wider(["alertname=SegmentWorse", "segment=country=DE"]))
    assert wide.matches(worse(segment="country=DE", metric="short", placement="home"))
    assert not wide.matches({"alertname": "SegmentWorse", "segment": "country=DE"})  # of another service


def test_labels_are_as_alertmanager_has_them() -> None:
    odd = AlertState(
        "RuleViolated", {"rule": "r", "segments.country": "DE", "none": ""}, "info", "firing", T, [(T, "b")]
    )
    assert alert_story.sent(incident(odd)) == {
        "alertname": "RuleViolated", "severity": "info", "service": "rectrace", "rule": "r", "segments_country": "DE",
    }  # fmt: skip


def test_what_became_of_an_alert() -> None:
    here = Matcher("placement", "home")
    untold = AlertState("EmptyResponses", {"placement": "home"}, "page", "firing", T, [(T, "b")])
    cases = [
        (incident(), [silence(here, starts=60)], "acted on"),
        (incident(), [silence(Matcher("placement", "cart"))], "open"),
        (incident(ended=120), [silence(here, starts=60)], "acted on"),
        (incident(ended=120), [silence(here, starts=121)], "ignored"),
        (incident(ended=120), [silence(here, starts=-90, ends=-1)], "ignored"),
        (incident(ended=120), None, "not known"),
        (incident(untold, 120), [], "told nobody"),
        (incident(untold, 120), [silence(here)], "acted on"),
    ]
    assert [alert_story.outcome(each, silences, NOW) for each, silences, _ in cases] == [what for _, _, what in cases]
    later = NOON + timedelta(days=5, minutes=3)
    assert alert_story.outcome(incident(ended=120), [], later) == "not known"
    assert alert_story.outcome(incident(ended=120), [silence(here)], later) == "acted on"


def test_how_often_and_whether_anybody_acted() -> None:
    pending = incident(AlertState("NoResponse", {}, "page", "pending", T, [(T, "b")]))
    short = incident(AlertState("ShortResponses", {"placement": "home"}, "page", "firing", T, [(T, "b")], told=True))
    of_empty = silence(Matcher("alertname", "EmptyResponses"))
    of_rule = incident(AlertState("RuleViolated", {"rule": "knit"}, "page", "firing", T, [(T, "b")], told=True))
    told = alert_story.tally([pending, short, incident(ended=60), incident(), of_rule], [of_empty], NOW)
    assert [(*key, counts["fired"], counts["acted on"], counts["open"]) for key, counts in told.items()] == [
        ("EmptyResponses", "", 2, 2, 0),
        ("RuleViolated", "knit", 1, 0, 1),
        ("ShortResponses", "", 1, 0, 1),
    ]
    for counts in told.values():
        assert counts["fired"] == sum(counts[name] for name in alert_story.OUTCOMES)


@pytest.mark.parametrize(
    ("alert", "figures", "told"),
    [
        ("EmptyResponses", {"bad": 14, "total": 280, "threshold": 0.02}, "14 of 280 (5.0%), allowed are 2.0%"),
        ("EmptyResponses", {"threshold": 0.02}, "0 of 0, allowed are 2.0%"),
        ("RuleViolated", {"bad": 7, "total": 90, "threshold": 1}, "7 of 90"),
        ("LatencyHigh", {"value": 1850.4, "threshold": 1000}, "1,850, allowed are 1,000"),
        ("SegmentWorse", {"value": 0.0514, "threshold": 0.01}, "0.051, allowed are 0.01"),
        (
            "YieldShift", {"value": 12.0, "baseline": 48.0, "threshold": 0.7},
            "12, 25% of 48 before; allowed are no less than 70% of it",
        ),
        ("LatencyShift", {"value": 300.0, "threshold": 2.0}, "300; allowed are up to 200% of it"),
    ],
)  # fmt: skip
def test_evidence_in_words(alert: str, figures: dict[str, float], told: str) -> None:
    every = dict.fromkeys(("bad", "total", "value", "baseline", "threshold"))
    assert alert_story.evidence(alert, {**every, **figures}) == told


def test_evidence_window_by_window() -> None:
    good = AlertState("EmptyResponses", {}, "page", "firing", T, [(T, "b"), (T + 10, "h")], bad=14, total=280)
    idle = AlertState("EmptyResponses", {}, "page", "firing", T, [(T, "b"), (T + 10, "h")], bad=14, total=280, idle=1)
    bad, between = alert_story.points([(T, EMPTY), (T + 10, good), (T + 20, idle)])
    assert (bad.verdict, bad.value, bad.bound, bad.told) == ("bad", 5.0, 2.0, "14 of 280 (5.0%), allowed are 2.0%")
    assert (between.verdict, between.value, between.told) == ("in between", None, "")
    fell = AlertState("TrafficCollapse", {}, "page", "firing", T, [(T, "b")], value=20.0, baseline=100.0, threshold=0.3)
    (point,) = alert_story.points([(T, fell)])
    assert (point.value, point.bound, point.baseline) == (20.0, 30.0, 100.0)
    bars, allowed, before = charts.evidence([point], alert_story.unit("TrafficCollapse"))["series"]
    assert (bars["data"], allowed["data"], before["data"]) == ([20.0], [30.0], [100.0])
    assert [each["name"] for each in charts.evidence([bad, between], "%")["series"]] == ["measured", "allowed"]
