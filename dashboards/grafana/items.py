"""Items: why is this item not shown?"""

from dashboards.grafana import parts
from dashboards.grafana.parts import COUNT, FUNNEL, ITEMS, MEAN, REQUESTS, SHARE, TEXT, TIME, Field, Link, Query

_COMPONENT = Link("This component", FUNNEL, {"stage": "stage", "component": "component"}, ("placement",))
_SOURCE = Link("This source", FUNNEL, {"component": "component"}, ("placement",))
_REQUESTS = Link("Requests with it", REQUESTS, {"item": "item"}, ("placement",))


def dashboard() -> parts.Board:
    """One item: how its candidacies ended, unsampled, and requests that show it."""
    return parts.board(
        ITEMS,
        "rectrace: Items",
        "Why is this item not shown? Every candidacy counts, unsampled. By segment only for those of "
        "RECTRACE_OUTCOMES__SEGMENTS; after an hour by the hour.",
        [parts.written("item", "Item", "The id of one item."), parts.placement(), parts.segment()],
        [
            parts.values(
                "The item",
                "The requests among which it could have been, in how many it was a candidate, and how it fared.",
                Query("items_summary"),
                {
                    "requests": COUNT,
                    "candidate in": COUNT,
                    "served in": COUNT,
                    "candidate share": SHARE,
                    "served share": Field("percentunit", decimals=2),
                    "mean position": MEAN,
                    "mean rank by the model": MEAN,
                },
            ),
            parts.rows(
                "Catalogue",
                "What the catalogue says of it now.",
                Query("items_catalog"),
                {
                    "item": Field("string", links=[_REQUESTS], width=90),
                    "title": TEXT,
                    "brand": TEXT,
                    "category": TEXT,
                    "price": Field("short", decimals=2),
                    "available": Field("string", width=90),
                    "deleted": Field("string", width=80),
                    "created": TIME,
                    "known": TIME,
                },
                height=4,
            ),
            parts.lines(
                "How its candidacies end",
                "By the stage, component and reason that ended them; an interval each. Filters run in order, so a "
                "reason depends on that order.",
                Query("items_outcomes", series=True),
                "short",
                legend="${__field.labels.ending}",
                width=24,
                height=9,
                stacked=True,
            ),
            parts.rows(
                "Endings",
                "How its candidacies ended in the time shown and in as long a time before. served: in the list; cut: "
                "taken by a stage whose job is to take fewer; dropped: for a stated reason; unexplained: gone without "
                "one. mean rank: by the model's scores.",
                Query("items_fates"),
                {
                    "fate": TEXT,
                    "stage": TEXT,
                    "component": Field("string", links=[_COMPONENT]),
                    "reason": TEXT,
                    "now": COUNT,
                    "before": COUNT,
                    "share": SHARE,
                    "share before": SHARE,
                    "mean rank": MEAN,
                    "mean score": Field("short", decimals=3),
                    "example": Field("string", links=[Link("This request", REQUESTS, {"request": "example"})]),
                },
            ),
            parts.rows(
                "Sources",
                "Which sources brought it; survival: how often it was served when they did.",
                Query("items_sources"),
                {
                    "component": Field("string", links=[_SOURCE]),
                    "now": COUNT,
                    "before": COUNT,
                    "found by it alone": SHARE,
                    "survival": SHARE,
                },
                width=10,
            ),
            parts.rows(
                "Requests that show it",
                "Of each window and ending the request with the lowest id; alike: how many ended so there.",
                Query("items_requests"),
                {
                    "time": TIME,
                    "ending": TEXT,
                    "request": Field(
                        "string", links=[Link("This request", REQUESTS, {"request": "request"})], width=160
                    ),
                    "placement": Field("string", width=120),
                    "alike": COUNT,
                },
                width=14,
            ),
        ],
    )
