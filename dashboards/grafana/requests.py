"""Requests: find them by what people remember, and look at one."""

from dashboards.grafana import parts
from dashboards.grafana.parts import COUNT, FUNNEL, ITEMS, MS, REQUESTS, TEXT, TIME, Field, Link, Query

_HERE = {"placement": "placement"}
_FUNNEL = Link("Where candidates go", FUNNEL, _HERE)
_KEPT = ("placement", "segment", "status", "user", "item", "rule")


def dashboard() -> parts.Board:
    """Where every drill-down ends: one request."""
    return parts.board(
        REQUESTS,
        "rectrace: Requests",
        "Requests by placement, segment, status, user, item and rule, and one of them stage by stage. Sealed ones: "
        "`rectrace why` knows the newest, too.",
        [
            parts.placement(),
            parts.segment(),
            parts.status(),
            parts.written("user", "User", "The id of one user; without one all of them."),
            parts.written("item", "Item", "The id of a candidate, served or not; without one all requests."),
            parts.written("rule", "Rule", "The id of a rule that found them at fault; without one all requests."),
            parts.written("request", "Request", "The id of the request of which the stages are shown."),
        ],
        [
            parts.lines(
                "Requests by status",
                "A request has every status that applies. An interval each.",
                Query("requests_statuses", series=True),
                "short",
                legend="${__field.labels.status}",
                width=24,
                height=6,
            ),
            parts.rows(
                "Requests",
                "The newest 200 of the time shown. Follow the id to see its stages below.",
                Query("requests_list"),
                {
                    "at": TIME,
                    "request": Field("string", links=[Link("This request", REQUESTS, {"request": "request"}, _KEPT)]),
                    "placement": Field("string", links=[_FUNNEL], width=120),
                    "user": Field("string", links=[Link("This user", REQUESTS, {"user": "user"}, ("placement",))]),
                    "statuses": TEXT,
                    "served": COUNT,
                    "asked for": COUNT,
                    "took": MS,
                    "segments": TEXT,
                    "arms": Field("string", links=[Link("Experiments here", parts.EXPERIMENTS, _HERE)]),
                    "missing": TEXT,
                },
            ),
            parts.rows(
                "Stages of the request",
                "Its events in pipeline order, whatever time is shown. after: since its first event, by the clocks of "
                "those who sent them.",
                Query("requests_stages"),
                {
                    "stage": TEXT,
                    "component": Field(
                        "string",
                        links=[Link("This component", FUNNEL, {"stage": "stage", "component": "component"})],
                    ),
                    "version": Field("string", width=90),
                    "attempt": COUNT,
                    "after": MS,
                    "took": MS,
                    "status": Field("string", width=90),
                    "in": COUNT,
                    "out": COUNT,
                    "dropped": Field("string", wrapped=True),
                    "rules": TEXT,
                    "error": TEXT,
                },
                height=14,
            ),
            parts.rows(
                "Candidates of the request",
                "Who brought each, the model's score, where it was listed last and who said that it goes; served ones "
                "first. `rectrace why` says more of each ending.",
                Query("requests_candidates"),
                {
                    "item": Field("string", links=[Link("This item", ITEMS, {"item": "item"}, ("placement",))]),
                    "position": COUNT,
                    "sources": TEXT,
                    "score": Field("short", decimals=3),
                    "last seen": TEXT,
                    "dropped": TEXT,
                },
                height=12,
            ),
        ],
    )
