"""A rule while it is being written."""

import time

import pytest

from rectrace import rule_drafts
from rectrace.rule_drafts import NAMELESS, TEMPLATES, check
from rectrace.rule_fields import MEANINGS, entries, matching, where
from streams.rules.fields import ITEM, REQUEST

WATCH = TEMPLATES["Watch served items"].replace(NAMELESS, "no-acme")


def told(text: str, editing: str = "") -> list[tuple[int, int, str]]:
    return [(each.line, each.column, each.message) for each in check(text, editing).problems]


def test_templates_are_sound_but_for_their_name() -> None:
    for text in TEMPLATES.values():
        assert told(text) == [(1, 5, "give it a name of its own, such as no-coats-in-june")]
        assert check(text.replace(NAMELESS, "named")).rule is not None


def test_what_is_wrong_has_its_place() -> None:
    assert told(WATCH.replace("brand", "brnad")) == [(7, 7, "unknown field 'brnad'; did you mean 'brand'?")]
    assert told(WATCH.replace("ticket\n", "tickt\n")) == [(4, 11, "must be 'page', 'ticket' or 'info'")]
    assert told(f"{WATCH}---\n{WATCH.replace('no-acme', 'other')}") == [(12, 5, "one rule at a time")]
    assert told("") == [(1, 1, "there is no rule in it: begin with one of the templates")]
    assert told(WATCH.replace("no-acme", "new"))[0][2].startswith("give it a name of its own")
    assert told(WATCH, "another") == [(1, 5, "this page changes another: another id makes another rule")]
    assert told(WATCH, "no-acme") == []


def test_examples_that_are_not_as_they_say() -> None:
    checked = check(f"{WATCH}examples:\n  violates: [{{items: [{{brand: Other}}]}}]\n  passes: [{{items: [{{}}]}}]\n")
    assert checked.rule is not None
    assert [(each.number, each.why) for each in checked.examples] == [(1, "was not found at fault")]


@pytest.mark.parametrize(
    "text",
    [
        "x" * (rule_drafts.MOST + 1),
        "[" * rule_drafts.MOST,
        "a: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)),
        WATCH.replace("brand", f"{'(' * 1_900}brand"),
    ],
    ids=["long", "brackets", "bomb", "nested"],
)
def test_what_would_take_for_ever_is_refused(text: str) -> None:
    begun = time.monotonic()
    (problem,) = check(text).problems
    assert "at most 20,000" in problem.message or "brackets" in problem.message or "nested" in problem.message
    assert time.monotonic() - begun < 30


def test_fields_have_meanings_and_stand_where_they_may() -> None:
    assert set(MEANINGS) == {*ITEM, *REQUEST}
    found = [
        {"kind": "attributes", "name": "age band", "examples": ["it's", "18-29"]},
        {"kind": "context", "name": "season", "examples": ["summer"]},
        {"kind": "item", "name": "brand", "examples": ["Norvane"]},
    ]
    named = {place: {each.name for each in entries(found, place)} for place in ("item", "slate", "trace", "candidate")}
    assert "attributes['age band']" in named["item"] & named["slate"] & named["candidate"]
    assert "attributes['age band']" not in named["trace"]
    assert "total_ms" in named["trace"] - named["candidate"]
    assert "uniq" in named["slate"] - named["item"]
    assert "context.season" in named["trace"]
    known = entries(found, "item")
    assert [each.name for each in matching(known, "norvane")] == ["brand"]
    assert matching(known, "brand")[0].name == "brand"
    (band,) = matching(known, "18-29")
    assert band.example("it's") == "attributes['age band'] = 'it\\'s'"
    said = check(WATCH.replace("brand = 'Name' and placement = 'home'", band.example("it's")))
    assert said.rule is not None
    assert where(said.rule) == "item"
