"""Experiments: what do the arms do to users, side by side, and are they who was planned?"""

from typing import Final

from dashboards.grafana import formulas, parts
from dashboards.grafana.parts import COUNT, EXPERIMENTS, MS, REQUESTS, SEGMENTS, SHARE, Field, Limit, Link, Query
from streams.alerts.distribution_definitions import SAMPLE_RATIO_MISMATCH
from streams.alerts.experiments import CERTAIN, STRANGE
from streams.alerts.slot_definitions import SEGMENT_WORSE
from streams.detect.srm import MIN_EXPECTED, MIN_USERS

_EXPERIMENT: Final = Link("This experiment alone", EXPERIMENTS, {"experiment": "experiment"}, ("placement", "planned"))
_REQUESTS: Final = Link("Requests of this arm", REQUESTS, {"segment": "segment"}, ("placement",))
_SEGMENTS: Final = Link("Against the other arms", SEGMENTS, {"dimension": "dimension"}, ("placement",))
_LEAST: Final = f"{SEGMENT_WORSE.min_total:.0f}"


def _series(title: str, description: str, value: str, unit: str, bound: Limit | None = None) -> parts.Series:
    query = Query("experiments_series", series=True, value=value)
    return parts.lines(title, description, query, unit, legend="${__field.labels.arm}", bound=bound)


def dashboard() -> parts.Board:
    """For those who run experiments, and for those who suspect one."""
    return parts.board(
        EXPERIMENTS,
        "rectrace: Experiments",
        "The arms of experiments side by side: what is served, how fast, and whether they have the users planned for "
        "them. What users did with it is in Scores and feedback.",
        [
            parts.placement(),
            parts.any_of("experiment", "Experiment", "As request events name it; without one all of them."),
            parts.written(
                "planned",
                "Planned",
                'What RECTRACE_EXPERIMENTS has, such as {"ranker": {"control": 1, "v2": 1}}: the weights of the arms, '
                "of any scale. Experiments that it lacks are taken to have equal arms.",
            ),
        ],
        [
            parts.rows(
                "Arms",
                "Each arm over all its requests in the time shown. Arms differ by chance, too: the link behind an arm "
                f"leads to the scan that tells. few requests: fewer than the {_LEAST} from which on that compares.",
                Query("experiments_arms", least=_LEAST),
                {
                    "experiment": Field("string", links=[_EXPERIMENT]),
                    "arm": Field("string", links=[_REQUESTS, _SEGMENTS]),
                    "sample": Field("string", colours=[("few requests", "orange")]),
                    "requests": COUNT,
                    "of all": SHARE,
                    "empty": parts.shares("EmptyResponses"),
                    "short": parts.shares("ShortResponses"),
                    "fallback": parts.shares("FallbackResponses"),
                    "no response": parts.shares("NoResponse"),
                    "stage failed": SHARE,
                    "served": parts.MEAN,
                    "latency": Field("ms", hidden=True),
                    "p50": MS,
                    "p95": Field("ms", parts.limit("LatencyHigh"), decimals=0),
                    "p99": MS,
                    "segment": Field("string", hidden=True),
                    "dimension": Field("string", hidden=True),
                },
            ),
            parts.rows(
                "Users by arm",
                "Distinct users in the time shown, at any placement, against the planned split (chi-square). Of fewer "
                f"than {MIN_USERS:,} users, or fewer than {MIN_EXPECTED:.0f} expected in an arm, nothing is said; arms "
                f"that nobody planned with {STRANGE:.0%} of the users are a mismatch for certain. The alert looks at "
                "the last 24 h once an hour, and only at experiments that RECTRACE_EXPERIMENTS plans. After a mismatch "
                "do not read the results.",
                Query(
                    "experiments_users",
                    min_users=str(MIN_USERS),
                    min_expected=str(MIN_EXPECTED),
                    strange=str(STRANGE),
                    certain=str(CERTAIN),
                    threshold=str(SAMPLE_RATIO_MISMATCH.threshold),
                    p=formulas.chi_square_tail("chi", "freedom"),
                ),
                {
                    "experiment": Field("string", links=[_EXPERIMENT]),
                    "arm": Field("string", links=[_REQUESTS]),
                    "users": COUNT,
                    "share": SHARE,
                    "planned": SHARE,
                    "plan": parts.TEXT,
                    "chi-square": parts.MEAN,
                    "-log10 p": Field("none", parts.limit("SampleRatioMismatch"), decimals=1),
                    "verdict": Field("string", colours=[("mismatch", "red"), ("fits", "green")]),
                    "segment": Field("string", hidden=True),
                },
            ),
            _series("Requests", "By arm, an interval each.", "sum(m.requests)", "short"),
            _series(
                "Empty responses",
                "Responses without an item, by arm.",
                "sum(m.empty) / nullIf(sum(m.responded), 0)",
                "percentunit",
                parts.limit("EmptyResponses"),
            ),
            _series(
                "Short responses",
                "Responses with fewer items than asked for, empty ones included, by arm.",
                "sum(m.short) / nullIf(sum(m.responded), 0)",
                "percentunit",
                parts.limit("ShortResponses"),
            ),
            _series(
                "Fallback",
                "Served by fallback, by arm.",
                "sum(m.fallback) / nullIf(sum(m.responded), 0)",
                "percentunit",
                parts.limit("FallbackResponses"),
            ),
            _series(
                "Stage failed",
                "Requests in which a stage timed out or failed, by arm.",
                "sum(m.failed) / sum(m.requests)",
                "percentunit",
            ),
            _series(
                "Response time, p95",
                "The 95th percentile, by arm.",
                "quantilesTDigestMerge(0.5, 0.95, 0.99)(latencies)[2]",
                "ms",
                parts.limit("LatencyHigh"),
            ),
        ],
    )
