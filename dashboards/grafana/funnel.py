"""Funnel: where the candidates go, stage by stage, and which source they come from."""

from dashboards.grafana import parts
from dashboards.grafana.parts import COUNT, FUNNEL, MEAN, MS, SHARE, TEXT, Field, Limit, Link, Query

_HIGH = 11  # with a line for each component
_SAMPLE = 5_000  # requests of which the lists are read
_COMPONENT = Link("This component alone", FUNNEL, {"stage": "stage", "component": "component"}, ("placement",))
_SOURCE = Link("This source alone", FUNNEL, {"component": "component"}, ("placement",))
_REQUESTS = Link("Requests of these placements", parts.REQUESTS, {}, ("placement",))


def _series(
    title: str, description: str, value: str, unit: str, where: str = "n > 0", bound: Limit | None = None
) -> parts.Series:
    query = Query("funnel_series", series=True, value=value, where=where)
    return parts.lines(title, description, query, unit, legend="${__field.labels.place}", bound=bound, height=_HIGH)


def dashboard() -> parts.Board:
    """What alerts link to if they are of a component."""
    return parts.board(
        FUNNEL,
        "rectrace: Funnel",
        "Where the candidates go: how many each component takes and lets through, why it drops them, and which source "
        "brings what is served.",
        [
            parts.placement(),
            parts.any_of("stage", "Stage", "Of the pipeline; without one all of them."),
            parts.any_of("component", "Component", "What sends a stage's events; without one all of them."),
        ],
        [
            parts.rows(
                "Components",
                "Each component and version in pipeline order. in, out: candidates a call; yield: out of in; before: "
                "in as long a time before the time shown.",
                Query("funnel_components"),
                {
                    "stage": TEXT,
                    "component": Field("string", links=[_COMPONENT, _REQUESTS]),
                    "version": TEXT,
                    "calls": COUNT,
                    "of before": SHARE,
                    "failed": parts.shares("StageFailing"),
                    "nothing out": SHARE,
                    "in": MEAN,
                    "out": MEAN,
                    "out before": MEAN,
                    "yield": SHARE,
                    "yield before": SHARE,
                    "took": Field("ms", hidden=True),
                    "p50": MS,
                    "p95": MS,
                    "p99": MS,
                },
                height=15,
            ),
            _series(
                "Candidates let through",
                f"The mean a call. {parts.compared('YieldShift')}",
                "sum(n_out) / sum(m.n)",
                "short",
                "stage != 'request'",
            ),
            _series(
                "Yield",
                "Candidates let through, of those taken. " + parts.compared("YieldShift"),
                "sum(n_out) / nullIf(sum(n_in), 0)",
                "percentunit",
                "stage NOT IN ('request', 'retrieval')",
            ),
            parts.lines(
                "Calls",
                f"Events a second. {parts.compared('ComponentSilent')} {parts.compared('EventsMissing')}",
                Query("funnel_calls", series=True),
                "cps",
                legend="${__field.labels.place}",
                height=_HIGH,
            ),
            _series(
                "Sources that find nothing",
                "The share of a source's calls that bring no candidate.",
                "sum(zero_out) / sum(m.n)",
                "percentunit",
                "stage = 'retrieval'",
                parts.limit("SourceEmpty"),
            ),
            _series(
                "Failing",
                "The share of calls that time out or fail.",
                "sum(m.failed) / sum(m.n)",
                "percentunit",
                bound=parts.limit("StageFailing"),
            ),
            _series(
                "Duration, p95",
                f"The 95th percentile of the events' duration_ms. {parts.compared('StageLatencyShift')}",
                "quantilesTDigestMerge(0.5, 0.95, 0.99)(durations)[2]",
                "ms",
            ),
            parts.lines(
                "Why candidates are dropped",
                "The mix of reasons: shares of all that is dropped. Filters run in order, so a reason depends on that "
                "order: what one filter drops the next one never sees.",
                Query("funnel_mix", series=True),
                "percentunit",
                legend="${__field.labels.why}",
                width=10,
                height=11,
                stacked=True,
                most=1,
            ),
            parts.rows(
                "Reasons",
                "Of what a component drops, the share by reason, and the same in as long a time before. Filters run in "
                "order, so a reason depends on that order. The alert on the mix is ReasonMixShift.",
                Query("funnel_reasons"),
                {
                    "stage": TEXT,
                    "component": Field("string", links=[_COMPONENT]),
                    "reason": TEXT,
                    "dropped": COUNT,
                    "share": SHARE,
                    "before": COUNT,
                    "share before": SHARE,
                    "calls": COUNT,
                },
                width=14,
                height=11,
            ),
            parts.rows(
                "Sources",
                f"Of about {_SAMPLE:,} requests, evenly over the time shown. found by it alone: candidates that no "
                "other source brings; survival: of what it brings, what is served; share of served: of all slots, each "
                "counted in equal parts for the sources that bring its item.",
                Query("funnel_sources", sample=str(_SAMPLE)),
                {
                    "component": Field("string", links=[_SOURCE]),
                    "requests": COUNT,
                    "candidates": MEAN,
                    "nothing": parts.shares("SourceEmpty"),
                    "found by it alone": SHARE,
                    "survival": SHARE,
                    "share of served": SHARE,
                },
                height=7,
            ),
        ],
    )
