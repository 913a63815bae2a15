"""From rows of sinks/clickhouse/changes.py to looks at every component, before and now: pure."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from schemas.pipeline import PARALLEL_STAGES
from streams.detect.proportion import Share
from streams.detect.suspects import Look, Signal

Row = Mapping[str, Any]


# signal, part, whole; a part that is empty: requests without an event
_NUMBERS: Final[tuple[tuple[Signal, str, str], ...]] = (
    ("missing", "", ""),
    ("failed", "failed", "events"),
    ("fallback", "fallbacks", "events"),
    ("empty", "zero_out", "events"),
    ("candidates", "n_out", "events"),
    ("yield", "n_out", "n_in"),
    ("duration", "duration", "events"),
)
_SUMS: Final = ("events", "failed", "fallbacks", "n_in", "n_out", "zero_out", "duration")
# Sources have candidates and no yield; a response's duration is that of the whole request, its yield no one's doing.
_LEFT_OUT: Final = {"retrieval": {"yield"}, "response": {"yield", "duration"}}


GUARDS: Final = 0.5  # a reason that ends more than so much of what is not available is what keeps it out


def stage_looks(rows: Sequence[Row]) -> Iterable[Look]:
    """Of every component at every placement: whether it came, failed, put out something, how much and how fast."""
    held, requests = _by_component(rows), requests_of(rows)
    for (placement, stage, component), sides in held.items():
        for signal, part, whole in _NUMBERS if stage != "request" else ():
            if signal in _LEFT_OUT.get(stage, ()) or (signal == "candidates" and stage != "retrieval"):
                continue
            both = zip(sides, requests[placement], strict=True)
            before, now = (_number(side, total, part, whole) for side, total in both)
            yield Look(placement, stage, component, signal, before, now)


def requests_of(rows: Sequence[Row]) -> dict[str, list[float]]:
    """Requests by placement, before and now, from rows of stages."""
    found: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for row in rows:
        if row["stage"] == "request":
            found[row["placement"]][row["is_now"]] += row["events"]
    return found


def _by_component(rows: Sequence[Row]) -> dict[tuple[str, str, str], list[dict[str, float]]]:
    held: dict[tuple[str, str, str], list[dict[str, float]]] = {}
    for row in rows:
        key = row["placement"], row["stage"], row["component"]
        sides = held.setdefault(key, [dict.fromkeys(_SUMS, 0.0), dict.fromkeys(_SUMS, 0.0)])
        for number in _SUMS:
            sides[row["is_now"]][number] += row[number]
    return held


def _number(side: Mapping[str, float], requests: float, part: str, whole: str) -> Share:
    if not part:
        return Share(max(requests - side["events"], 0.0), requests, requests)
    return Share(side[part], side[whole], side["events"])


def fate_looks(rows: Sequence[Row], requests: Mapping[str, Sequence[float]]) -> Iterable[Look]:
    """Of every reason: the share of a placement's candidacies that ended by it. requests: before and now."""
    all_of, ended = _by_fate(rows)
    for (placement, fate, stage, component, reason), counts in ended.items():
        signal: Signal | None = {"dropped": "dropped", "unexplained": "unexplained"}.get(fate)  # type: ignore[assignment]
        if signal:
            before, now = (Share(*three) for three in zip(counts, all_of[placement], requests[placement], strict=True))
            yield Look(placement, stage, component, signal, before, now, reason)


def guard_looks(rows: Sequence[Row]) -> Iterable[Look]:
    """Of the reason that used to end most candidacies of unavailable items: the share that it still ends. An item and
    window are one trial: all requests see the same stock."""
    all_of, ended = _by_fate(rows)
    trials, _ = _by_fate(rows, "episodes")
    for (placement, fate, stage, component, reason), counts in ended.items():
        before, now = (Share(*three) for three in zip(counts, all_of[placement], trials[placement], strict=True))
        if fate == "dropped" and before.value >= GUARDS:
            yield Look(placement, stage, component, "guard", before, now, reason)


def bad_looks(rows: Sequence[Row]) -> Iterable[Look]:
    """Of rows of the requests that show the change: what components did, and the share of what sources found that they
    dropped, by reason. Yields are not of these rows."""
    events = [row for row in rows if not row["reason"]]
    requests, found = requests_of(events), defaultdict[str, list[float]](lambda: [0.0, 0.0])
    for row in events:
        if row["stage"] == "retrieval":
            found[row["placement"]][row["is_now"]] += row["n_out"]
    yield from (look for look in stage_looks(events) if look.signal != "yield")
    dropped: dict[tuple[str, str, str, str], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for row in rows:
        if row["reason"]:
            dropped[row["placement"], row["stage"], row["component"], row["reason"]][row["is_now"]] += row["dropped"]
    for (placement, stage, component, reason), counts in dropped.items():
        before, now = (Share(*three) for three in zip(counts, found[placement], requests[placement], strict=True))
        yield Look(placement, stage, component, "dropped", before, now, reason)


def removals(rows: Sequence[Row]) -> list[dict[tuple[str, str, str], float]]:
    """Before and now: how many candidacies each (component, fate, reason) ended, but for those served."""
    mixes: list[dict[tuple[str, str, str], float]] = [defaultdict(float), defaultdict(float)]
    for row in rows:
        if row["fate"] != "served":
            mixes[row["is_now"]][row["component"], row["fate"], row["reason"]] += row["candidacies"]
    return mixes


def score_looks(
    rows: Sequence[Row], requests: Mapping[str, Sequence[float]], scorers: Mapping[str, str]
) -> Iterable[Look]:
    """Of the scores of every placement: their mean, and whether they are all one. scorers: whose scores count."""
    for placement, component in scorers.items():
        mine = [row for row in rows if row["placement"] == placement and row["scored"]]
        sides = [[row for row in mine if row["is_now"] == side] for side in (0, 1)]
        if all(sides):
            n_before, n_now = requests[placement]
            sums = [(sum(row["score_sum"] for row in side), sum(row["scored"] for row in side)) for side in sides]
            ones = [
                float(min(row["score_min"] for row in side) == max(row["score_max"] for row in side)) for side in sides
            ]
            yield Look(
                placement,
                "scoring",
                component,
                "constant",
                Share(ones[0] * n_before, n_before, n_before),
                Share(ones[1] * n_now, n_now, n_now),
            )
            yield Look(placement, "scoring", component, "score", Share(*sums[0], n_before), Share(*sums[1], n_now))


def rule_looks(rows: Sequence[Row]) -> Iterable[Look]:
    """Of every rule: the candidates it adjusts a request, and by how much. Rows without a rule count the requests."""
    requests: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    held: dict[tuple[str, str, str, str], list[Row | None]] = defaultdict(lambda: [None, None])
    for row in rows:
        if row["rule_id"]:
            what = f"{row['action']} {row['rule_id']}"
            held[row["placement"], row["stage"], row["component"], what][row["is_now"]] = row
        else:
            requests[row["placement"]][row["is_now"]] = row["requests"]
    for (placement, stage, component, what), both in held.items():
        wholes = requests[placement]
        times = [Share(row["times"] if row else 0.0, whole, whole) for row, whole in zip(both, wholes, strict=True)]
        yield Look(placement, stage, component, "adjusted", times[0], times[1], what)
        if all(row and row["delta"] is not None for row in both):
            deltas = [Share(row["delta"] * row["times"], row["times"], row["requests"]) for row in both if row]
            yield Look(placement, stage, component, "delta", deltas[0], deltas[1], what)


def places(rows: Sequence[Row], order: Sequence[str]) -> Callable[[str, str], tuple[float, ...]]:
    """Where a component stands: by its stage (or itself, where `order` names it); within a stage of steps by how many
    candidates come in, as each has fewer than the one before."""
    into: dict[tuple[str, str], float] = defaultdict(float)
    for row in rows:
        if row["stage"] not in PARALLEL_STAGES:
            into[row["stage"], row["component"]] += row["n_in"]

    def place(stage: str, component: str) -> tuple[float, ...]:
        step = component if component in order else stage
        return (order.index(step) if step in order else len(order), -into[stage, component])

    return place


def last_scorers(rows: Sequence[Row]) -> dict[str, str]:
    """Per placement the scoring component that most requests have: its scores count where there is one."""
    events: dict[tuple[str, str], float] = defaultdict(float)
    for row in rows:
        if row["stage"] == "scoring":
            events[row["placement"], row["component"]] += row["events"]
    return {placement: component for (placement, component), _ in sorted(events.items(), key=lambda each: each[1])}


def _by_fate(
    rows: Sequence[Row], number: str = "candidacies"
) -> tuple[dict[str, list[float]], dict[tuple[str, ...], list[float]]]:
    all_of: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    ended: dict[tuple[str, ...], list[float]] = defaultdict(lambda: [0.0, 0.0])
    for row in rows:
        key = row["placement"], row["fate"], row["stage"], row["component"], row["reason"]
        all_of[row["placement"]][row["is_now"]] += row[number]
        ended[key][row["is_now"]] += row[number]
    return all_of, ended
