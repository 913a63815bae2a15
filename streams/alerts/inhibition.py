"""Which alert says already what another one would say: then the other is kept, listed and not sent.

What a person on call wants is one page an incident, and that it names the cause. So:

- **Traffic first.** Where hardly a request comes, nothing else of that placement can be judged.
- **A cause says its symptoms.** A component that fails, is silent or finds nothing says the empty, short, late or
  fallback responses of its placement: the page is the cause's, and lists the symptoms that it stands for. The other way
  round ("home is empty", and its sources kept back) the page would lack what to do.
- **Upstream first.** Events that a component does not send, or candidates that it does not let through, are said by
  what is broken in an earlier stage, or in it.
- **A page says the statistics of its placement.** A yield that fell, a segment that is worse, a share that is unusual,
  an error budget that burns: when somebody is called for the placement, the page lists them (which component, which
  segment), and nothing more is sent. So it is for a segment that is worse at all placements when somebody is called
  for one of them. A segment that is worse says which component is: those are its requests. Only a yield that is set to
  page is a cause, and says the symptoms itself.

A cause that is known may hide nothing else. So it must be at least as severe (a ticket never keeps back a page), and
say only what began with it, up to `TOGETHER` later: a source that has been dead for a week does not hide that today
every response is empty. What has been sent before its cause was known goes on as it was.
"""

from collections.abc import Iterable
from typing import Final

from schemas.alerts import SEVERITIES, AlertState
from schemas.pipeline import STAGES

TOGETHER: Final = 120  # seconds
_SYMPTOMS: Final = frozenset(
    {"NoResponse", "EmptyResponses", "ShortResponses", "FallbackResponses", "LatencyHigh", "LatencyShift",
     "IncompleteTraces"}
)  # fmt: skip
_BUDGET: Final = ("BudgetBurn", "BudgetBurnSlow")
_STATISTICS: Final = frozenset({"YieldShift", "SegmentWorse", "ComponentWorse", "SharesUnusual", *_BUDGET})
_LATE: Final = frozenset({"LatencyHigh", "LatencyShift"})
# Of one placement: the symptoms that an alert says.
_SAYS: Final = {
    "StageFailing": _SYMPTOMS | _STATISTICS,
    "ComponentSilent": _SYMPTOMS | _STATISTICS,
    "SourceEmpty": _SYMPTOMS - _LATE | _STATISTICS,
    "EventsMissing": frozenset({"IncompleteTraces"}),
    "StageLatencyShift": _LATE,
    "NoResponse": frozenset({"IncompleteTraces"}) | _STATISTICS,
    "EmptyResponses": frozenset({"ShortResponses"}) | _STATISTICS,
    "ScoresDegenerate": frozenset({"RulePressure", "ComponentWorse"}),  # where the model says nothing rules decide all
    "ShortResponses": _STATISTICS,
    "FallbackResponses": _STATISTICS,
    "LatencyHigh": frozenset({"LatencyShift"}),
    "YieldShift": frozenset({"EmptyResponses", "ShortResponses", "SharesUnusual"}),
    "SegmentWorse": frozenset({"SegmentWorse", "SharesUnusual"}),
    "ComponentWorse": frozenset({"SharesUnusual"}),
    "BudgetBurn": frozenset({"BudgetBurnSlow"}),
}
# Of one component, the more telling one first.
_TELLING: Final = (
    "StageFailing",
    "ComponentSilent",
    "SourceEmpty",
    "DeadLetters",
    "EventsMissing",
    "StageLatencyShift",
    "YieldShift",
)
_MISSING: Final = frozenset({"ComponentSilent", "EventsMissing", "YieldShift"})
_UPSTREAM: Final = frozenset({"StageFailing", "ComponentSilent", "SourceEmpty", "EventsMissing"})
_METRICS: Final = ("failed", "no_response", "fallback", "empty", "short")  # the more telling one first
# What is judged every five minutes is known that much later; a burning budget may begin at any time of an incident.
_LATER: Final = {
    "SegmentWorse": 300, "ComponentWorse": 300, "SharesUnusual": 300, "TrafficUnusual": 300,
    "BudgetBurn": 10**9, "BudgetBurnSlow": 10**9,
}  # fmt: skip


def inhibitor(child: AlertState, firing: Iterable[AlertState]) -> AlertState | None:
    """The first of the firing alerts that says what the child would say."""
    return next((parent for parent in firing if _inhibits(parent, child)), None)


def order(state: AlertState) -> tuple[int, int, int, str]:
    """Sorts alerts so that each comes after all those that could inhibit it."""
    component = state.alert in _TELLING
    telling = (
        _TELLING.index(state.alert) if component else list(_SAYS).index(state.alert) if state.alert in _SAYS else 99
    )
    first = 0 if state.alert == "TrafficCollapse" else 1 if component else 2
    if state.alert in _STATISTICS and not (component and state.severity == "page"):
        first = {"YieldShift": 3, "SegmentWorse": 4, "ComponentWorse": 5}.get(state.alert, 6)
    # what has no stage (dead letters) comes before what has one
    return first, _stage(state) if component else _metric(state), telling, state.fingerprint


def is_settled(state: AlertState) -> bool:
    """Whether it stays unsaid for good: a budget burns on for long after the incident that somebody was called for."""
    return state.alert in _BUDGET and bool(state.inhibited_by)


def _inhibits(parent: AlertState, child: AlertState) -> bool:
    here, there = parent.labels.get("placement"), child.labels.get("placement")
    everywhere = child.alert == "SegmentWorse" and there is None
    if here is not None and here != there and not everywhere:
        return False
    if parent.fingerprint == child.fingerprint or SEVERITIES.index(parent.severity) < SEVERITIES.index(child.severity):
        return False
    return child.began - parent.began <= TOGETHER + _LATER.get(child.alert, 0) and _says(parent, child)


def _says(parent: AlertState, child: AlertState) -> bool:
    if parent.alert == "TrafficCollapse":
        return "placement" in child.labels
    if parent.alert == "SegmentWorse" and child.alert == "SegmentWorse":
        return parent.labels.get("segment") == child.labels.get("segment") and _metric(parent) < _metric(child)
    if parent.alert == "SegmentWorse" and child.alert == "ComponentWorse":
        return True
    if parent.alert == "SharesUnusual" and child.alert == "SharesUnusual":
        return _metric(parent) < _metric(child)
    if parent.labels.get("placement") is not None and child.alert in _SAYS.get(parent.alert, ()):
        return parent.alert != "YieldShift" or parent.severity == "page" or child.alert not in _SYMPTOMS
    if parent.alert not in _TELLING or child.alert not in _TELLING:
        return False
    if parent.labels.get("component") == child.labels.get("component"):
        return _TELLING.index(parent.alert) < _TELLING.index(child.alert)
    cause = parent.alert in _UPSTREAM or parent.alert == child.alert == "YieldShift"
    return cause and child.alert in _MISSING and _stage(parent) < _stage(child)


def _stage(state: AlertState) -> int:
    stage = state.labels.get("stage", "")
    return STAGES.index(stage) if stage in STAGES else -1


def _metric(state: AlertState) -> int:
    metric = state.labels.get("metric", "")
    return _METRICS.index(metric) if metric in _METRICS else -1
