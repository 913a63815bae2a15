"""Rules that watch the benchmarks' traffic, as many as are asked for."""

import random
from typing import Any, Final

from benchmarks.traffic import BRANDS
from schemas.parts import RuleRow
from schemas.rule_log import rule_row
from schemas.rules import Rule, encode_rule

COUNTRIES: Final = ("US", "DE", "FR", "GB", "JP", "BR")


def published(count: int) -> list[RuleRow]:
    """So many rules, in force since long ago."""
    draw = random.Random(1)
    rules = [watching(draw, number) for number in range(count)]
    return [rule_row(each.id.encode(), encode_rule(each), 1_600_000_000_000, []) for each in rules]


def watching(draw: random.Random, number: int) -> Rule:
    """Six in ten about items, three about slates, one about the request."""
    kind = number % 10
    if kind < 6:
        return rule(number, "item", f"brand = '{draw.choice(BRANDS)}' and price > {draw.randint(295, 300)}")
    if kind < 9:
        return rule(number, "slate", f"avg(brand = '{draw.choice(BRANDS)}') > {draw.randint(50, 90) / 100}")
    return rule(
        number, "trace", f"total_ms > {draw.randint(900, 1000)} and segments.country = '{draw.choice(COUNTRIES)}'"
    )


def rule(number: int, scope: str, when: str, **more: Any) -> Rule:
    """A rule with that condition."""
    return Rule.model_validate(
        {"id": f"rule-{number}", "owner": "bench", "message": "is at fault", "scope": scope, "when": when, **more}
    )
