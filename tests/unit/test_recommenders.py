"""Registries of recommenders, what may be asked, and what is an answer."""

from typing import Any

import pytest

from schemas.recommenders import (
    AnswerInvalid,
    Input,
    InputError,
    Recommender,
    RegistryInvalid,
    allowed,
    http_address,
    load_registry,
    read_answer,
)

GOOD = """\
- id: for-you
  name: For you
  target: user
  result: product
  url: http://127.0.0.1:8000/for-you
  placement: home
  versions: ["1", "2"]
  arms: {ranker: [control, v2]}
  inputs:
    - {name: user, type: text, required: true}
    - {name: country, type: choice, choices: [NO, DE], default: NO}
    - {name: k, type: integer, minimum: 1, maximum: 40, default: 12}
    - {name: price, type: number, maximum: 99.5}
    - {name: sale, type: boolean, default: false}
- {id: near, name: Near, target: item, result: product, url: "https://shop.example", placement: page}
"""


def refused(text: str) -> list[str]:
    with pytest.raises(RegistryInvalid) as error:
        load_registry(text, "shop.yaml")
    return str(error.value).splitlines()


def test_a_registry() -> None:
    found = load_registry(GOOD, "shop.yaml")
    assert [each.id for each in found.recommenders] == ["for-you", "near"]
    assert found.placements == ["home", "page"]
    assert [each.id for each in found.at("home")] == ["for-you"]
    for_you, near = found.recommenders
    assert found.get("near") is near
    assert found.get("far") is None
    assert near.url == "https://shop.example/"
    assert for_you.values({"user": "u", "k": 3}) == {"user": "u", "country": "NO", "k": 3, "sale": False}
    assert load_registry("", "none.yaml").recommenders == ()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("  target: user\n", "", "shop.yaml:1:3: recommender for-you, target: required field is missing"),
        ("target: user", "targt: user", "3:3: recommender for-you, targt: unknown field; did you mean 'target'?"),
        ("name: For you", "name: 5", "2:9: recommender for-you, name: must be a valid string"),
        ("type: text", "type: txt", "recommender for-you, inputs[0].type: must be 'text', 'integer', 'number'"),
        ("type: text", "tpye: text", "recommender for-you, inputs[0].tpye: unknown field; did you mean 'type'?"),
        ("default: NO", "default: FR", "for-you, inputs[1].default: country='FR' must be one of NO, DE"),
        ("default: 12", "default: 41", "for-you, inputs[2].default: k=41 must be a whole number, at least 1, at most"),
        ("default: 12", "default: true", "for-you, inputs[2].default: k=True must be a whole number"),
        ("default: 12", "default: '{x}'", "for-you, inputs[2].default: k='{x}' must be a whole number"),
        ("choices: [NO, DE], ", "", "for-you, inputs[1].choices: are for type choice, which must have some"),
        ("type: text", "type: text, minimum: 1", "inputs[0].minimum: is for types integer and number"),
        ("minimum: 1", "minimum: 50", "inputs[2].maximum: must be at least minimum, which is 50"),
        ("name: user,", "name: right,", "inputs[0].name: is a word of the console's own, as are ask, placement"),
        ("name: price", "name: k", "recommender for-you, inputs: has k twice"),
        ("id: near", "id: for-you", "15:8: recommender for-you, id: is the id of another recommender, in line"),
        ("name: Near,", "name: Near, name: Far,", "15:26: recommender near, name: is there twice"),
        ("[control, v2]", "control", "recommender for-you, arms.ranker: must be a valid tuple"),
        ("http://127.0.0.1:8000/for-you", "http://me:hunter2@host/", "5:8: recommender for-you, url: must be http://"),
        ("http://127.0.0.1:8000/for-you", "file:///etc/passwd", "recommender for-you, url: must be http://HOST:PORT/"),
        ("- {id: near", "- near\n- {id: near", "shop.yaml:15:3: expected a recommender: id, name, target, result, url"),
        ("arms: {", "arms: [", "shop.yaml:8:"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_file_recommender_and_field(old: str, new: str, told: str) -> None:
    assert old in GOOD
    problems = refused(GOOD.replace(old, new, 1))
    assert any(told in each for each in problems), problems
    assert all(each.startswith("shop.yaml:") for each in problems)
    assert "hunter2" not in "".join(problems)


def test_all_that_is_wrong_is_told_at_once() -> None:
    assert len(refused(GOOD.replace("type: text", "type: txt").replace("result: product, ", ""))) == 2


@pytest.mark.parametrize(
    ("kind", "fields", "text", "value"),
    [
        ("text", {}, "5", "5"),
        ("integer", {}, "-5", -5),
        ("number", {"minimum": 0}, "2.5", 2.5),
        ("boolean", {}, "false", False),
        ("choice", {"choices": ["a", "b"]}, "b", "b"),
    ],
)
def test_an_input_is_read(kind: str, fields: dict[str, Any], text: str, value: object) -> None:
    found = given(kind, **fields).read(text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("kind", "fields", "text"),
    [
        ("text", {}, "x" * 2_001),
        ("integer", {}, "5.0"),
        ("integer", {"maximum": 4}, "5"),
        ("integer", {}, str(2**60)),
        ("number", {}, "nan"),
        ("number", {}, "inf"),
        ("boolean", {}, "yes"),
        ("choice", {"choices": ["a", "b"]}, "c"),
    ],
)
def test_an_input_that_is_none_is_told(kind: str, fields: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=r"^x='.*must be "):
        given(kind, **fields).read(text)


def given(kind: str, **fields: Any) -> Input:
    return Input.model_validate({"name": "x", "type": kind, **fields})


def test_values_that_are_not_asked_for_or_missing() -> None:
    for_you = load_registry(GOOD, "shop.yaml").recommenders[0]
    for values, told in (
        ({}, "user is required: a text"),
        ({"user": 5}, "user=5 must be a text"),
        ({"user": "u", "usr": "u"}, "usr is no input of for-you: it has user, country"),
        ({"user": "u", "k": "3"}, "k='3' must be a whole number"),
    ):
        with pytest.raises(InputError, match=told):
            for_you.values(values)


@pytest.mark.parametrize(
    ("url", "may"),
    [
        ("http://shop:81/rec", True),
        ("http://shop:81/rec/a", True),
        ("HTTP://SHOP:81/rec/a", True),
        ("http://shop:81/", False),
        ("http://shop:81/record", False),
        ("http://shop:81/rec/../admin", False),
        ("http://shop:81/rec/%2e%2e/admin", False),
        ("http://shop:81\\@evil/rec", False),
        ("http://shop:81@evil/rec", False),
        ("http://shop.evil:81/rec", False),
        ("http://shop:82/rec", False),
        ("https://shop:81/rec", False),
        ("http://shop:81/rec\n", False),
        ("https://plain/any", True),
        ("https://plain:443/any", True),
        ("https://plain:444/any", False),
        ("file:///rec", False),
        ("http://[::1]:81/", True),
        ("http://[::1/", False),
    ],
)
def test_only_what_is_allowed_may_be_asked(url: str, may: bool) -> None:
    assert allowed(url, ["http://shop:81/rec", "https://plain/", "http://[::1]:81"]) is may
    assert not allowed(url, [])


@pytest.mark.parametrize("url", ["ftp://a/", "http://", "http://a:0/", "http://a:b/", "http://a/?token=x", "a:80", ""])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ValueError, match="must be http://HOST:PORT/PATH"):
        http_address(url)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"<html>", "it is not JSON: expected value at line 1 column 1"),
        (b"\xff\xfe", "it is not JSON"),
        (b"[" * 100_000, "it is not JSON: recursion limit exceeded"),
        (b"[]", "it: must be an object"),
        (b"{}", "request_id: required field is missing\nitems: required field is missing"),
        (b'{"request_id": "r", "items": [{"item": "g1"}, {"id": "g2"}]}', "items[1].item: required field is missing"),
        (b'{"request_id": "r", "items": [{"item": "g1", "price": "9"}]}', "items[0].price: must be a valid number"),
        (b'{"request_id": "r", "items": [{"item": "g1", "score": NaN}]}', "items[0].score: must be a finite number"),
        (b'{"request_id": "r", "items": [' + b'{"x": 1},' * 30 + b'{"item": "g"}]}', "and 20 more"),
    ],
)
def test_an_answer_that_is_none(body: bytes, told: str) -> None:
    with pytest.raises(AnswerInvalid) as error:
        read_answer(body)
    assert told in str(error.value)


def test_an_answer() -> None:
    answer = read_answer(
        b'{"request_id": "r", "items": [{"item": "g1", "title": "Hat", "price": 9, "image": {}}, {"item": "g2"}], '
        b'"arms": {"ranker": "v2"}, "took": 3}'
    )
    assert [(each.item, each.title, each.price) for each in answer.items] == [("g1", "Hat", 9.0), ("g2", None, None)]
    assert answer.arms == {"ranker": "v2"}


def test_a_recommender_is_not_changed() -> None:
    found: Recommender = load_registry(GOOD, "shop.yaml").recommenders[0]
    with pytest.raises(ValueError, match="frozen"):
        found.url = "http://elsewhere/"  # type: ignore[misc]
