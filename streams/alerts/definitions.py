"""The alerts that rectrace has by itself. Thresholds are the defaults of a YAML file: see thresholds.py.

Page on what users notice or what is broken for certain; ticket what somebody should look at by day.
"""

from typing import Final

from streams.alerts.distribution_definitions import DISTRIBUTIONS
from streams.alerts.model import Definition, Kind
from streams.alerts.slot_definitions import SLOTTED

_RESPONSES: Final = "{share} of the responses at {placement} are"
_OF: Final = "({bad} of {total}; allowed are {threshold})"

BUILT_IN: Final = (
    Definition(
        "EmptyResponses", "page", Kind.SHARE, 0.02, min_total=50, examples="empty",
        summary=f"{_RESPONSES} empty {_OF}.",
        todo="Look where the candidates go: `rectrace requests --status empty`, then `rectrace why` of one of the "
        "examples shows the stage that leaves nothing. If it is a filter or a rule that went live, take it back.",
    ),
    Definition(
        "ShortResponses", "page", Kind.SHARE, 0.10, min_total=50, examples="short",
        summary=f"{_RESPONSES} shorter than asked for {_OF}.",
        todo="`rectrace why` of one of the examples shows which source brings less or which stage drops more.",
    ),
    Definition(
        "FallbackResponses", "page", Kind.SHARE, 0.05, min_total=50, examples="fallback",
        summary=f"{_RESPONSES} served by fallback {_OF}.",
        todo="Users get unpersonalised lists. The stage that times out or fails is in the examples: `rectrace why`.",
    ),
    Definition(
        "NoResponse", "page", Kind.SHARE, 0.05, min_total=50, examples="no_response",
        summary=f"{{share}} of the requests at {{placement}} have no response {_OF}.",
        todo="Either the recommender fails or its response events do not come: compare with the service's own errors.",
    ),
    Definition(
        "StageFailing", "page", Kind.SHARE, 0.05, min_total=50, examples="failed",
        summary=f"{{component}} ({{stage}}) at {{placement}} times out or fails in {{share}} of its calls {_OF}.",
        todo="Look at the component's own dashboard and its newest deploy. The errors it gave are in the examples.",
    ),
    Definition(
        "SourceEmpty", "page", Kind.SHARE, 0.50, min_total=50, examples="zero_out",
        summary=f"The source {{component}} at {{placement}} returns nothing in {{share}} of its calls {_OF}.",
        todo="Its calls succeed and bring no candidate: look at its index or feed, and when that was built last.",
    ),
    Definition(
        "ComponentSilent", "page", Kind.RATIO_BELOW, 0.2, min_total=50, compares=True, examples="silent",
        summary="{component} ({stage}) at {placement} has stopped sending: {bad} events, of {expected} expected "
        "by what it sent before.",
        todo="Either it is switched off (a deploy, a flag, an experiment) or its events do not reach Kafka.",
    ),
    Definition(
        "EventsMissing", "ticket", Kind.RATIO_BELOW, 0.9, min_total=200, compares=True, examples="silent",
        needed=3, of=4,
        summary="{component} ({stage}) at {placement} sends {ratio} of the events it used to: {bad}, of {expected} "
        "expected.",
        todo="Its producer may be losing events (a full buffer, oversized records), or it is called less often.",
    ),
    Definition(
        "YieldShift", "ticket", Kind.RATIO_BELOW, 0.7, min_total=100, compares=True, needed=3, of=4,
        summary="{component} ({stage}) at {placement} lets through {ratio} of what it used to: {percall} candidates "
        "a call.",
        todo="`rectrace changed yield` shows the reason and the rule that changed. A source: look at its index; a "
        "filter: at what went live in it, and at the data that it filters by.",
    ),
    Definition(
        "RulePressure", "page", Kind.RATIO_ABOVE, 1.5, floor=0.2, min_total=50, compares=True,
        summary="Rules change what is served at {placement} far more than before: rule pressure {value}, was "
        "{baseline}. {rule} decides {share_now} of the slots, before {share_before}.",
        todo="`rectrace rules pressure` shows what rules do and what that costs by the model's scores. If nobody meant "
        "it to, correct or disable the rule: `rectrace rules list` names its owner.",
    ),
    Definition(
        "LatencyHigh", "page", Kind.ABOVE, 1000, min_total=50, examples="slow",
        summary="The 95th percentile of the response time at {placement} is {value} ms (allowed are {threshold} ms).",
        todo="`rectrace why` of one of the examples shows which stage took the time.",
    ),
    Definition(
        "LatencyShift", "ticket", Kind.RATIO_ABOVE, 2.0, floor=50, min_total=50, compares=True, examples="slow",
        summary="The 95th percentile of the response time at {placement} went from {baseline} to {value} ms.",
        todo="Look at the stages: one of them takes longer than it did ten minutes before.",
    ),
    Definition(
        "StageLatencyShift", "ticket", Kind.RATIO_ABOVE, 2.0, floor=50, min_total=50, compares=True,
        summary="The 95th percentile of {component} ({stage}) at {placement} went from {baseline} to {value} ms.",
        todo="Look at the component's own dashboard and its newest deploy.",
    ),
    Definition(
        "TrafficCollapse", "page", Kind.RATIO_BELOW, 0.3, min_total=50, compares=True,
        summary="{placement} got {value} requests in half a minute, of {baseline} expected by the time before.",
        todo="Look upstream: the gateway, the callers, a deploy. While so little comes nothing else is judged here.",
    ),
    Definition(
        "IncompleteTraces", "ticket", Kind.SHARE, 0.05, min_total=100, needed=3, of=4, examples="incomplete",
        summary=f"{{share}} of the requests at {{placement}} lack an event that was expected {_OF}.",
        todo="`rectrace why` of one of the examples names what is missing.",
    ),
    Definition(
        "DeadLetters", "ticket", Kind.SHARE, 0.01, min_total=50, needed=3, of=4,
        summary=f"{{share}} of the events of {{component}} break the contract and become dead letters {_OF}.",
        todo="`rectrace dlq list --since 10m` names the field. Replay them once the producer is mended.",
    ),
    *DISTRIBUTIONS,
)  # fmt: skip

INGEST_LAG: Final = Definition(
    "IngestLag", "page", Kind.ABOVE, 60, needed=2, of=3, clear=45,
    summary="Nothing newer than {value} s ago is known of any placement: rectrace itself lags or stands still.",
    todo="All other alerts wait until this is over. Look at the workers (`rectrace_lag_records`, "
    "`rectrace_insert_failures`), at Kafka and at ClickHouse.",
)  # fmt: skip

DEFINITIONS: Final = (*BUILT_IN, *SLOTTED, INGEST_LAG)
NAMES: Final = tuple(definition.name for definition in DEFINITIONS)
