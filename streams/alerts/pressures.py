"""Rule pressure at a placement, now and before, and the rule that grew most. Pure.

pressure = mean of 1 - RBO of model order and served order; share of a rule = served slots that it pinned, boosted or
injected / all served slots (METRICS, ordering and rule pressure).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from schemas.alerts import PressureCounts, SlotCounts

LEAST: Final = 0.1  # what is compared with at least: twice next to nothing is not much


class Pressed(NamedTuple):
    """Of one placement. before: None while too little is known. rule: whose share grew most; empty: none took any."""

    placement: str
    requests: int
    now: float
    before: float | None
    rule: str
    share_now: float
    share_before: float


class Pressures:
    """What is known of some windows."""

    def __init__(self, pressures: Iterable[PressureCounts], slots: Iterable[SlotCounts]) -> None:
        self._counts: dict[str, dict[int, PressureCounts]] = defaultdict(dict)  # by placement, by window
        self._taken: dict[str, dict[str, dict[int, int]]] = defaultdict(lambda: defaultdict(dict))  # by rule, too
        for each in pressures:
            self._counts[each.placement][each.window] = each
        for slot in slots:
            self._taken[slot.placement][slot.rule][slot.window] = slot.taken

    def at(self, window: int, recent: Sequence[int], history: Sequence[int], least: int) -> Iterator[Pressed]:
        """Of every placement with something judged in the window.

        recent, history: windows, ascending, that are compared. least: windows of history that must be known.
        """
        for placement, counts in self._counts.items():
            if window not in counts:
                continue
            now = [counts[each] for each in recent if each in counts]
            before = [counts[each] for each in history if each in counts]
            usual = max(_mean(before), LEAST) if len(before) >= least else None
            rules = self._taken[placement]
            shares = [(rule, _share(taken, now), _share(taken, before)) for rule, taken in rules.items()]
            grown = max(shares, key=lambda share: (share[1] - share[2], share[0]), default=("", 0.0, 0.0))
            yield Pressed(placement, sum(each.judged for each in now), _mean(now), usual, *grown)


def _mean(counts: Sequence[PressureCounts]) -> float:
    return sum(each.pressure for each in counts) / max(sum(each.judged for each in counts), 1)


def _share(taken: Mapping[int, int], counts: Sequence[PressureCounts]) -> float:
    return sum(taken.get(each.window, 0) for each in counts) / max(sum(each.slots for each in counts), 1)
