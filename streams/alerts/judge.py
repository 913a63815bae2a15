"""One signal against its threshold: bad, good, between the two, or no data.

The gap between bad and good is what keeps an alert from flapping. A share is bad when even the lower end of its 95 %
Wilson interval (one-sided, z = 1.64) is above the threshold, so that a handful of requests fires nothing, and good as
soon as the share itself is not above it.
"""

from typing import Final, Literal

from streams.alerts.model import Definition, Kind, Signal
from streams.detect.proportion import wilson

Verdict = Literal["b", "h", "g"]  # bad, between, good
Z: Final = 1.64


def judge(signal: Signal, frozen: float | None = None) -> Verdict | None:
    """The verdict; None: no data. frozen: the baseline to compare with instead of the signal's own."""
    definition = signal.definition
    if signal.total < definition.min_total:
        return None
    if definition.kind is Kind.SHARE:
        return _share(definition, signal.bad, signal.total)
    if definition.kind is Kind.COUNT:
        return _above(signal.bad, definition.threshold, definition.clear, or_at=True)
    if signal.value is None:
        return None
    if definition.kind is Kind.ABOVE:
        clear = 0.9 * definition.threshold if definition.clear is None else definition.clear
        return _above(signal.value, definition.threshold, clear)
    baseline = signal.baseline if frozen is None else frozen
    return None if not baseline else _ratio(definition, signal.value, baseline)


def _share(definition: Definition, bad: float, total: float) -> Verdict | None:
    if total <= 0:
        return None
    if wilson(bad, total, Z).low > definition.threshold:
        return "b"
    clear = definition.threshold if definition.clear is None else definition.clear
    return "g" if bad / total <= clear else "h"


def _above(value: float, threshold: float, clear: float | None, *, or_at: bool = False) -> Verdict:
    if value > threshold or (or_at and value == threshold):
        return "b"
    return "g" if clear is None or value <= clear else "h"


def _ratio(definition: Definition, value: float, baseline: float) -> Verdict:
    """Good half-way back to 1, unless `clear` says otherwise."""
    ratio, threshold = value / baseline, definition.threshold
    clear = (threshold + 1) / 2 if definition.clear is None else definition.clear
    if definition.kind is Kind.RATIO_BELOW:
        return "b" if ratio < threshold else "g" if ratio >= clear else "h"
    if ratio > threshold and value - baseline >= definition.floor:
        return "b"
    return "g" if ratio <= clear or value - baseline < definition.floor else "h"
