"""What rules that act do to past lists, without a database."""

from datetime import UTC, datetime
from typing import Any

import pytest

from rectrace.rule_effects import cases, compare
from rectrace.rule_preview import evenly
from schemas.rules import Rule

AT = datetime(2026, 6, 1, 12, tzinfo=UTC)
CATALOG: dict[str, dict[str, Any]] = {
    "a": {"brand": "A", "category": "x"}, "b": {"brand": "B", "category": "x"}, "c": {"brand": "B", "category": "y"},
    "d": {"brand": "D", "category": "y", "attributes": {"rating": "3"}},
}  # fmt: skip


def row(**fields: Any) -> dict[str, Any]:
    scoring = ("scoring", 0, False, ["d", "c", "b", "a"], [0.1, 0.2, 0.3, 0.4])
    return {
        "request_id": "r", "at": AT, "placement": "home", "user_id": "u", "k": 2, "segments": {"country": "DE"},
        "experiments": {}, "context": '{"season": "summer", "n": 3}', "served": ["a", "b"],
        "lists": [scoring, ("ordering", 0, False, ["a", "b", "c", "d"], []), ("business_logic", 0, False, ["a"], [])],
        **fields,
    }  # fmt: skip


def rule(name: str, when: str, **action: Any) -> Rule:
    return Rule.model_validate(
        {"id": name, "owner": "o", "scope": "item", "when": when, "message": "m", "action": action}
    )


def test_a_list_is_the_last_before_business_logic() -> None:
    (case,) = cases([row()])
    assert (case.items, case.scores) == (["a", "b", "c", "d"], [0.4, 0.3, 0.2, 0.1])
    assert case.request.context == {"season": "summer", "n": "3"}
    scoring = ("scoring", 0, False, ["b", "a"], [0.1, None])
    again = ("scoring", 1, False, ["b", "a"], [0.2, 0.9])
    (case,) = cases([row(lists=[scoring, again], context="no JSON")])
    assert (case.items, case.scores, case.request.context) == (["a", "b"], [0.9, 0.2], {})


@pytest.mark.parametrize("lists", [[], [("business_logic", 0, False, ["a"], [])], [("scoring", 0, True, ["a"], [1.0])]])
def test_requests_whose_list_is_not_known_are_left_out(lists: list[Any]) -> None:
    assert cases([row(lists=lists)]) == []


def test_who_loses_slots() -> None:
    sample = cases([row(), row(request_id="fr", segments={"country": "FR"})])
    bury = rule("bury-b", "brand = 'B'", type="bury", delta=-0.25)
    exclude = rule("no-a", "item = 'a' and segments.country = 'DE'", type="exclude")
    found = compare(sample, CATALOG, [bury], exclude)
    assert (found.requests, found.picked, found.slots, found.moved) == (2, 1, 4, 2)
    (changed,) = found.changed  # DE only; b and c are worth 0.05 and -0.05, d 0.1
    assert (changed.before, changed.after, set(changed.picked)) == (["a", "d"], ["d", "b"], {"a"})
    assert (dict(found.lost), dict(found.gained)) == ({"a": 1}, {"b": 1})
    assert found.by("brand") == [("A", 1, 0), ("B", 0, 1)]
    assert found.by("category") == [("x", 1, 1)]
    assert found.alike == 2  # by the rules of now, without the new one, a is first in both
    assert found.failed == ""


def test_conflicts_and_what_the_rules_of_now_do() -> None:
    bury = rule("bury-low", "number(attributes.rating) < 4", type="bury", delta=-0.25)
    boost = rule("boost-d", "brand = 'D'", type="boost", delta=5)
    found = compare(cases([row()]), CATALOG, [boost, bury], boost)
    assert (found.picked, found.slots, found.alike) == (1, 2, 0)  # it is in force: d is first, a second
    assert dict(found.conflicts) == {("boost and bury", "bury-low"): 1}
    changed = rule("boost-d", "brand = 'D'", type="pin", position=1)
    assert compare(cases([row()]), CATALOG, [boost, bury], changed).changed[0].after == ["d", "a"]
    tomorrow = Rule.model_validate(changed.model_dump() | {"active": {"from": "2027-01-01T00:00:00Z"}})
    assert compare(cases([row()]), CATALOG, [boost, bury], tomorrow).changed[0].after == ["d", "a"]
    broken = boost.model_copy(update={"when": "brnad = 'D'"})
    assert "unknown field" in compare(cases([row()]), CATALOG, [], broken).failed


def test_windows_are_taken_evenly() -> None:
    windows = [(AT.replace(second=10 * n), 100) for n in range(6)]
    assert evenly(windows, 1_000) == [at for at, _ in windows[::-1]]
    assert [at.second for at in evenly(windows, 200)] == [50, 20]
    assert evenly([], 10) == []
