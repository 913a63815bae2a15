"""The alerts that are judged by statistics every minute or five: segments, error budgets, weeks."""

from typing import Final

from streams.alerts.model import SLOT, Definition, Kind

_STALE: Final = 100  # windows: three slots of which nobody knows anything

SEGMENT_WORSE: Final = Definition(
    "SegmentWorse", "ticket", Kind.ABOVE, 0.01, min_total=100, needed=3, of=3, quiet=2, every=SLOT, stale=_STALE,
    examples="segment",
    summary="{segment} at {placement}: {actual} of its requests {what} ({bad} of {total} in five minutes; expected are "
    "{expected}, by the other requests). That costs {lost} requests which others would not have lost.",
    todo="`rectrace why` of one of the examples shows the stage. An experiment's arm: stop the experiment. Else look "
    "at what is special to the segment: its stock, its rules, its data centre.",
)  # fmt: skip
COMPONENT_WORSE: Final = Definition(
    "ComponentWorse", "ticket", Kind.ABOVE, 0.01, min_total=200, needed=3, of=3, quiet=2, every=SLOT, stale=_STALE,
    summary="{component} ({stage}) at {placement} {what} in {actual} of its calls ({bad} of {total} in five minutes); "
    "usual are {usual} (of the hours before).",
    todo="Some of its requests get no good answer: of one segment, one shard, or one version. `rectrace why` of the "
    "examples shows them; the console's Segments page shows what is different about them.",
)  # fmt: skip
BUDGET_BURN: Final = Definition(
    "BudgetBurn", "page", Kind.COUNT, 10, needed=1, of=1, quiet=3, every=6, objective=0.99,
    summary="{placement} burns its error budget {rate} times too fast: {share} of the requests of the last {span} were "
    "bad ({bad} of {total}; the objective is {objective} good ones). The budget of 30 days lasts {left}.",
    todo="Bad are requests with no response, an empty one or the fallback: `rectrace changed empty` and `rectrace "
    "changed fallback` over the last hour show where they come from.",
)  # fmt: skip
BUDGET_BURN_SLOW: Final = Definition(
    "BudgetBurnSlow", "ticket", Kind.COUNT, 10, needed=1, of=1, quiet=2, every=SLOT, stale=_STALE, objective=0.99,
    summary="{placement} spends its error budget of 30 days {rate} times too fast: {share} of the requests of the last "
    "{span} were bad ({bad} of {total}; the objective is {objective} good ones).",
    todo="Nobody need get up, but it does not go away: `rectrace changed empty` and `rectrace changed fallback` over "
    "the last day show where the bad ones come from.",
)  # fmt: skip
TRAFFIC_UNUSUAL: Final = Definition(
    "TrafficUnusual", "ticket", Kind.RATIO_BELOW, 0.7, min_total=50, needed=3, of=3, quiet=2, every=SLOT, stale=_STALE,
    summary="{placement} got {value} requests in five minutes; at this time of the week {baseline} are usual (the "
    "median of {weeks} weeks).",
    todo="Look upstream: a client, a region or a page that no longer asks. On a holiday it is what it is.",
)  # fmt: skip
SHARES_UNUSUAL: Final = Definition(
    "SharesUnusual", "ticket", Kind.ABOVE, 0.01, min_total=200, needed=3, of=3, quiet=2, every=SLOT, stale=_STALE,
    examples="metric",
    summary="{actual} of the requests at {placement} {what} ({bad} of {total} in five minutes); at this time of the "
    "week {usual} are usual (the median of {weeks} weeks).",
    todo="`rectrace changed {metric} --since 1h --against 1d` shows where they come from.",
)  # fmt: skip

SLOTTED: Final = (SEGMENT_WORSE, COMPONENT_WORSE, BUDGET_BURN, BUDGET_BURN_SLOW, TRAFFIC_UNUSUAL, SHARES_UNUSUAL)
