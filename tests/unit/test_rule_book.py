"""A book of rules over one list of candidates: what each kind of rule does, and what is reported."""

from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from rectrace.client import Publisher
from rectrace.client.applying import moved, worth
from rectrace.client.rules import Applied, Conflict, Request, RuleBook
from schemas.envelope import decode
from schemas.rules import Action, Rule
from tests.support.random_rules import NOON

BOOST, BURY = {"type": "boost", "delta": 0.5}, {"type": "bury", "delta": -0.5}
REQUEST = Request(NOON, placement="home", k=3, segments={"country": "DE"})


def rule(name: str, when: str, action: object, **more: Any) -> Rule:
    return Rule.model_validate(
        {"id": name, "owner": "me", "scope": "item", "message": "m", "when": when, "action": action, **more}
    )


def candidates(*scores: float | None, **columns: Any) -> pl.DataFrame:
    """Items a, b, c, ..."""
    items = [chr(ord("a") + number) for number in range(len(scores))]
    return pl.DataFrame({"item": items, "score": pl.Series(scores, dtype=pl.Float64), **columns})


def apply(frame: pl.DataFrame, *rules: Rule, **more: Any) -> Applied:
    return RuleBook(rules).apply(frame, REQUEST, **more)


def test_each_kind_does_its_own() -> None:
    applied = apply(
        candidates(0.9, 0.8, 0.7, 0.6, 0.5),
        rule("up", "item = 'd'", BOOST),
        rule("down", "item = 'a'", BURY),
        rule("out", "item = 'b'", "exclude"),
        rule("third", "item = 'e'", {"type": "pin", "position": 3}),
    )
    assert applied.items == ["d", "c", "e", "a"]
    assert applied.scores == pytest.approx([1.1, 0.7, 0.5, 0.4])
    assert applied.dropped == {"out": ["b"]}
    assert [(each["rule_id"], each["item"], each["action"]) for each in applied.adjustments] == [
        ("down", "a", "bury"),
        ("up", "d", "boost"),
        ("third", "e", "pin"),
    ]
    assert [each.get("delta", each.get("position")) for each in applied.adjustments] == pytest.approx([-0.5, 0.5, 3])
    assert (applied.eligible, applied.over_constrained, applied.conflicts, applied.failed) == (4, False, [], {})


def test_an_order_that_is_not_that_of_the_scores_is_kept() -> None:
    diverse = candidates(0.9, 0.2, 0.8)
    assert apply(diverse, rule("no", "item = 'z'", BOOST)).items == ["a", "b", "c"]
    assert apply(diverse, rule("up", "item = 'c'", {"type": "boost", "delta": 0.65})).items == ["a", "c", "b"]


def test_what_comes_first_moves_and_the_other_is_there_with_no_effect() -> None:
    up, down = rule("up", "item in ('a', 'b')", BOOST), rule("down", "item = 'b'", BURY, priority=1)
    applied = apply(candidates(0.9, 0.8), up, down)
    assert applied.conflicts == [Conflict("boost and bury", "down", "up", "b")]
    assert [(each["rule_id"], each["item"], each["delta"]) for each in applied.adjustments] == [
        ("down", "b", pytest.approx(-0.5)),
        ("up", "a", pytest.approx(0.5)),
        ("up", "b", 0),
    ]


def test_several_boosts_add_up() -> None:
    applied = apply(candidates(0.4), rule("a", "true", BOOST), rule("b", "true", {"type": "boost", "factor": 2}))
    assert applied.scores == pytest.approx([1.8])
    assert [each["delta"] for each in applied.adjustments] == pytest.approx([0.5, 0.9])


@pytest.mark.parametrize(
    ("score", "action", "after"),
    [
        (2.0, {"type": "boost", "factor": 2.0}, 4.0),
        (-2.0, {"type": "boost", "factor": 2.0}, -1.0),
        (-2.0, {"type": "bury", "factor": 0.5}, -4.0),
        (1.0, {"type": "boost", "delta": 1e300}, 3.4028234663852886e38),
    ],
)
def test_a_boost_never_lowers_and_a_bury_never_raises(score: float, action: dict[str, Any], after: float) -> None:
    assert moved(score, Action.model_validate(action)) == after


def test_a_place_without_a_score_is_worth_as_much_as_the_lowest() -> None:
    assert worth([None, 0.5, float("nan"), 0.7]) == [0.7, 0.5, 0.5, 0.5]
    assert worth([None, None]) == [0.0, 0.0]
    assert worth([float("inf"), 1.0])[1] == 1.0
    assert apply(pl.DataFrame({"item": [7, 8]}), rule("up", "item = '8'", BOOST)).items == ["8", "7"]


def test_exclusion_is_hard_and_says_so() -> None:
    pin = rule("pin", "item = 'a'", {"type": "pin", "position": 1}, priority=9)
    applied = apply(candidates(0.9, 0.8, 0.7), rule("out", "item in ('a', 'b')", "exclude"), pin)
    assert (applied.items, applied.dropped) == (["c"], {"out": ["a", "b"]})
    assert applied.conflicts == [Conflict("excluded", "out", "pin", "a")]
    assert applied.over_constrained
    assert not apply(candidates(0.9, 0.8), k=2).over_constrained


def test_pins_that_meet() -> None:
    def pin(name: str, when: str, position: int, priority: int) -> Rule:
        return rule(name, when, {"type": "pin", "position": position}, priority=priority)

    applied = apply(
        candidates(0.9, 0.8, 0.7, 0.6),
        pin("first", "item = 'd'", 1, 9),
        pin("same-slot", "item = 'c'", 1, 8),
        pin("same-item", "item = 'd'", 2, 7),
        pin("agrees", "item = 'd'", 1, 6),
        pin("next-best", "item in ('d', 'b')", 2, 5),
        pin("beyond", "item = 'c'", 5, 4),
    )
    assert applied.items == ["d", "b", "a", "c"]
    assert [(each.kind, each.winner, each.loser) for each in applied.conflicts] == [
        ("one slot", "first", "same-slot"),
        ("one item", "first", "same-item"),
    ]


def test_rules_act_while_they_are_active() -> None:
    for_a_second = rule("up", "item = 'b'", BOOST, active={"from": NOON, "until": NOON + timedelta(seconds=1)})
    book = RuleBook([for_a_second])

    def first(milliseconds: int) -> str:
        return book.apply(candidates(0.9, 0.8), REQUEST, now=NOON + timedelta(milliseconds=milliseconds)).items[0]

    assert [first(milliseconds) for milliseconds in (-1, 0, 999, 1000)] == ["a", "b", "b", "a"]


def test_conditions_see_the_request_the_catalogue_and_the_place() -> None:
    book = RuleBook(
        [
            rule("brand", "brand = 'X' and segments.country = 'DE' and placement = 'home'", BOOST),
            rule("tail", "position > 2", "exclude"),
            rule("size", "attributes.size = 'S'", BURY),
        ]
    )
    applied = book.apply(
        candidates(0.9, 0.8, 0.7, **{"brand": ["Y", "X", "X"], "attributes.size": ["S", None, None]}), REQUEST
    )
    assert (applied.items, applied.dropped) == (["b", "a"], {"tail": ["c"]})
    assert book.fields == {"brand", "segments.country", "placement", "position", "attributes.size"}


def test_what_cannot_act_is_named_and_the_rest_acts() -> None:
    book = RuleBook(
        [
            rule("late", "total_ms > 5", BOOST),
            rule("up", "item = 'b'", BOOST),
            rule("watches", "item = 'a'", None),
            rule("twice", "item = 'a'", BOOST),
            rule("twice", "item = 'z'", BOOST),
        ]
    )
    assert set(book.failed) == {"late"}
    assert [each.id for each in book.rules] == ["twice", "up"]
    assert (len(book), book.apply(candidates(0.9, 0.8), REQUEST).items) == (2, ["b", "a"])


def test_columns_of_a_wrong_type_stop_no_recommendation() -> None:
    priced = candidates(0.9, 0.8, price=["much", "more"])
    applied = apply(priced, rule("dear", "price > 5", "exclude"), rule("up", "item = 'b'", BOOST))
    assert set(applied.failed) == {"dear", "up"}
    assert "price" in applied.failed["dear"] or "much" in applied.failed["dear"]
    assert applied.items == ["a", "b"]


def test_nothing_to_arrange() -> None:
    applied = apply(candidates(), rule("up", "true", BOOST))
    assert (applied.items, applied.scores, applied.over_constrained) == ([], [], True)


def test_it_is_published_as_it_is() -> None:
    sent: list[bytes] = []
    publisher = Publisher(lambda topic, key, value: sent.append(value or b""))
    applied = apply(candidates(0.9, 0.8), rule("up", "item = 'b'", BOOST), rule("out", "item = 'a'", "exclude"))
    assert publisher.trace("r").business_logic("rules", applied.items, **applied.fields)
    event = decode(sent[0])
    assert (event.n_in, bytes(event.items), bytes(event.dropped)) == (2, b'["b"]', b'{"out":["a"]}')
