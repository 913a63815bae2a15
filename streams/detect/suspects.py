"""Which component is to blame: looks at every component, before and now, and those that deviate in pipeline order.

A fault shows in everything downstream of it, so the first deviation is the suspect and those after it are mostly its
consequences. A look counts when it differs by more than chance (standard errors, with requests as the independent
trials: candidates of one request fare alike) and by more than matters (a floor each).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from streams.detect.proportion import Share, difference, mean_difference

Signal = Literal[
    "missing", "failed", "fallback", "empty", "candidates", "yield", "constant", "score", "guard", "dropped",
    "unexplained", "adjusted", "delta", "duration",
]  # fmt: skip

MIN_Z: Final = 5.0  # some 200 looks: one in 10,000 comparisons of equals has one above this
MIN_REQUESTS: Final = 20


class Floor(NamedTuple):
    """What matters: the least change, and as a share of what it was. variation: sd / mean of a mean; None: a share.
    counted: a mean of counts."""

    least: float = 0.0
    relative: float = 0.0
    variation: float | None = None
    counted: bool = False


# In the order in which one component's deviations are told: the plainest first.
SIGNALS: Final[Mapping[Signal, Floor]] = {
    "missing": Floor(0.02),  # requests without an event of it
    "failed": Floor(0.01),  # events that say timeout or error
    "fallback": Floor(0.01),
    "empty": Floor(0.02),  # events that put out nothing
    "candidates": Floor(1.0, 0.2, 1.0, counted=True),  # put out, of a source
    "yield": Floor(0.05),  # put out of what came in
    "constant": Floor(0.5),  # all scores of a placement are one number
    "score": Floor(0.0, 0.15, 0.5),  # mean
    "guard": Floor(0.05),  # candidacies of unavailable items that it drops, where it used to drop most of them
    "dropped": Floor(0.02, 1.0),  # candidacies that ended so, by reason: twice or half as many, as reasons drift
    "unexplained": Floor(0.02),
    "adjusted": Floor(0.05, 0.3, 1.0, counted=True),  # candidates a request, by rule
    "delta": Floor(0.0, 1.0, 1.0),  # size of an adjustment, by rule
    "duration": Floor(5.0, 0.3, 1.0),  # ms
}
_ORDER: Final = {signal: number for number, signal in enumerate(SIGNALS)}


class Look(NamedTuple):
    """One number of one component at one placement, before and now. what: the reason or rule, if it is about one."""

    placement: str
    stage: str
    component: str
    signal: Signal
    before: Share
    now: Share
    what: str = ""


@dataclass(frozen=True)
class Deviation:
    """A number of a component that changed: at these placements, where it was and is so much together. z: of the one
    where it is clearest, negative for less."""

    stage: str
    component: str
    signal: Signal
    what: str
    before: float
    now: float
    z: float
    placements: tuple[str, ...]


def deviations(
    looks: Iterable[Look],
    place: Callable[[str, str], tuple[float, ...]],
    *,
    first: Signal | None = None,
    min_z: float = MIN_Z,
) -> list[Deviation]:
    """What deviates, in pipeline order. place: of a stage and component, equal for those side by side, of which the
    plainest deviation comes first. first: what is asked about. Durations come last, as being slow empties no list;
    unless they are asked for: then they go before the others of their component, which may be slow for what an earlier
    one does. Anything else asked for goes before everything: what fails seldom does for what differs upstream."""
    held: dict[tuple[str, str, Signal, str], list[tuple[float, Look]]] = defaultdict(list)
    for look in looks:
        z = _z(look)
        if abs(z) >= min_z and _matters(look):
            held[look.stage, look.component, look.signal, look.what].append((z, look))
    found = [_together(*key, members) for key, members in held.items()]

    def order(each: Deviation) -> tuple[object, ...]:
        asked, slow = each.signal == first, each.signal == "duration"
        plain = -1 if asked else _ORDER[each.signal]
        return slow - asked, place(each.stage, each.component), plain, -abs(each.z), each.component, each.what

    return sorted(found, key=order)


def _z(look: Look) -> float:
    if min(look.before.n, look.now.n) < MIN_REQUESTS:
        return 0.0
    floor = SIGNALS[look.signal]
    if floor.variation is None:
        return difference(look.before, look.now)
    return mean_difference(look.before, look.now, floor.variation, counted=floor.counted)


def _matters(look: Look) -> bool:
    """A change by a factor is one in both directions: to half is as much as to double."""
    floor, before, now = SIGNALS[look.signal], look.before.value, look.now.value
    apart, smaller = abs(now - before), min(abs(before), abs(now))
    return apart >= floor.least and apart >= floor.relative * smaller and apart > 0


def _together(stage: str, component: str, signal: Signal, what: str, members: list[tuple[float, Look]]) -> Deviation:
    looks = [look for _, look in members]
    before, now = (
        sum(share.part for share in shares) / max(sum(share.whole for share in shares), 1e-12)
        for shares in ([look.before for look in looks], [look.now for look in looks])
    )
    z = max((z for z, _ in members), key=abs)
    return Deviation(stage, component, signal, what, before, now, z, tuple(sorted(look.placement for look in looks)))
