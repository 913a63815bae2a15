"""What records of the rules topic make of the rules that act."""

import logging
from typing import Any

import pytest

from rectrace.client.known_rules import KnownRules
from rectrace.client.rules import RuleBook
from schemas.rules import Rule, content_hash, encode_rule


def rule(name: str, **more: Any) -> Rule:
    action = {"type": "boost", "delta": 0.1}
    fields = {"id": name, "owner": "me", "scope": "item", "message": "m", "when": "price > 5", "action": action}
    return Rule.model_validate(fields | more)


def take(known: KnownRules, *rules: Rule) -> None:
    for each in rules:
        known.take(each.id.encode(), encode_rule(each))


def in_force(known: KnownRules) -> list[str]:
    book = known.book()
    assert isinstance(book, RuleBook)
    return [each.id for each in book.rules]


def test_the_latest_record_of_a_rule_counts() -> None:
    known = KnownRules()
    assert in_force(known) == []
    first, latest = rule("a"), rule("b", priority=5)
    take(known, first, rule("b"), latest)
    book = known.book()
    assert book is not None
    assert [(each.id, each.version) for each in book.rules] == [
        ("b", content_hash(latest)),
        ("a", content_hash(first)),
    ]
    known.take(b"b", None)
    assert in_force(known) == ["a"]


def test_only_rules_that_act_are_kept() -> None:
    known = KnownRules()
    take(known, rule("watches", action=None), rule("empty", scope="slate", when="count() = 0", action=None))
    assert in_force(known) == []
    take(known, rule("watches"))
    assert in_force(known) == ["watches"]
    take(known, rule("watches", action=None))
    assert in_force(known) == []


def test_a_book_is_made_only_if_something_changed() -> None:
    known = KnownRules()
    take(known, rule("a"))
    assert known.book() is not None
    assert known.book() is None
    take(known, rule("a"), rule("watches", action=None))
    known.take(b"never there", None)
    assert known.book() is None


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        (b"a", b"{", "rule a: "),
        (b"a", b'{"id":"a"}', "rule a: "),
        (b"a", encode_rule(rule("a", when="prise > 5")), "unknown field 'prise'; did you mean 'price'"),
        (b"a", encode_rule(rule("b")), "rule a: $.id: is another rule than the record's key"),
        (None, encode_rule(rule("a")), "rule without a key: $key"),
        (b"\xff", None, "$key"),
        (b"a", b"", "rule a: "),
    ],
)
def test_a_bad_record_is_named_and_changes_nothing(
    caplog: pytest.LogCaptureFixture, key: bytes | None, value: bytes | None, says: str
) -> None:
    known = KnownRules()
    take(known, rule("a"))
    assert in_force(known) == ["a"]
    with caplog.at_level(logging.WARNING):
        known.take(key, value)
    assert known.book() is None
    assert known.refused == 1
    assert says in caplog.text
    assert "what was in force before stays" in caplog.text
