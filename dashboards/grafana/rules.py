"""Rules: what they forbid and is served all the same, and what they do to what is served."""

from dashboards.grafana import parts
from dashboards.grafana.parts import COUNT, ITEMS, REQUESTS, RULES, SHARE, TEXT, TIME, Field, Link, Query

_RULE = Link("This rule alone", RULES, {"rule": "rule"}, ("placement",))
_AT_FAULT = Link("Requests that it found at fault", REQUESTS, {"rule": "rule"}, ("placement",))
_PLACEMENT = Link("This placement alone", RULES, {"placement": "placement"}, ("rule",))


def _pressure(title: str, description: str, value: str, unit: str) -> parts.Series:
    query = Query("rules_placement_series", series=True, value=value)
    return parts.lines(title, description, query, unit, legend="${__field.labels.placement}")


def dashboard() -> parts.Board:
    """For those who own rules, and for those who suspect one."""
    return parts.board(
        RULES,
        "rectrace: Rules",
        "Rules that are violated, and what rules do to the lists that are served: pressure, slots, conflicts, and how "
        "little they leave.",
        [parts.placement(), parts.any_of("rule", "Rule", "Of the business; without one all of them.")],
        [
            parts.lines(
                "Requests at fault",
                "By rule: of the requests that it judged, those that violate it, whatever the placement.",
                Query("rules_hits", series=True),
                "percentunit",
                legend="${__field.labels.rule}",
            ),
            _pressure(
                "Rule pressure",
                "How far the served list is from the model's order: the mean of 1 - RBO (p = 0.9; Webber, Moffat, "
                f"Zobel 2010) of the requests that have both. {parts.compared('RulePressure')}",
                "sum(pressure_sum) / nullIf(sum(judged), 0)",
                "none",
            ),
            _pressure(
                "Too few left",
                "Requests that hard rules leave with fewer candidates than asked for, of those of which it is known: "
                "the earliest sign of too many rules.",
                "sum(over_constrained) / nullIf(sum(constrained), 0)",
                "percentunit",
            ),
            parts.rows(
                "Rules",
                "Every rule as it was published last, or as events name it. judged, at fault: requests, whatever the "
                "placement; matched: requests in which it adjusted candidates; slots: served ones that it pinned, "
                "boosted or injected; conflicts: candidates that another rule moved the other way; lost: those in "
                "which it changed nothing.",
                Query("rules_list"),
                {
                    "rule": Field("string", links=[_RULE, _AT_FAULT], width=220),
                    "owner": TEXT,
                    "severity": TEXT,
                    "action": TEXT,
                    "judged": COUNT,
                    "at fault": COUNT,
                    "share at fault": SHARE,
                    "matched": COUNT,
                    "slots": COUNT,
                    "conflicts": COUNT,
                    "lost": COUNT,
                },
                height=11,
            ),
            parts.lines(
                "Slots by rule",
                "Of all slots served, those that a rule pinned, boosted or injected: the twelve with most.",
                Query("rules_slots", series=True),
                "percentunit",
                legend="${__field.labels.rule}",
                width=24,
            ),
            parts.rows(
                "Placements",
                "regret: what rules cost by the model's own scores; fewer than: what hard rules leave; matched: how "
                "many rules match a request, at most, in 95 % of them.",
                Query("rules_placements"),
                {
                    "placement": Field("string", links=[_PLACEMENT]),
                    "requests": COUNT,
                    "pressure": Field("none", decimals=3),
                    "regret": Field("none", decimals=3),
                    "slots by rules": SHARE,
                    "fewer than asked for": SHARE,
                    "fewer than twice that": SHARE,
                    "adjusted": SHARE,
                    "with conflicts": SHARE,
                    "by_rules": Field("none", hidden=True),
                    "matched": COUNT,
                },
                height=6,
            ),
            parts.rows(
                "Violations",
                "The newest 200: what was served against a rule, and what the rule saw. Of one that everything "
                "violates a window keeps a thousand.",
                Query("rules_violations"),
                {
                    "at": TIME,
                    "rule": Field("string", links=[_RULE]),
                    "severity": Field("string", width=90),
                    "request": Field("string", links=[Link("This request", REQUESTS, {"request": "request"})]),
                    "placement": Field("string", width=120),
                    "user": Field("string", links=[Link("This user", REQUESTS, {"user": "user"}, ("placement",))]),
                    "item": Field("string", links=[Link("This item", ITEMS, {"item": "item"}, ("placement",))]),
                    "position": COUNT,
                    "saw": Field("string", wrapped=True),
                },
                height=10,
            ),
        ],
    )
