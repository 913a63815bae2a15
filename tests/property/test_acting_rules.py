"""Whatever the rules say: nothing is made up or lost, what is excluded is out, pins are at their slots."""

import math
from collections import Counter
from datetime import timedelta
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from rectrace.client.applying import Conflict, moved, worth
from rectrace.client.rules import Applied, Request, RuleBook
from schemas.events import BusinessLogicEvent
from schemas.rules import Rule
from tests.support.random_rules import NOON

ITEMS = [f"g{number}" for number in range(8)]

picks = st.lists(st.sampled_from(ITEMS), min_size=1, max_size=4, unique=True)
number = st.floats(0.01, 5)
actions = st.one_of(
    st.just({"type": "exclude"}),
    number.map(lambda delta: {"type": "boost", "delta": delta}),
    number.map(lambda delta: {"type": "bury", "delta": -delta}),
    number.map(lambda more: {"type": "boost", "factor": 1 + more}),
    st.floats(0.01, 0.99).map(lambda factor: {"type": "bury", "factor": factor}),
    st.integers(1, 9).map(lambda position: {"type": "pin", "position": position}),
)
drawn = st.lists(
    st.fixed_dictionaries(
        {
            "action": actions,
            "picks": picks,
            "priority": st.integers(-1, 1),
            "since": st.sampled_from([None, -1, 0, 1]),
            "until": st.sampled_from([None, 2]),
        }
    ),
    max_size=7,
)
candidates = st.lists(
    st.tuples(st.sampled_from(ITEMS), st.none() | st.just(math.nan) | st.floats(-2, 2)), unique_by=lambda each: each[0]
)


def rule(
    name: str, action: dict[str, Any], picks: list[str], priority: int, since: int | None, until: int | None
) -> Rule:
    """Seconds from noon."""
    times = {"from": since, "until": until}
    return Rule.model_validate(
        {
            "id": name,
            "owner": "me",
            "scope": "item",
            "message": "m",
            "when": f"item in ({', '.join(repr(each) for each in picks)})",
            "action": action,
            "priority": priority,
            "active": {key: NOON + timedelta(seconds=value) for key, value in times.items() if value is not None},
        }
    )


def rules_of(given_rules: list[dict[str, Any]]) -> list[Rule]:
    return [rule(f"r{place}", **each) for place, each in enumerate(given_rules)]


def frame(listed: list[tuple[str, float | None]]) -> pl.DataFrame:
    return pl.DataFrame(listed, {"item": pl.String, "score": pl.Float64}, orient="row")


def apply(rules: list[Rule], listed: list[tuple[str, float | None]], k: int = 3) -> Applied:
    return RuleBook(rules).apply(frame(listed), Request(NOON, k=k))


@given(st.data(), drawn, candidates)
def test_the_order_in_which_rules_come_does_not_count(data: st.DataObject, given_rules: Any, listed: Any) -> None:
    rules = rules_of(given_rules)
    assert apply(data.draw(st.permutations(rules)), listed) == apply(rules, listed)


@given(drawn, candidates)
def test_items_in_are_items_out_and_dropped(given_rules: Any, listed: Any) -> None:
    applied = apply(rules_of(given_rules), listed)
    gone = [item for items in applied.dropped.values() for item in items]
    assert Counter(applied.items) + Counter(gone) == Counter(item for item, _ in listed)
    assert len(applied.items) == len(applied.scores) == applied.eligible
    assert applied.over_constrained == (len(applied.items) < 3)


@given(drawn, candidates)
def test_it_is_what_a_plain_reading_of_the_rules_gives(given_rules: Any, listed: Any) -> None:
    applied = apply(rules_of(given_rules), listed)
    assert (applied.items, applied.dropped, set(applied.conflicts)) == reference(given_rules, listed)


@given(drawn, candidates)
def test_the_contract_takes_what_is_returned(given_rules: Any, listed: Any) -> None:
    applied = apply(rules_of(given_rules), listed)
    said: dict[str, Any] = {"items": applied.items, **applied.fields}
    event = BusinessLogicEvent.model_validate({"request_id": "r", "ts": NOON, "component": "rules", **said})
    assert event.n_in == len(listed)
    assert [each.item for each in event.adjustments or ()] == [each["item"] for each in applied.adjustments]


@given(candidates)
def test_without_rules_nothing_changes(listed: Any) -> None:
    applied = apply([], listed)
    assert applied.items == [item for item, _ in listed]
    assert (applied.adjustments, applied.dropped, applied.conflicts) == ([], {}, [])
    in_order = sorted(worth([score for _, score in listed]), reverse=True)
    assert applied.scores == in_order


def reference(
    drawn_rules: list[dict[str, Any]], listed: list[tuple[str, float | None]]
) -> tuple[list[str], dict[str, list[str]], set[Conflict]]:
    """Item by item, rule by rule."""
    rules = [(f"r{place}", each) for place, each in enumerate(drawn_rules) if (each["since"] or 0) <= 0]
    rules.sort(key=lambda pair: (-pair[1]["priority"], pair[0]))
    items = [item for item, _ in listed]
    value = dict(zip(items, worth([score for _, score in listed]), strict=True))
    excluded: dict[str, str] = {}
    conflicts = set()
    for item in items:
        acting = [(name, each) for name, each in rules if item in each["picks"]]
        if by := [name for name, each in acting if each["action"]["type"] == "exclude"]:
            excluded[item] = by[0]
            continue
        moving = [(name, each) for name, each in acting if each["action"]["type"] in ("boost", "bury")]
        for name, each in moving:
            if each["action"]["type"] == moving[0][1]["action"]["type"]:
                value[item] = moved(value[item], rule(name, **each).action)  # type: ignore[arg-type]
            else:
                conflicts.add(Conflict("boost and bury", moving[0][0], name, item))
    left = sorted((item for item in items if item not in excluded), key=lambda item: -value[item])
    served = pinned(rules, items, left, excluded, conflicts)
    dropped = {by: [item for item in items if excluded.get(item) == by] for by in excluded.values()}
    return served, dropped, conflicts


def pinned(
    rules: list[tuple[str, dict[str, Any]]],
    items: list[str],
    left: list[str],
    excluded: dict[str, str],
    conflicts: set[Conflict],
) -> list[str]:
    """The list with pins at their slots."""
    slots: dict[int, tuple[str, str]] = {}
    for name, each in rules:
        slot = each["action"].get("position")
        if slot is None or slot > len(left) or not (here := [item for item in items if item in each["picks"]]):
            continue
        owners = dict(slots.values())
        eligible = [item for item in here if item not in excluded]
        free = [item for item in eligible if item not in owners]
        if not eligible:
            conflicts.add(Conflict("excluded", excluded[here[0]], name, here[0]))
        elif slot in slots:
            if slots[slot][0] not in eligible:
                conflicts.add(Conflict("one slot", slots[slot][1], name, (free or eligible)[0]))
        elif not free:
            conflicts.add(Conflict("one item", owners[eligible[0]], name, eligible[0]))
        else:
            slots[slot] = (min(free, key=left.index), name)
    served = [item for item in left if item not in dict(slots.values())]
    for slot in sorted(slots):
        served.insert(slot - 1, slots[slot][0])
    assert all(served[slot - 1] == item for slot, (item, _) in slots.items())
    return served
