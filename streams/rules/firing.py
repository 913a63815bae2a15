"""Whether hits are enough to tell somebody: the firing condition of a rule, over the sums of its windows."""

from collections.abc import Sequence

from schemas.rules import WINDOW, Fires

Counts = tuple[int, int]  # requests judged, requests hit


def firing(fires: Fires, judged: int, hit: int) -> bool:
    """Whether a group fires that had so many requests judged and hit within `fires.within` seconds.

    Enough requests, and of count and share all that are given; with neither, one request will do.
    """
    if hit < 1 or judged < fires.min_requests:
        return False
    if fires.count is not None and hit < fires.count:
        return False
    return fires.share is None or hit / judged >= fires.share


def episodes(fires: Fires, windows: Sequence[tuple[int, int, int]]) -> list[tuple[int, int]]:
    """From when to when (epoch seconds) a group would have been firing, on from the end of the window that made it so.

    windows: (start in epoch seconds, judged, hit) in order of time; those without requests may be left out.
    """
    found: list[tuple[int, int]] = []
    by_start = {start: (judged, hit) for start, judged, hit in windows}
    edges = {start + shift for start in by_start for shift in (0, fires.within)}
    judged = hit = 0
    on: int | None = None
    for edge in sorted(edges):
        came, went = by_start.get(edge, (0, 0)), by_start.get(edge - fires.within, (0, 0))
        judged, hit = judged + came[0] - went[0], hit + came[1] - went[1]
        fires_now = firing(fires, judged, hit)
        if fires_now and on is None:
            on = edge + WINDOW
        elif not fires_now and on is not None:
            found.append((on, edge + WINDOW))
            on = None
    return found
