"""Adtributor: which elements of which dimension explain a change of a measure.

Bhagwan et al., "Adtributor: Revenue Debugging in Advertising Systems", NSDI 2014. The reference period takes the place
of the paper's forecast F, the period in question that of the actual A. Of every dimension the elements are taken by
descending surprise, as long as each explains at least T_EEP of the change, until together they explain T_EP of it;
dimensions that get there are ranked by the surprise of what they took.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar

C = TypeVar("C")

T_EP: Final = 0.67  # what the elements of a dimension must explain together
T_EEP: Final = 0.10  # what each of them must explain


class Change(NamedTuple):
    """A count of one element, before and now: an additive measure."""

    before: float
    now: float


class RatioChange(NamedTuple):
    """Two counts of one element, before and now: the measure is part / whole."""

    part: Change
    whole: Change


@dataclass(frozen=True)
class Element:
    """One value of a dimension. ep: its share of the change, over a dimension they sum to 1, and some may be negative.
    surprise: in nats, 0 where its share of the total is what it was. share: of the total (of the wholes) before."""

    name: str
    ep: float
    surprise: float
    share: float


@dataclass(frozen=True)
class Explanation:
    """The elements of one dimension that explain a change, most surprising first, and their sums."""

    dimension: str
    elements: tuple[Element, ...]
    ep: float
    surprise: float
    share: float

    @property
    def lift(self) -> float:
        """How much more they explain than they would if all elements had changed alike: 1 is no explanation."""
        return self.ep / self.share if self.share else math.inf


def explain(
    dimensions: Mapping[str, Mapping[str, Change]], *, t_ep: float = T_EP, t_eep: float = T_EEP
) -> list[Explanation]:
    """Explanations of the change of a count, most surprising dimension first. None where nothing changed, or no few
    elements explain it."""
    return _ranked(dimensions, elements, t_ep, t_eep)


def explain_ratio(
    dimensions: Mapping[str, Mapping[str, RatioChange]], *, t_ep: float = T_EP, t_eep: float = T_EEP
) -> list[Explanation]:
    """The same for a ratio of two counts."""
    return _ranked(dimensions, ratio_elements, t_ep, t_eep)


def elements(changes: Mapping[str, Change]) -> list[Element]:
    """Elements of one dimension, most surprising first; empty where the total did not change.

    EP_j = (A_j - F_j) / (A - F); S_j = surprise(F_j / F, A_j / A).
    """
    total = _total(list(changes.values()))
    moved = math.fsum(change.now - change.before for change in changes.values())
    if not _matters(moved, total):
        return []
    return _sorted(
        Element(
            name, (change.now - change.before) / moved, _surprise(change, total), _share(change.before, total.before)
        )
        for name, change in changes.items()
    )


def ratio_elements(changes: Mapping[str, RatioChange]) -> list[Element]:
    """The same for a ratio m1 / m2, by the paper's partial differences in finite form:

    EP_j ~ [(A1_j - F1_j) F2 - (A2_j - F2_j) F1] / [F2 (F2 + A2_j - F2_j)], normalised to a sum of 1;
    S_j = S_j(m1) + S_j(m2).
    """
    part, whole = _total([change.part for change in changes.values()]), _total([c.whole for c in changes.values()])
    if whole.before <= 0 or whole.now <= 0:
        return []
    raw = {name: _partial(change, part, whole) for name, change in changes.items()}
    moved, ratio = math.fsum(raw.values()), part.now / whole.now - part.before / whole.before
    if not _matters(moved, Change(part.before / whole.before, part.now / whole.now)) or moved * ratio < 0:
        return []
    return _sorted(
        Element(
            name,
            raw[name] / moved,
            _surprise(change.part, part) + _surprise(change.whole, whole),
            _share(change.whole.before, whole.before),
        )
        for name, change in changes.items()
    )


def surprise(before: float, now: float) -> float:
    """How much a share changed: its term of the Jensen-Shannon divergence, in nats.

    0.5 [p ln(2p / (p + q)) + q ln(2q / (p + q))], 0 ln 0 = 0.
    """
    both = before + now
    terms = (share * math.log(2 * share / both) if share > 0 else 0.0 for share in (before, now))
    return max(0.5 * sum(terms), 0.0)


def _ranked(
    dimensions: Mapping[str, Mapping[str, C]],
    measured: Callable[[Mapping[str, C]], list[Element]],
    t_ep: float,
    t_eep: float,
) -> list[Explanation]:
    found = (_taken(name, measured(changes), t_ep, t_eep) for name, changes in dimensions.items())
    return sorted((each for each in found if each), key=lambda each: (-each.surprise, -each.ep, each.dimension))


def _taken(dimension: str, found: list[Element], t_ep: float, t_eep: float) -> Explanation | None:
    taken: list[Element] = []
    for element in found:
        if element.ep < t_eep:
            continue
        taken.append(element)
        explained = math.fsum(each.ep for each in taken)
        if explained >= t_ep:
            sums = (math.fsum(each.surprise for each in taken), math.fsum(each.share for each in taken))
            return Explanation(dimension, tuple(taken), explained, *sums)
    return None


def _partial(change: RatioChange, part: Change, whole: Change) -> float:
    moved_part, moved_whole = change.part.now - change.part.before, change.whole.now - change.whole.before
    below = whole.before * (whole.before + moved_whole)
    return (moved_part * whole.before - moved_whole * part.before) / below if below > 0 else 0.0


def _surprise(change: Change, total: Change) -> float:
    return surprise(_share(change.before, total.before), _share(change.now, total.now))


def _total(changes: list[Change]) -> Change:
    return Change(math.fsum(change.before for change in changes), math.fsum(change.now for change in changes))


def _share(part: float, whole: float) -> float:
    return part / whole if whole > 0 else 0.0


def _matters(moved: float, total: Change) -> bool:
    """False for what rounding may have left over of nothing."""
    return abs(moved) > 1e-9 * max(abs(total.before), abs(total.now))


def _sorted(found: Iterable[Element]) -> list[Element]:
    return sorted(found, key=lambda each: (-each.surprise, -each.ep, each.name))
