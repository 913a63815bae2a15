"""Rules that take over what is served: a rule's share of the slots, now and before. Pure.

share = served slots that the rule pinned, boosted or injected / all served slots (METRICS, slot share by rule). A rule
that took nothing before is compared with `LEAST`, so that a new one may take a little without a word.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from schemas.alerts import SlotCounts

LEAST: Final = 0.05


class Taken(NamedTuple):
    """Of one rule at one placement. slots: those served; before: None while too little is known."""

    placement: str
    rule: str
    slots: int
    now: float
    before: float | None


class Takeovers:
    """What is known of the slots of some windows."""

    def __init__(self, counts: Iterable[SlotCounts]) -> None:
        self._served: dict[str, dict[int, int]] = defaultdict(dict)  # by placement, by window
        self._taken: dict[tuple[str, str], dict[int, int]] = defaultdict(dict)
        for each in counts:
            if each.rule:
                self._taken[each.placement, each.rule][each.window] = each.taken
            else:
                self._served[each.placement][each.window] = each.slots

    def at(self, window: int, recent: Sequence[int], history: Sequence[int], least: int) -> Iterator[Taken]:
        """Every rule that took anything, at placements that served something in the window.

        recent, history: windows, ascending, that are compared. least: windows of history that must be known.
        """
        for (placement, rule), taken in self._taken.items():
            served = self._served[placement]
            if window not in served:
                continue
            known = [each for each in history if each in served]
            before = _share(taken, served, known) if len(known) >= least else None
            newest = [each for each in recent if each in served]
            slots = sum(served[each] for each in newest)
            yield Taken(placement, rule, slots, _share(taken, served, newest), before)


def _share(taken: Mapping[int, int], served: Mapping[int, int], windows: Sequence[int]) -> float:
    return sum(taken.get(each, 0) for each in windows) / max(sum(served[each] for each in windows), 1)
