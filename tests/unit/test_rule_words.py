"""What a rule says in words."""

import pytest

from rectrace.rule_book import starter_pack
from rectrace.rule_words import does, sentences
from schemas.rules import Rule


def rule(**fields: object) -> Rule:
    return Rule.model_validate({"id": "r", "owner": "o", "scope": "item", "when": "true", "message": "m", **fields})


@pytest.mark.parametrize(
    ("when", "scope", "said"),
    [
        ("brand = 'Acme' and placement = 'home'", "item", "the brand is “Acme” and the placement is “home”"),
        ("not available", "item", "it cannot be bought"),
        ("price is null or price > 1000", "item", "the price is not known or the price is above 1000"),
        ("brand not in ('A', 'B') and (price < 1 or price >= 9.5)", "item",
         "the brand is none of “A”, “B” and (the price is below 1 or the price is at least 9.5)"),
        ("number(attributes.rating) < 4", "item", "its rating is below 4"),
        ("has(splitByChar(',', attributes.sold_in), segments.country)", "item", "its sold_in has the user's country"),
        ("not has(sources, 'ann')", "item", "the sources does not have “ann”"),
        ("uniq(category) < 3 and countIf(price > 5) = 0", "slate",
         "how many different the category is below 3 and the number of items of which the price is above 5 is 0"),
        ("stage.scoring.failed and component.ann.n_out = 0", "trace",
         "stage scoring failed and n_out of component ann is 0"),
        ("abs(score) > 1", "item", "abs(score) is above 1"),
    ],
)  # fmt: skip
def test_conditions(when: str, scope: str, said: str) -> None:
    assert said in sentences(rule(when=when, scope=scope))[0]


def test_what_it_does_and_whom_it_tells() -> None:
    acts = {
        "exclude": "takes out",
        "boost": "boosts by 0.02",
        "bury": "buries by a factor of 0.5",
        "pin": "pins to place 3",
    }
    amount: dict[str, dict[str, object]] = {"boost": {"delta": 0.02}, "bury": {"factor": 0.5}, "pin": {"position": 3}}
    for kind, said in acts.items():
        assert does(rule(action={"type": kind, **amount.get(kind, {})})) == said
    assert does(rule()) == "watches"
    told = sentences(
        rule(severity="page", fires={"share": 0.025, "within": "2m", "min_requests": 20, "group_by": ["placement"]})
    )
    assert told[1] == (
        "It calls somebody when 2.5 % of all requests within 2 minutes are at fault and at least 20 were judged, for "
        "each placement by itself."
    )
    boost = sentences(rule(action={"type": "boost", "delta": 1}, priority=7, active={"from": "2026-06-01T00:00:00Z"}))
    assert boost[0] == "Boosts by 1: every candidate of which true."
    assert "this one has 7" in boost[1]
    assert boost[2] == "Is in force from 2026-06-01 00:00 UTC."


def test_every_rule_that_comes_with_rectrace_has_words() -> None:
    for each in starter_pack().rules:
        told = sentences(each)
        assert len(told) >= 2
        assert not any("#" in sentence or "Call(" in sentence for sentence in told)
