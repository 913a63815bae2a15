"""Scores and feedback: do the models still say what they said, and do users agree?"""

from typing import Final

from dashboards.grafana import formulas, parts
from dashboards.grafana.parts import (
    COUNT,
    FUNNEL,
    REQUESTS,
    SHARE,
    TEXT,
    Field,
    Link,
    Query,
)
from schemas.distributions import GAMMA, MIDDLE
from sinks.clickhouse.changes import MIN_WINDOWS
from streams.alerts.distribution_definitions import SCORE_DRIFT
from streams.alerts.distributions import BEFORE_S, LEAST_BEFORE_S, NEW_VERSION, NOW_S
from streams.detect.drift import BINS, Z
from streams.detect.proportion import Z95

_SAMPLE: Final = 200_000  # requests of which the served lists are read
_SCORED: Final = 20_000  # of which the scores of all candidates are read, too
_LOW, _HIGH = formulas.wilson('"clicks"', '"impressions"', Z95)
_CTR: Final = Field("percentunit", decimals=2)
_CLICKS: Final = {"clicks": COUNT, "CTR": _CTR, "at least": _CTR, "at most": _CTR}
_SCORE: Final = Field("short", decimals=3)
_FUNNEL: Final = Link("This component", FUNNEL, {"stage": "stage", "component": "component", "placement": "placement"})
_ANYWHERE: Final = Link("This component", FUNNEL, {"stage": "stage", "component": "component"}, ("placement",))
_HERE: Final = {"placement": "placement"}
_SHOWN: Final = (
    "Shown is what has an impression; of a request that has none, every slot served. Clicks count for an hour, so that "
    f"the newest requests lack some. Of about {_SAMPLE:,} requests, evenly over the time; of more than two days ago "
    "only some are kept, and more of the bad ones."
)
_INTERVAL: Final = "at least, at most: the 95 % interval (Wilson). What counts as shown: see Click-through rate."


def _feedback(name: str, sample: int = _SAMPLE) -> Query:
    return Query(name, sample=str(sample), windows=str(MIN_WINDOWS), low=_LOW, high=_HIGH)


def _clicks(title: str, description: str, value: str, unit: str) -> parts.Series:
    query = Query("feedback_series", series=True, value=value, sample=str(_SAMPLE), windows=str(MIN_WINDOWS))
    return parts.lines(title, f"{description} {_SHOWN}", query, unit, legend="${__field.labels.placement}", width=12)


def dashboard() -> parts.Board:
    """For those who build models: tickets are of this, never pages but for scores that say nothing."""
    drift = Query(
        "scores_drift",
        bins=str(BINS),
        least=str(SCORE_DRIFT.threshold),
        z=str(Z),
        now=str(NOW_S),
        before=str(BEFORE_S),
        least_before=str(LEAST_BEFORE_S),
        min_total=str(SCORE_DRIFT.min_total),
        new_version=str(NEW_VERSION),
        inside="k <= if(b = bins, 2147483647, inner[b]) AND k > if(b = 1, -2147483648, inner[b - 1])",
    )
    return parts.board(
        parts.SCORES,
        "rectrace: Scores and feedback",
        "Do the models still say what they said, and do users agree? Scores, their drift and calibration, clicks by "
        "position and segment, and how much of the catalogue is shown. Scores and drift are of all segments.",
        [
            parts.placement(),
            parts.segment(),
            parts.any_of("scorer", "Model", "The scoring component; without one all of them."),
            parts.any_of("dimension", "Dimension", "What requests are told apart by; without one all of them."),
        ],
        [
            parts.lines(
                "Scores",
                "The 5th, 50th and 95th percentile of the scores of all candidates, by model and version, within 5 %. "
                "Requests with one score for all are left out.",
                Query("scores_quantiles", series=True, gamma=str(GAMMA), middle=str(MIDDLE)),
                "short",
                legend="${__field.labels.line}",
                width=16,
                height=9,
            ),
            parts.lines(
                "Scores that say nothing",
                "Requests in which the model gives all candidates the same score, or none.",
                Query("scores_degenerate", series=True),
                "percentunit",
                legend="${__field.labels.component}",
                bound=parts.limit("ScoresDegenerate"),
                height=9,
            ),
            parts.rows(
                "Drift",
                f"The last {NOW_S // 60} minutes of the time shown against the {BEFORE_S // 3600} h before, as the "
                f"alert ScoreDrift ({SCORE_DRIFT.severity}) compares them every five minutes: the population stability "
                f"index over {BINS} bins. allowed: {SCORE_DRIFT.threshold:g}, or what chance makes of so few requests, "
                f"if that is more. Of fewer than {SCORE_DRIFT.min_total:.0f} requests, or less than "
                f"{LEAST_BEFORE_S // 3600} h before, nothing is said. ties: scores that another candidate of the "
                "request has, too.",
                drift,
                {
                    "component": Field("string", links=[_FUNNEL]),
                    "placement": Field("string", links=[Link("Requests here", REQUESTS, _HERE)]),
                    "requests": COUNT,
                    "before": COUNT,
                    "mean": _SCORE,
                    "mean before": _SCORE,
                    "sd": _SCORE,
                    "ties": SHARE,
                    "no score": SHARE,
                    "new version": TEXT,
                    "PSI": Field("none", decimals=3),
                    "allowed": Field("none", decimals=3),
                    "verdict": Field("string", colours=[("drifted", "red"), ("as before", "green")]),
                    "stage": Field("string", hidden=True),
                },
                height=7,
            ),
            _clicks("Click-through rate", "Clicks by what was shown.", "sum(clicks) / sum(impressions)", "percentunit"),
            _clicks(
                "Clicks over expected clicks (COEC)",
                "1 is what the positions shown get in all of the time shown, at the same placement: what is left of "
                "the click-through rate when lists get longer or shorter.",
                "sum(clicks) / nullIf(sum(expected), 0)",
                "none",
            ),
            parts.rows(
                "Calibration",
                "What the model predicts of what was shown, and what came of it. predicted per click: 1 where scores "
                "are chances of a click; else what matters is that it stays what it is. "
                f"{_INTERVAL} Of about {_SCORED:,} requests.",
                _feedback("scores_calibration", _SCORED),
                {
                    "component": Field("string", links=[_FUNNEL]),
                    "version": TEXT,
                    "placement": Field("string", links=[Link("Requests here", REQUESTS, _HERE)]),
                    "impressions": COUNT,
                    "predicted": _SCORE,
                    **_CLICKS,
                    "predicted per click": Field("none", decimals=2),
                    "stage": Field("string", hidden=True),
                },
                width=12,
                height=10,
            ),
            parts.rows(
                "Reliability",
                "Of each model's version, what was shown in tenths by its score: clicks should rise from tenth to "
                f"tenth. {_INTERVAL} Of about {_SCORED:,} requests.",
                _feedback("scores_tenths", _SCORED),
                {
                    "component": Field("string", links=[_ANYWHERE]),
                    "version": TEXT,
                    "tenth": COUNT,
                    "from": _SCORE,
                    "to": _SCORE,
                    "impressions": COUNT,
                    "predicted": _SCORE,
                    **_CLICKS,
                    "stage": Field("string", hidden=True),
                },
                width=12,
                height=10,
            ),
            parts.rows(
                "Feedback by segment",
                f"What users of each segment and arm do with what they are shown. {_INTERVAL} COEC: against what its "
                "positions get of all requests at the placement.",
                _feedback("feedback_segments"),
                {
                    "segment": Field(
                        "string",
                        links=[
                            Link("Requests of this segment", REQUESTS, {"segment": "segment"}, ("placement",)),
                            Link("This segment alone", parts.SCORES, {"segment": "segment"}, ("placement", "scorer")),
                            Link("Segments", parts.SEGMENTS, {}, ("placement", "dimension")),
                        ],
                        width=220,
                    ),
                    "impressions": COUNT,
                    **_CLICKS,
                    "COEC": Field("none", decimals=2),
                    "carts": _CTR,
                    "purchases": _CTR,
                    "dismissals": _CTR,
                },
                height=11,
            ),
            parts.rows(
                "Feedback by position",
                f"What COEC takes as expected. {_INTERVAL}",
                _feedback("feedback_positions"),
                {
                    "placement": Field("string", links=[Link("Requests here", REQUESTS, _HERE)]),
                    "position": COUNT,
                    "impressions": COUNT,
                    **_CLICKS,
                },
                width=12,
                height=11,
            ),
            parts.rows(
                "Items shown most",
                f"The fifty of them. share: of all that was shown. {_INTERVAL}",
                _feedback("feedback_items"),
                {
                    "item": Field("string", links=[Link("This item", parts.ITEMS, {"item": "item"}, ("placement",))]),
                    "impressions": COUNT,
                    "share": _CTR,
                    **_CLICKS,
                    "purchases": COUNT,
                },
                width=12,
                height=11,
            ),
            parts.rows(
                "Catalogue",
                "How much of it is shown, and how unevenly; without a placement: at all of them. coverage: items "
                "shown, of all there are; Gini: 0 if all are shown alike, 1 if one has it all, those never shown "
                "included; top 10, top 1 %: their share of what is shown; effective items: as many, shown alike, are "
                f"as diverse (e to the entropy). Of about {_SAMPLE:,} requests: fewer cover less.",
                _feedback("feedback_catalog"),
                {
                    "placement": Field("string", links=[Link("Where candidates go", FUNNEL, _HERE)]),
                    "impressions": COUNT,
                    "items": COUNT,
                    "catalogue": COUNT,
                    "coverage": SHARE,
                    "Gini": Field("none", decimals=3),
                    "top 10": SHARE,
                    "top 1 %": SHARE,
                    "effective items": parts.MEAN,
                },
                height=6,
            ),
        ],
    )
