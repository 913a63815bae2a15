"""When a rule fires, by the sums of its windows, and when that ends."""

from typing import Any

import pytest

from schemas.alerts import AlertState, RuleCounts, RuleExample, RuleHit
from schemas.rules import Rule
from streams.alerts.machine import step
from streams.alerts.rules import ALERT, RuleSignals
from streams.alerts.text import describe

T = 1_700_000_000
BASE = {
    "id": "coats",
    "owner": "merch",
    "severity": "page",
    "scope": "item",
    "when": "true",
    "message": "Coats.",
}


def rule(**fires: Any) -> Rule:
    return Rule.model_validate({**BASE, "fires": fires})


def hit(number: int, judged: int, at_fault: int, version: str = "v1", **group: str) -> RuleHit:
    return RuleHit(T + 10 * number, "coats", version, group, judged, at_fault)


def run(counts: RuleCounts, windows: int) -> tuple[list[str], dict[str, AlertState]]:
    """What changed, as `number status labels`, and what is active at the end."""
    told: list[str] = []
    states: dict[str, AlertState] = {}
    for number in range(windows):
        at = T + 10 * number
        signals = RuleSignals(counts).at(at, list(states.values()))
        states, changes = step(states, at, list(signals), describe)
        told += [f"{number} {each.status} {each.state.labels}" for each in changes]
    return told, states


def test_it_fires_when_the_sum_within_its_time_is_enough_and_ends_when_it_is_not() -> None:
    hits = [hit(n, 100, 3 if n in (2, 3) else 0) for n in range(12)]
    told, states = run(RuleCounts({"v1": rule(count=5, within=30)}, hits, []), 12)
    where = {"rule": "coats", "owner": "merch"}
    assert told == [f"3 firing {where}", f"6 resolved {where}"]
    assert states == {}


def test_groups_fire_on_their_own_and_name_the_evidence() -> None:
    hits = [hit(0, 50, n, **{"segments.country": country}) for country, n in (("DE", 30), ("FR", 1))]
    examples = [
        RuleExample(T, "coats", f"r-{country}", {"segments.country": country, "placement": "home"})
        for country in ("DE", "FR")
    ]
    told, states = run(RuleCounts({"v1": rule(share=0.5, group_by=["segments.country"])}, hits, examples), 1)
    assert told == ["0 firing {'rule': 'coats', 'owner': 'merch', 'segments_country': 'DE'}"]
    (state,) = states.values()
    assert state.examples == ["r-DE"]
    assert state.annotations["summary"] == (
        "Coats (30 of 50 requests, segments.country DE within 60 s; rule coats of merch)."
    )


def test_too_few_requests_fire_nothing() -> None:
    counts = RuleCounts({"v1": rule(share=0.1, min_requests=100)}, [hit(0, 60, 60), hit(1, 60, 60)], [])
    assert [line.split()[:2] for line in run(counts, 2)[0]] == [["1", "firing"]]


@pytest.mark.parametrize("gone", ["disabled", "without traffic"])
def test_what_a_rule_that_is_gone_said_ends(gone: str) -> None:
    group = {"placement": "home"} if gone == "without traffic" else {}
    fires = {"within": 10, "group_by": list(group)}
    told, states = run(RuleCounts({"v1": rule(**fires)}, [hit(0, 10, 10, **group)], []), 4)
    assert [line.split()[:2] for line in told] == [["0", "firing"], ["2", "resolved"]]
    assert states == {}


def test_a_new_version_judges_by_its_own_condition() -> None:
    counts = RuleCounts({"v1": rule(count=50), "v2": rule(count=5)}, [hit(0, 100, 10), hit(1, 100, 0, "v2")], [])
    assert [line.split()[:2] for line in run(counts, 2)[0]] == [["1", "firing"]]


def test_other_alerts_are_left_alone() -> None:
    other = AlertState("EmptyResponses", {"placement": "home"}, "page", "firing", T, [(T, "b")])
    signals = RuleSignals(RuleCounts({}, [], [])).at(T, [other])
    assert list(signals) == []
    mine = AlertState(ALERT, {"rule": "coats", "owner": "merch"}, "page", "firing", T, [(T, "b")])
    assert [signal.bad for signal in RuleSignals(RuleCounts({}, [], [])).at(T, [mine])] == [0]
