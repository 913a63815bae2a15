"""Overview: is something wrong, since when, for whom, and is it us?"""

from dashboards.grafana import parts
from dashboards.grafana.parts import COUNT, FUNNEL, MS, OVERVIEW, REQUESTS, SHARE, TEXT, TIME, Field, Link, Query

_PLACEMENT = {"placement": "placement"}
_FUNNEL = Link("Where candidates go here", FUNNEL, _PLACEMENT)
_REQUESTS = Link("Requests here", REQUESTS, _PLACEMENT)
_ALERT_FUNNEL = Link("Where candidates go", FUNNEL, {name: name for name in ("placement", "stage", "component")})
_PIPELINE = Link("Why: pipeline health", parts.PIPELINE, {}, source="")
_EXAMPLE = Link("This request", REQUESTS, {"request": "example"})


def _share(title: str, description: str, alert: str | None, bad: str, of: str) -> parts.Series:
    return parts.lines(
        title,
        description,
        Query("overview_share", series=True, bad=bad, of=of),
        "percentunit",
        legend="${__field.labels.placement}",
        bound=parts.limit(alert) if alert else None,
        width=6,
    )


def dashboard() -> parts.Board:
    """The wall to watch: what alerts link to if they are of a placement or a segment."""
    return parts.board(
        OVERVIEW,
        "rectrace: Overview",
        "Is something wrong, since when, for whom, and is it us? Sealed windows: up to 25 s ago.",
        [parts.placement(), parts.segment()],
        [
            parts.values(
                "Is it us?",
                "How old the newest sealed window and the slowest partition are, as of now, and what of the time shown "
                "could not be counted or taken: windows that lack a partition, requests of which only other events "
                "came, dead letters. While this is red, nothing else here is news of the recommender.",
                Query("overview_freshness"),
                {
                    "newest sealed": Field("s", parts.limit("IngestLag"), [_PIPELINE]),
                    "slowest partition": Field("s", links=[_PIPELINE]),
                    "windows incomplete": COUNT,
                    "no request event": COUNT,
                    "dead letters": COUNT,
                },
                width=9,
            ),
            parts.values(
                "The last five minutes",
                "Of the responses at the placements chosen, or of the requests where there may be none.",
                Query("overview_now"),
                {
                    "requests": Field("reqps", decimals=1),
                    "empty": parts.shares("EmptyResponses"),
                    "short": parts.shares("ShortResponses"),
                    "fallback": parts.shares("FallbackResponses"),
                    "no response": parts.shares("NoResponse"),
                    "incomplete": parts.shares("IncompleteTraces"),
                    "p95": Field("ms", parts.limit("LatencyHigh"), decimals=0),
                },
                width=15,
            ),
            parts.rows(
                "Alerts",
                "What is pending or fires now, whatever time is shown, pages first. `rectrace alerts list` has those "
                "that ended.",
                Query("overview_alerts"),
                {
                    "severity": Field("string", width=75),
                    "alert": Field("string", links=[_ALERT_FUNNEL], width=150),
                    "status": Field("string", width=70),
                    "since": TIME,
                    "placement": Field("string", links=[_FUNNEL, _REQUESTS], width=110),
                    "stage": Field("string", hidden=True),
                    "component": Field("string", hidden=True),
                    "segment": Field(
                        "string",
                        links=[Link("This segment", OVERVIEW, {"placement": "placement", "segment": "segment"})],
                        width=130,
                    ),
                    "summary": Field("string", wrapped=True),
                    "example": Field("string", links=[_EXAMPLE], width=150),
                },
                height=8,
                nothing="No alert is pending or fires.",
            ),
            _share("Empty responses", "Responses without an item.", "EmptyResponses", "sum(m.empty)", "sum(responded)"),
            _share(
                "Short responses",
                "Responses with fewer items than asked for, empty ones included.",
                "ShortResponses",
                "sum(m.short)",
                "sum(responded)",
            ),
            _share("Fallback", "Served by fallback.", "FallbackResponses", "sum(m.fallback)", "sum(responded)"),
            _share(
                "No response",
                "Requests of which no response event came.",
                "NoResponse",
                "sum(m.requests - responded)",
                "sum(m.requests)",
            ),
            _share(
                "Errors",
                "Requests in which a stage said error or timeout. The alert StageFailing looks at each component: the "
                "Funnel has its line.",
                None,
                "sum(m.failed)",
                "sum(m.requests)",
            ),
            parts.lines(
                "Response time, p95",
                "The 95th percentile: of the response's duration_ms, else from the request's time to "
                f"the response's. {parts.compared('LatencyShift')}",
                Query("overview_latency", series=True),
                "ms",
                legend="${__field.labels.placement}",
                bound=parts.limit("LatencyHigh"),
                width=6,
            ),
            parts.lines(
                "Requests",
                f"A second, and a week before. {parts.compared('TrafficCollapse')} {parts.compared('TrafficUnusual')}",
                Query("overview_requests", series=True),
                "reqps",
                legend="${__field.name}",
                width=6,
            ),
            parts.lines(
                "Ingest freshness",
                "How long after its end a window was sealed, whatever the placement: the longest.",
                Query("overview_fresh", series=True),
                "s",
                legend="${__field.name}",
                bound=parts.limit("IngestLag"),
                width=6,
            ),
            parts.rows(
                "Placements",
                "Each placement in the time shown; `of before`: its requests, against as long a time before.",
                Query("overview_placements"),
                {
                    "placement": Field("string", links=[_FUNNEL, _REQUESTS]),
                    "requests": COUNT,
                    "of before": SHARE,
                    "empty": parts.shares("EmptyResponses"),
                    "short": parts.shares("ShortResponses"),
                    "fallback": parts.shares("FallbackResponses"),
                    "no response": parts.shares("NoResponse"),
                    "stage failed": SHARE,
                    "incomplete": parts.shares("IncompleteTraces"),
                    "latency": Field("ms", hidden=True),
                    "p50": MS,
                    "p95": Field("ms", parts.limit("LatencyHigh"), decimals=0),
                    "p99": MS,
                },
                height=8,
            ),
            parts.rows(
                "Segments that lose most",
                "Bad are requests with no response, an empty one or the fallback (an empty fallback counts twice). "
                "Lost are those beyond what the other requests of the placement would have lost. An alert asks more: "
                "see SegmentWorse.",
                Query("overview_segments"),
                {
                    "placement": TEXT,
                    "segment": Field(
                        "string",
                        links=[
                            Link("This segment", OVERVIEW, {"placement": "placement", "segment": "segment"}),
                            Link("Segments here", parts.SEGMENTS, _PLACEMENT),
                        ],
                    ),
                    "requests": COUNT,
                    "bad": SHARE,
                    "bad among others": SHARE,
                    "lost": Field("short", decimals=0),
                },
                nothing="No segment has lost a request.",
            ),
        ],
    )
