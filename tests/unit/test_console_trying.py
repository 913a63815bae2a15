"""Every view of the Playground is an address with its whole state."""

import pytest

from rectrace.console.addresses import BadAddress
from rectrace.console.trying import Asked, AskedPlacement
from schemas.recommenders import InputError, Registry, load_registry

KNOWN: Registry = load_registry(
    """
- {id: a, name: A, target: user, result: product, url: "http://a/", placement: home, versions: ["1", "2"],
   arms: {ranker: [control, v2]}, inputs: [{name: user, type: text}, {name: k, type: integer, default: 3}]}
- {id: b, name: B, target: user, result: product, url: "http://b/", placement: home,
   inputs: [{name: user, type: text, required: true}, {name: near, type: number}]}
""",
    "r.yaml",
)
A, B = KNOWN.recommenders


@pytest.mark.parametrize(
    "address",
    [
        "/playground/a",
        "/playground/a?user=u+1%26&k=5&version=2&arm.ranker=v2&ask=1",
        "/playground/a?user=u&near=0.5&version=1&right=b&ask=1",
        "/playground/a?user=u&arm.ranker=control&right=a&right.version=2&right.arm.ranker=v2",
    ],
)
def test_an_address_and_back(address: str) -> None:
    query = dict(pair.split("=") for pair in address.partition("?")[2].split("&") if pair)
    query = {name: text.replace("+", " ").replace("%26", "&") for name, text in query.items()}
    assert Asked.of(KNOWN, A, query).address == address


def test_both_are_asked_with_the_same_inputs_as_far_as_they_have_them() -> None:
    query = {"user": " u ", "near": "1.5", "version": "2", "right": "b"}
    left, right = Asked.of(KNOWN, A, query).questions()
    assert left.body == {"inputs": {"user": "u", "k": 3}, "version": "2"}
    assert right.body == {"inputs": {"user": "u", "near": 1.5}}


def test_what_one_side_needs_is_required_of_both() -> None:
    alone, beside = Asked.of(KNOWN, A, {}), Asked.of(KNOWN, A, {"right": "b"})
    assert [(each.name, each.required) for each in alone.inputs] == [("user", False), ("k", False)]
    assert [(each.name, each.required) for each in beside.inputs] == [("user", True), ("k", False), ("near", False)]
    assert alone.questions()[0].body == {"inputs": {"k": 3}}
    with pytest.raises(InputError, match="B: user is required"):
        beside.questions()


def test_all_of_a_placement() -> None:
    asked = AskedPlacement.of(KNOWN, {"placement": "home", "user": "u", "k": "4", "ask": "1"})
    assert asked.address == "/playground?placement=home&user=u&k=4&ask=1"
    assert [each.body["inputs"] for each in asked.questions()] == [{"user": "u", "k": 4}, {"user": "u"}]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"usr": "u"}, "usr is nothing that can be given here; did you mean 'user'?"),
        ({"zzz": "u"}, "there are user, k, version, arm.ranker, right, ask"),
        ({"version": "3"}, "version='3' is none of 1, 2"),
        ({"right": "b", "right.version": "1"}, "right.version='1' is none of those there are: it has none"),
        ({"right": "b", "right.arm.ranker": "v2"}, "right.arm.ranker is nothing that can be given here"),
        ({"right": "c"}, "right='c' is none of a, b"),
    ],
)  # fmt: skip
def test_what_is_no_address(query: dict[str, str], told: str) -> None:
    with pytest.raises(BadAddress) as error:
        Asked.of(KNOWN, A, query)
    assert told in str(error.value)
