"""Which alert says already what another one would say."""

from dataclasses import replace
from typing import Any

import pytest
from msgspec.structs import replace as but

from schemas.alerts import AlertState
from streams.alerts.definitions import DEFINITIONS as ALL
from streams.alerts.inhibition import TOGETHER, inhibitor, order
from streams.alerts.machine import step
from streams.alerts.model import Kind, Signal
from streams.alerts.text import Links, describe, notification

T = 1_700_000_000
DEFINITIONS = {definition.name: definition for definition in ALL}
STAGES = {
    "ann": "retrieval",
    "covisit": "retrieval",
    "eligibility": "filtering",
    "ranker": "scoring",
    "mmr": "ordering",
}


def fires(alert: str, component: str = "", placement: str = "home", began: int = T, **more: Any) -> AlertState:
    where = {"placement": placement} if placement else {}
    labels = where | ({"stage": STAGES[component], "component": component} if component else {})
    severity = DEFINITIONS[alert].severity
    return AlertState(alert, labels, severity, "firing", began, [(began, "b")], **more)


def segment(placement: str = "home", name: str = "country=DE", metric: str = "empty", began: int = T) -> AlertState:
    labels = {"placement": placement, "segment": name, "metric": metric}
    known = {label: value for label, value in labels.items() if value}
    return AlertState("SegmentWorse", known, "ticket", "firing", began, [(began, "b")])


def unusual(metric: str = "empty", began: int = T) -> AlertState:
    labels = {"placement": "home", "metric": metric}
    return AlertState("SharesUnusual", labels, "ticket", "firing", began, [(began, "b")])


LETTERS = AlertState("DeadLetters", {"component": "ann"}, "ticket", "firing", T, [(T, "b")])
RULE = AlertState("rule_ski", {"placement": "home"}, "page", "firing", T, [(T, "b")])


@pytest.mark.parametrize(
    ("parent", "child", "says"),
    [
        (fires("StageFailing", "ranker"), fires("FallbackResponses"), True),
        (fires("SourceEmpty", "ann"), fires("EmptyResponses"), True),
        (fires("SourceEmpty", "ann"), fires("LatencyHigh"), False),
        (fires("ComponentSilent", "ann"), fires("IncompleteTraces"), True),
        (fires("FallbackResponses"), fires("StageFailing", "ranker"), False),
        (fires("EmptyResponses"), fires("ShortResponses"), True),
        (fires("ShortResponses"), fires("EmptyResponses"), False),
        (fires("TrafficCollapse"), fires("ComponentSilent", "ann"), True),
        (fires("TrafficCollapse"), fires("TrafficCollapse", placement="cart"), False),
        (fires("StageFailing", "ranker"), fires("FallbackResponses", placement="cart"), False),
        # a ticket keeps back no page
        (fires("StageLatencyShift", "ranker"), fires("LatencyHigh"), False),
        (fires("StageLatencyShift", "ranker"), fires("LatencyShift"), True),
        (fires("EventsMissing", "mmr"), fires("IncompleteTraces"), True),
        # upstream first, and of one component the more telling one
        (fires("StageFailing", "ann"), fires("ComponentSilent", "mmr"), True),
        (fires("ComponentSilent", "eligibility"), fires("ComponentSilent", "mmr"), True),
        (fires("ComponentSilent", "mmr"), fires("ComponentSilent", "eligibility"), False),
        (fires("ComponentSilent", "ann"), fires("ComponentSilent", "covisit"), False),
        (fires("ComponentSilent", "ann"), fires("StageFailing", "ranker"), False),
        (fires("StageFailing", "ann"), fires("SourceEmpty", "ann"), True),
        (fires("ComponentSilent", "ann"), fires("EventsMissing", "ann"), True),
        (LETTERS, fires("EventsMissing", "ann"), True),
        (LETTERS, fires("EventsMissing", "mmr"), False),
        # a page says the statistics of its placement; a yield is a cause where it is set to page
        (fires("EmptyResponses"), fires("YieldShift", "eligibility"), True),
        (fires("EmptyResponses"), fires("YieldShift", "eligibility", placement="cart"), False),
        (fires("YieldShift", "eligibility"), fires("EmptyResponses"), False),
        (but(fires("YieldShift", "eligibility"), severity="page"), fires("EmptyResponses"), True),
        (fires("YieldShift", "ann"), fires("YieldShift", "eligibility"), True),
        (fires("YieldShift", "eligibility"), fires("YieldShift", "ann"), False),
        (fires("SourceEmpty", "ann"), fires("YieldShift", "eligibility"), True),
        (fires("StageFailing", "eligibility"), fires("YieldShift", "eligibility"), True),
        (fires("YieldShift", "eligibility"), fires("EventsMissing", "mmr"), False),
        # an error budget says nothing that a page has said, whenever it was, and is said by no ticket
        (fires("EmptyResponses"), fires("BudgetBurn", began=T + 3_000), True),
        (fires("NoResponse"), fires("BudgetBurn"), True),
        (fires("FallbackResponses"), fires("BudgetBurnSlow"), True),
        (fires("StageFailing", "ranker"), fires("BudgetBurn"), True),
        (fires("EmptyResponses", placement="cart"), fires("BudgetBurn"), False),
        (fires("BudgetBurn"), fires("EmptyResponses"), False),
        (fires("BudgetBurn"), fires("BudgetBurnSlow"), True),
        (fires("BudgetBurnSlow"), fires("BudgetBurn"), False),
        (segment(), fires("BudgetBurn"), False),
        # a segment says nothing that its placement, or a more telling metric, has said
        (fires("EmptyResponses"), segment(began=T + 400), True),
        (fires("EmptyResponses"), segment(began=T + 430), False),
        (fires("EmptyResponses"), segment(placement="cart"), False),
        (fires("EmptyResponses"), segment(placement=""), True),
        (segment(), fires("EmptyResponses"), False),
        (segment(), segment(metric="short"), True),
        (segment(metric="no_response"), segment(metric="fallback"), True),
        (segment(metric="short"), segment(), False),
        (segment(), segment(name="country=FR", metric="short"), False),
        (segment(placement="", metric="failed"), segment(), True),
        (segment(metric="failed"), segment(placement=""), True),
        (segment(name="", metric="failed"), segment(name=""), True),
        (segment(name="", metric="failed"), segment(placement="cart", name=""), False),
        # so does a component that is worse in a few of its calls
        (fires("StageFailing", "ranker"), fires("ComponentWorse", "ranker", began=T + 400), True),
        (fires("FallbackResponses"), fires("ComponentWorse", "ranker"), True),
        (fires("ScoresDegenerate", "ranker"), fires("ComponentWorse", "ranker"), True),
        (fires("StageFailing", "ranker"), fires("ComponentWorse", "ranker", placement="cart"), False),
        (segment(metric="failed"), fires("ComponentWorse", "ranker"), True),
        (segment(placement="", metric="failed"), fires("ComponentWorse", "ranker"), True),
        (segment(placement="cart", metric="failed"), fires("ComponentWorse", "ranker"), False),
        (fires("ComponentWorse", "ranker"), segment(metric="failed"), False),
        (fires("ComponentWorse", "ranker"), unusual("fallback"), True),
        (fires("ComponentWorse", "ranker"), fires("FallbackResponses"), False),
        # and what is unusual for the time of the week
        (fires("EmptyResponses"), unusual(began=T + 400), True),
        (segment(), unusual(), True),
        (unusual(), unusual(metric="short"), True),
        (unusual(metric="short"), unusual(), False),
        (unusual(), fires("EmptyResponses"), False),
        (fires("TrafficCollapse"), fires("TrafficUnusual", began=T + 400), True),
        (fires("TrafficUnusual"), fires("TrafficCollapse"), False),
        (fires("TrafficUnusual"), unusual(), False),
        (RULE, fires("EmptyResponses"), False),
        (fires("StageFailing", "ann"), RULE, False),
    ],
)  # fmt: skip
def test_what_says_what(parent: AlertState, child: AlertState, says: bool) -> None:
    assert (inhibitor(child, [parent]) is parent) is says
    if says:
        assert order(parent) < order(child)


def test_a_cause_that_is_known_for_long_hides_nothing_new() -> None:
    old = fires("SourceEmpty", "ann", began=T)
    assert inhibitor(fires("EmptyResponses", began=T + TOGETHER), [old]) is old
    assert inhibitor(fires("EmptyResponses", began=T + TOGETHER + 10), [old]) is None


def test_nothing_inhibits_itself() -> None:
    silent = fires("ComponentSilent", "ann")
    assert inhibitor(silent, [silent]) is None


class Home:
    """Two causes and a symptom at one placement."""

    def __init__(self) -> None:
        self.states: dict[str, AlertState] = {}
        self.told: list[tuple[str, str]] = []
        self.window = T - 10

    def see(self, **shares: float) -> None:
        """Shares by alert name."""
        self.window += 10
        signals = [self._signal(name, share) for name, share in shares.items()]
        self.states, changes = step(self.states, self.window, signals, describe)
        self.told += [(change.state.alert, change.status) for change in changes if change.told]

    @staticmethod
    def _signal(name: str, share: float) -> Signal:
        definition = replace(DEFINITIONS[name], needed=1, of=1, quiet=1)
        assert definition.kind is Kind.SHARE
        component = {"StageFailing": "ranker", "SourceEmpty": "ann"}.get(name)
        labels = {"placement": "home"} | ({"stage": STAGES[component], "component": component} if component else {})
        return Signal(definition, labels, 1000 * share, 1000)

    def state(self, alert: str) -> AlertState:
        return next(state for state in self.states.values() if state.alert == alert)


def test_the_cause_is_told_and_lists_its_symptoms() -> None:
    home = Home()
    home.see(ShortResponses=0.5, EmptyResponses=0.5, SourceEmpty=1.0)
    assert home.told == [("SourceEmpty", "firing")]
    cause = home.state("SourceEmpty")
    assert cause.also == ["EmptyResponses placement=home", "ShortResponses placement=home"]
    assert "EmptyResponses placement=home" in notification(cause, Links(), T).annotations["also"]
    assert home.state("EmptyResponses").inhibited_by == cause.name


def test_a_symptom_that_outlives_its_cause_is_told_then() -> None:
    home = Home()
    home.see(EmptyResponses=0.5, SourceEmpty=1.0)
    home.see(EmptyResponses=0.5, SourceEmpty=0.0)
    assert home.told == [("SourceEmpty", "firing"), ("SourceEmpty", "resolved"), ("EmptyResponses", "firing")]
    assert home.state("EmptyResponses").inhibited_by == ""
    assert home.state("EmptyResponses").began == T


def test_what_nobody_was_told_of_ends_without_a_word() -> None:
    home = Home()
    home.see(EmptyResponses=0.5, SourceEmpty=1.0)
    home.see(EmptyResponses=0.0, SourceEmpty=0.0)
    assert home.told == [("SourceEmpty", "firing"), ("SourceEmpty", "resolved")]


def test_what_was_told_before_its_cause_was_known_goes_on() -> None:
    home = Home()
    home.see(FallbackResponses=0.5)
    home.see(FallbackResponses=0.5, StageFailing=0.5)
    home.see(FallbackResponses=0.5, StageFailing=0.5)
    assert home.told == [("FallbackResponses", "firing"), ("StageFailing", "firing")]
    home.see(FallbackResponses=0.0, StageFailing=0.0)
    assert sorted(home.told[2:]) == [("FallbackResponses", "resolved"), ("StageFailing", "resolved")]


def test_names_differ_so_that_identities_do() -> None:
    assert fires("SourceEmpty", "ann").fingerprint != fires("SourceEmpty", "covisit").fingerprint
    assert but(fires("SourceEmpty", "ann"), severity="info").fingerprint == fires("SourceEmpty", "ann").fingerprint
