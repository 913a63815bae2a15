"""Segments: for whom is it worse than for the others?"""

from collections.abc import Mapping
from typing import Final

from dashboards.grafana import formulas, parts
from dashboards.grafana.parts import COUNT, OVERVIEW, REQUESTS, SEGMENTS, SHARE, Field, Link, Query
from schemas.trends import SLOT_S
from streams.alerts.judge import Z
from streams.alerts.measures import MEASURES
from streams.alerts.segments import USUAL_S
from streams.alerts.slot_definitions import SEGMENT_WORSE
from streams.detect.scan import ScanPolicy

_Q: Final = ScanPolicy().q
# Of segment_metrics as m, the requests that went wrong and those that could have: streams/alerts/measures.py. And the
# alert that says how many are allowed.
_COUNTS: Final[Mapping[str, tuple[str, str, str]]] = {
    "failed": ("m.failed", "m.requests", "StageFailing"),
    "no_response": ("m.requests - m.responded", "m.requests", "NoResponse"),
    "fallback": ("m.fallback", "m.responded", "FallbackResponses"),
    "empty": ("m.empty", "m.responded", "EmptyResponses"),
    "short": ("m.short", "m.responded", "ShortResponses"),
}
_VERDICTS: Final = (("worse", "red"), ("too few requests", "text"), ("small or by chance", "text"))
_WHERE: Final = {"placement": "placement", "segment": "segment"}
_REQUESTS: Final = Link("Requests of this segment", REQUESTS, _WHERE)
_OVERVIEW: Final = Link("This segment over time", OVERVIEW, _WHERE)


def _scanned(name: str) -> str:
    bad, total, _ = _COUNTS[name]
    sums = [f"sumIf({what}, {when})::Float64" for when in ("is_now", "NOT is_now") for what in (bad, total)]
    return f"('{name}', {', '.join(sums)})"


def _heated(name: str) -> str:
    bad, total, alert = _COUNTS[name]
    return f"'{name}', (sum({bad})::Float64, sum({total})::Float64, {parts.limit(alert).value})"


def _heat(alert: str) -> Field:
    return Field("percentunit", parts.limit(alert), decimals=1, heat=True)


def dashboard() -> parts.Board:
    """What the alert on segments scans, and the rest of it."""
    known = [("bad", "total"), ("rest_bad", "rest_total")]
    usual = [("usual_bad", "usual_total"), ("rest_usual_bad", "rest_usual_total")]
    variance, before = (" + ".join(formulas.variance(*each) for each in every) for every in (known, usual))
    return parts.board(
        SEGMENTS,
        "rectrace: Segments",
        "For whom is it worse than for the others? By one dimension at a time, at each placement and at all of them.",
        [
            parts.placement(),
            parts.any_of("dimension", "Dimension", "What requests are told apart by; without one all of them."),
            parts.one_of("metric", "Metric", "What the heat-map shows.", [*MEASURES][::-1]),
        ],
        [
            parts.rows(
                "Worst segments",
                "What a segment loses that others do not: the scan of the alert SegmentWorse "
                f"({SEGMENT_WORSE.severity}) over the time shown. expected: the share among all other requests, and by "
                f"how much the two differed in the {USUAL_S // 3600} h before. worse: of at least "
                f"{SEGMENT_WORSE.min_total:.0f} requests, by {SEGMENT_WORSE.threshold:.0%} of them or more than others "
                f"and than before, and by more than chance explains (Benjamini and Hochberg, q = {_Q:.0%}). The alert "
                f"asks it of {SEGMENT_WORSE.needed} slots of {SLOT_S // 60} minutes in a row, and of segments that "
                "overlap it names the one that says it best.",
                Query(
                    "segments_worst",
                    measures=", ".join(map(_scanned, MEASURES)),
                    least=str(SEGMENT_WORSE.threshold),
                    min_requests=str(SEGMENT_WORSE.min_total),
                    q=str(_Q),
                    usual=str(USUAL_S),
                    variance=f"{variance} + if(known, {before}, 0)",
                ),
                {
                    "metric": Field(
                        "string",
                        links=[Link("In the heat-map", SEGMENTS, {"metric": "metric"}, ("placement", "dimension"))],
                    ),
                    "segment": Field(
                        "string",
                        links=[Link(_REQUESTS.title, REQUESTS, {**_WHERE, "status": "status"}), _OVERVIEW],
                        width=220,
                    ),
                    "placement": parts.TEXT,
                    "requests": COUNT,
                    "share": SHARE,
                    "expected": SHARE,
                    "lost": Field("short", decimals=0),
                    "verdict": Field("string", colours=_VERDICTS),
                    "status": Field("string", hidden=True),
                },
            ),
            parts.heat(
                "Of what the alert allows",
                "The metric chosen, of what the alert on placements allows of it: 100 % and above are the hottest. The "
                f"forty segments with most requests. Each share is the lower end of its interval (Wilson, z = {Z}), as "
                "alerts judge it: few requests are never hot.",
                Query(
                    "segments_heat",
                    series=True,
                    measures=", ".join(map(_heated, MEASURES)),
                    low=formulas.wilson("bad", "total", Z)[0],
                ),
                "percentunit",
                legend="${__field.labels.segment}",
                links=[Link(_REQUESTS.title, REQUESTS, {"segment": "segment"}, ("placement",))],
                most=1,
                height=12,
            ),
            parts.rows(
                "Segments by metric",
                "Every segment at every placement, red at what the alert on placements allows. few requests: fewer "
                f"than the {SEGMENT_WORSE.min_total:.0f} from which on the alert SegmentWorse compares.",
                Query("segments_metrics", least=str(SEGMENT_WORSE.min_total)),
                {
                    "segment": Field("string", links=[_REQUESTS, _OVERVIEW], width=220),
                    "placement": parts.TEXT,
                    "sample": Field("string", colours=[("few requests", "orange")]),
                    "requests": COUNT,
                    "of all": SHARE,
                    "stage failed": _heat("StageFailing"),
                    "no response": _heat("NoResponse"),
                    "fallback": _heat("FallbackResponses"),
                    "empty": _heat("EmptyResponses"),
                    "short": _heat("ShortResponses"),
                    "p95": Field("ms", parts.limit("LatencyHigh"), decimals=0, heat=True),
                },
                height=14,
            ),
        ],
    )
