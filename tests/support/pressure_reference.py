"""What the seal must count of rule pressure, in plain Python: one merged request at a time, from its events' words."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from streams.rules.pressure import model_order, pressure, score_regret
from tests.support.reference import Stage, Trace

Move = tuple[str, str, str, float | None]  # rule, item, action, delta


@dataclass
class Sums:
    """Of one placement, and of each rule there. against: conflicts by (rule, the rule that had its way)."""

    counts: Counter[str] = field(default_factory=Counter)
    pressure: list[float] = field(default_factory=list)
    regret: list[float] = field(default_factory=list)
    matched: Counter[int] = field(default_factory=Counter)
    rules: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    against: Counter[tuple[str, str]] = field(default_factory=Counter)


def of_traces(traces: Iterable[Trace]) -> dict[str, Sums]:
    """By placement."""
    found: defaultdict[str, Sums] = defaultdict(Sums)
    for trace in traces:
        _add(trace, found[trace.request["placement"]])
    return dict(found)


def _add(trace: Trace, sums: Sums) -> None:
    response = trace.response
    slate = [] if response is None or trace.served_by == "fallback" else response.items or []
    sums.counts["requests"] += 1
    sums.counts["slots"] += len(slate)
    _measure(trace, slate, sums)
    moves, unnamed = _moves(trace), _unnamed(trace)
    gone = {item for s in trace.stages if s.stage == "business_logic" for item, _ in s.drops}
    _constrain(trace, len(gone) + unnamed.total(), sums.counts)
    matched = ({rule for rule, *_ in moves} | set(unnamed)) - {""}
    sums.matched[len(matched)] += 1
    sums.counts["adjusted"] += bool(matched)
    for rule in matched:
        sums.rules[rule]["requests"] += 1
        sums.rules[rule]["excluded"] += unnamed[rule]
    clashes = 0
    for item in {item for _, item, _, _ in moves}:
        clashes += _count_item([each for each in moves if each[1] == item and each[0]], slate.count(item), sums)
    sums.counts["conflicts"] += clashes
    sums.counts["conflicted"] += bool(clashes)


def _measure(trace: Trace, slate: Sequence[str], sums: Sums) -> None:
    scorings = [(s, _scores(s)) for s in trace.stages if s.stage == "scoring"]
    models = [s.component for s, scored in scorings if any(score is not None for _, score in scored)]
    of_model = [(s, scored) for s, scored in scorings if models and s.component == models[-1]]
    if not of_model or not slate or any(s.truncated for s, _ in of_model):
        return
    of_model.sort(key=lambda each: -each[0].attempt)
    ranked = model_order(scored for _, scored in of_model)
    sums.counts["judged"] += 1
    sums.pressure.append(pressure([item for item, _ in ranked], slate))
    if (regret := score_regret(ranked, slate)) is not None:
        sums.regret.append(regret)


def _scores(stage: Stage) -> list[tuple[str, float | None]]:
    items = stage.items or []
    return [(item, stage.scores[at] if at < len(stage.scores) else None) for at, item in enumerate(items)]


def _moves(trace: Trace) -> list[Move]:
    """Adjustments, then exclusions; of what is stated twice the last."""
    stated: dict[tuple[str, str, str], Move] = {}
    every: list[Move] = []
    for s in trace.stages:
        every += [
            (str(a["rule_id"]), str(a["item"]), a["action"], a.get("delta")) for a in s.payload.get("adjustments") or []
        ]
    for s in trace.stages:
        if s.stage == "business_logic":
            dropped = s.payload.get("dropped") or {}
            every += [(rule, str(item), "drop", None) for rule, items in dropped.items() for item in items]
    for move in every:
        stated.pop(move[:3], None)
        stated[move[:3]] = move
    return list(stated.values())


def _unnamed(trace: Trace) -> Counter[str]:
    """By rule, what is counted as excluded beyond the items that are named."""
    more: Counter[str] = Counter()
    for s in trace.stages:
        if s.stage == "business_logic":
            dropped = s.payload.get("dropped") or {}
            for rule, n in (s.payload.get("dropped_counts") or {}).items():
                more[rule] += max(n - len(dropped.get(rule, ())), 0)
    return +more


def _constrain(trace: Trace, excluded: int, counts: Counter[str]) -> None:
    working = [s for s in trace.stages if not s.failed and (s.items is not None or s.payload.get("n_out") is not None)]
    filters = [s for s in working if s.stage == "filtering"]
    last = [s for s in filters if s.component == filters[-1].component]
    listed = len({item for s in last for item in s.items or []})
    passed = max([listed, *(s.payload.get("n_out") or 0 for s in last)])
    arranged = [_n_out(s) for s in working if s.stage == "business_logic"]
    counts["constrained"] += bool(last or arranged)
    k = trace.request["k"]
    short = bool(excluded and arranged and arranged[-1] < k)
    for name, wanted in (("over_constrained", k), ("over_constrained_2k", 2 * k)):
        counts[name] += short or bool(last and passed - excluded < wanted)


def _n_out(s: Stage) -> int:
    stated: Any = s.payload.get("n_out")
    return len(s.items or []) if stated is None else int(stated)


def _count_item(moves: Sequence[Move], slots: int, sums: Sums) -> int:
    """Returns whether the item was both boosted and buried."""
    clash = {"boost", "bury"} <= {action for _, _, action, _ in moves}
    acting = [(rule, action) for rule, _, action, delta in moves if action in ("boost", "bury") and delta != 0]
    taken = {rule for rule, _, action, delta in moves if _takes(action, delta)}
    for rule in taken:
        sums.rules[rule]["slots"] += slots
    sums.counts["slots_by_rules"] += slots if taken else 0
    for rule, _, action, delta in moves:
        counts, moved = sums.rules[rule], action not in ("boost", "bury") or delta != 0
        counts[_DONE[action]] += moved
        if action != "drop":
            counts[f"slots_{_DONE[action]}"] += slots * moved
        if clash and action in ("boost", "bury"):
            counts["conflicts"] += 1
            if acting and acting[0][1] != action:
                counts["lost"] += delta == 0
                sums.against[rule, acting[0][0]] += 1
    return clash


def _takes(action: str, delta: float | None) -> bool:
    return action in ("pin", "inject") or (action == "boost" and delta != 0)


_DONE = {"boost": "boosted", "bury": "buried", "pin": "pinned", "inject": "injected", "drop": "excluded"}
