"""The alerts about distributions: of scores, of the reasons why candidates are dropped, of users over arms.

All but one are tickets: that something else comes out than before is no harm yet, and what users notice of it has pages
of its own. Scores that say nothing are the exception. A ranker that gives all candidates the same score, or none, is
broken for certain, and nobody may notice: the lists are full, in whatever order the candidates came.
"""

from typing import Final

from streams.alerts.model import SLOT, Definition, Kind
from streams.detect.drift import MIN_PSI
from streams.detect.mix import MIN_BITS
from streams.detect.srm import MIN_USERS

_HOUR: Final = 360

SCORES_DEGENERATE: Final = Definition(
    "ScoresDegenerate", "page", Kind.SHARE, 0.20, min_total=50, examples="degenerate",
    summary="{component} at {placement} gives all candidates the same score or none in {share} of the requests ({bad} "
    "of {total}; allowed are {threshold}): {constant} with one score for all, {missing} with none.",
    todo="Its order says nothing. Look at the model's features and at its newest deploy; serve another version of it, "
    "or the fallback, until it is mended.",
)  # fmt: skip
SCORE_DRIFT: Final = Definition(
    "ScoreDrift", "ticket", Kind.ABOVE, MIN_PSI, min_total=200, every=SLOT, stale=3 * SLOT,
    summary="The scores of {component} at {placement} have drifted: PSI {value} (allowed is {threshold}) of {now} "
    "against {before} before; their mean went from {mean_before} to {mean}{version}.",
    todo="If a new version is meant to score otherwise, check what else goes by the scores (boosts, thresholds, "
    "blends) and wait: it ends once the last day has taken it in. If none is new, look at the model's features.",
)  # fmt: skip
REASON_MIX_SHIFT: Final = Definition(
    "ReasonMixShift", "ticket", Kind.ABOVE, MIN_BITS, min_total=200, every=SLOT, stale=3 * SLOT,
    summary="{component} ({stage}) at {placement} drops candidates for other reasons than before: {reason} went from "
    "{share_before} to {share_now} of what it drops (divergence {value} bits, allowed are {threshold}; {now} against "
    "{before} before).",
    todo="`rectrace changed yield` shows whether it also lets through less. Look at what feeds that reason: a rule, a "
    "feed of stock or of licences, a threshold.",
)  # fmt: skip
SAMPLE_RATIO_MISMATCH: Final = Definition(
    "SampleRatioMismatch", "ticket", Kind.ABOVE, 4, min_total=MIN_USERS, every=_HOUR, stale=2 * _HOUR + SLOT,
    needed=1, of=1, quiet=1,
    summary="The arms of {experiment} do not have the users planned for them: {arms}, of {total} users in "
    "24 h (p = {value}).",
    todo="Do not read its results: whatever keeps users out of an arm also chooses them. Look at the assignment, at "
    "redirects and errors of one arm, and at what was filtered out of the events.",
)  # fmt: skip

DISTRIBUTIONS: Final = (SCORES_DEGENERATE, SCORE_DRIFT, REASON_MIX_SHIFT, SAMPLE_RATIO_MISMATCH)
