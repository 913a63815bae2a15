"""Rules from YAML and from records: what is wrong is named, with its place."""

import pytest

from schemas.errors import Invalid
from schemas.rule_files import load_rules
from schemas.rule_problems import RulesInvalid
from schemas.rules import Action, Rule, content_hash, decode_rule, encode_rule
from streams.rules.reading import check

WHOLE = """\
id: coats-in-june
owner: merchandising
severity: page
scope: item
when: category = 'Outerwear'
message: Coats in summer
runbook: https://wiki.example/coats
active: {from: 2026-06-01T00:00:00Z, until: 2026-09-01T00:00:00Z}
fires: {share: 0.1, within: 5m, min_requests: 20, group_by: [placement, segments.country]}
examples:
  violates:
    - segments: {country: NO}
      items: [{category: Outerwear, score: 0.5, attributes: {sizes: [S, M]}}]
"""


def problems(text: str) -> list[str]:
    with pytest.raises(RulesInvalid) as caught:
        load_rules(text, "rules.yaml")
    return str(caught.value).splitlines()


def one(text: str) -> Rule:
    (rule,) = load_rules(text, "rules.yaml")
    return rule


def test_a_whole_rule() -> None:
    rule = one(WHOLE)
    assert (rule.severity, rule.fires.within, rule.fires.share) == ("page", 300, 0.1)
    assert rule.active.since_ms == 1_780_272_000_000
    assert rule.examples.violates[0].segments == {"country": "NO"}  # and not false, as YAML 1.1 has it
    assert rule.examples.violates[0].items[0].attributes == {"sizes": '["S","M"]'}


@pytest.mark.parametrize("rule", [WHOLE, WHOLE.replace("examples", "action: exclude\nexamples")])
def test_a_record_holds_all_that_the_file_does(rule: str) -> None:
    written = one(rule)
    read = decode_rule(written.id.encode(), encode_rule(written))
    assert content_hash(read) == content_hash(written)
    assert content_hash(read.model_copy(update={"version": "2"})) == content_hash(written)
    assert content_hash(one(rule.replace("0.1", "0.2"))) != content_hash(written)


def test_documents_and_lists_may_be_mixed() -> None:
    text = "---\n" + WHOLE + "---\n- " + WHOLE.replace("coats-in-june", "second").replace("\n", "\n  ") + "\n---\n"
    assert [rule.id for rule in load_rules(text, "rules.yaml")] == ["coats-in-june", "second"]
    assert load_rules("", "rules.yaml") == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("scope: item", "scope: items"), "4:8: rule coats-in-june, scope: must be 'item', 'slate' or 'trace'"),
        (("owner:", "ownr:"), "2:1: rule coats-in-june, ownr: unknown field; did you mean 'owner'?"),
        (("share: 0.1", "share: 2"), "9:16: rule coats-in-june, fires.share: must be less than or equal to 1"),
        (("share:", "shar:"), "9:9: rule coats-in-june, fires.shar: unknown field; did you mean 'share'?"),
        (("within: 5m", "within: 7s"), "9:29: rule coats-in-june, fires.within: must be a multiple of 10"),
        (("within: 5m", "within: soon"), "9:29: rule coats-in-june, fires.within: expected a time span such as 30s, 1m"),  # noqa: E501
        (("segments.country]", "user_id]"), "9:73: rule coats-in-june, fires.group_by[1]: may be placement, served_by"),
        (("until: 2026-09", "until: 2026-05"), "8:45: rule coats-in-june, active.until: must be after from"),
        (("score: 0.5", "scroe: 0.5"), "13:37: rule coats-in-june, examples.violates[0].items[0].scroe: unknown field; did"),  # noqa: E501
        (("id: coats-in-june", "id: coats in june"), "1:5: rule coats in june, id: string must match pattern"),
        (("message: Coats in summer\n", ""), "1:1: rule coats-in-june, message: required field is missing"),
        (("message:", "action: boost\nmessage:"), "6:9: rule coats-in-june, action.delta: boost needs either delta or factor"),  # noqa: E501
        (("message:", "action: {type: pin}\nmessage:"), "6:9: rule coats-in-june, action.position: a pin needs one"),
        (("scope: item", "scope: slate\naction: exclude"), "4:8: rule coats-in-june, scope: a rule with an action must"),  # noqa: E501
        (("severity: page", "severity: page\nowner: me"), "4:1: owner: is there twice"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_place(change: tuple[str, str], said: str) -> None:
    assert any(line.startswith(f"rules.yaml:{said}") for line in problems(WHOLE.replace(*change)))


def test_everything_that_is_wrong_is_told_at_once() -> None:
    assert len(problems(WHOLE.replace("severity: page", "severity: loud").replace("share: 0.1", "share: none"))) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id: [", "rules.yaml:1:6: while parsing a flow node"),
        ("- 1", "rules.yaml:1:3: expected a rule"),
        ("a: &a [*a]", "rules.yaml:1:1: nested too deeply"),
        ("? [1]\n: 2", "rules.yaml:1:3: expected a name before the colon"),
        ("[" * 5000, "rules.yaml:1:1: nested too deeply"),
        (
            "a: &a [x, x, x, x, x, x, x, x, x]\n"
            + "".join(f"{n}: &{n} [{', '.join(['*' + p] * 9)}]\n" for p, n in zip("abcdefgh", "bcdefghi", strict=True)),
            "rules.yaml:1:1: nested too deeply",
        ),
        ("\x00", "rules.yaml:1:1: unacceptable character"),
    ],
)
def test_what_is_no_rule_is_refused(text: str, said: str) -> None:
    assert problems(text)[0].startswith(said)


def test_an_id_belongs_to_one_rule() -> None:
    assert problems(WHOLE + "---\n" + WHOLE)[0] == (
        "rules.yaml:15:5: rule coats-in-june, id: is the id of another rule, in line 1"
    )


@pytest.mark.parametrize(
    ("written", "line", "column"),
    [
        ("when: brand = 'x' and brnad = 'y'", 5, 23),
        ("when: \"brand = 'x' and brnad = 'y'\"", 5, 24),
        ("when: 'brand = ''x'' and brnad = ''y'''", 5, 26),
        ("when: \"brand = '\\u0041\\n' and\\tbrnad = 'y'\"", 5, 32),
        ("when: >\n    brand = 'x'\n      and brnad = 'y'", 7, 11),
        ("when: |- # why\n  brand = 'x'\n    and\n    brnad = 'y'", 8, 5),
        ("when: brand = 'x'\n   and  brnad = 'y'", 6, 9),
        ("when: title = 'ü日' and brnad = 'y'", 5, 24),
    ],
)
def test_a_place_within_when_is_found_however_it_is_written(written: str, line: int, column: int) -> None:
    (found,) = check([one(WHOLE.replace("when: category = 'Outerwear'", written))])
    assert str(found) == (
        f"rules.yaml:{line}:{column}: rule coats-in-june, when: unknown field 'brnad'; did you mean 'brand'?"
    )


def test_a_record_that_is_no_rule_is_invalid() -> None:
    raw = encode_rule(one(WHOLE))
    with pytest.raises(Invalid, match=r"\$\.id: is another rule than the record's key"):
        decode_rule(b"other", raw)
    with pytest.raises(Invalid, match=r"\$\.scope: required field is missing"):
        decode_rule(b"x", b'{"id": "x", "owner": "y", "when": "true", "message": "z"}')
    with pytest.raises(Invalid, match=r"\$: "):
        decode_rule(b"x", b"[]")


@pytest.mark.parametrize(
    "action",
    [
        {"type": "boost", "delta": 0.1},
        {"type": "boost", "factor": 1.5},
        {"type": "bury", "delta": -0.1},
        {"type": "bury", "factor": 0.5},
        {"type": "pin", "position": 3},
        {"type": "exclude"},
    ],
)
def test_actions(action: dict[str, object]) -> None:
    assert Action.model_validate(action).type == action["type"]


@pytest.mark.parametrize(
    "action",
    [
        {"type": "boost", "delta": -0.1},
        {"type": "boost", "delta": 0.1, "factor": 2.0},
        {"type": "boost", "factor": 0.5},
        {"type": "bury", "delta": 0.1},
        {"type": "bury", "factor": 1.0},
        {"type": "bury", "factor": 0.0},
        {"type": "pin", "position": 0},
        {"type": "pin", "position": 1, "delta": 0.1},
        {"type": "exclude", "position": 1},
        {"type": "drop"},
    ],
)
def test_actions_that_make_no_sense(action: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        Action.model_validate(action)


def test_of_the_rules_that_act_only_those_that_exclude_watch() -> None:
    assert one(WHOLE).watches
    assert one(WHOLE + "action: exclude\n").watches
    assert not one(WHOLE + "action: {type: pin, position: 1}\n").watches
