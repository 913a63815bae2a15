"""`rectrace rules pressure`, and what of it `rectrace rules list` shows, over requests that are counted by hand."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import Result

from schemas.parts import WINDOW_MS, Part
from schemas.rule_log import rule_row
from sinks.clickhouse.client import connect
from tests.support.command_line import run
from tests.support.database import Database
from tests.support.events import event, part, raw

START = int(time.time()) * 1000 // WINDOW_MS * WINDOW_MS - 600_000
SCORES = {"a": 0.4, "b": 0.3, "c": 0.2, "d": 0.1}
HALF = 1 / 1.584962500721156  # 1 / log2(3): what the second place weighs


@pytest.fixture
def db(clickhouse: str, database: str) -> Iterator[Database]:
    with connect(clickhouse) as client:
        yield Database.create(client, database)


@pytest.fixture
def env(clickhouse: str, database: str) -> dict[str, str]:
    return {"RECTRACE_CLICKHOUSE": clickhouse, "RECTRACE_DATABASE": database}


def ask(env: dict[str, str], *words: str) -> Result:
    return run(["rules", *words], env)


def told(env: dict[str, str], *words: str) -> Any:
    done = ask(env, *words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def request(request_id: str, placement: str, kept: str, served: str, **arranged: Any) -> Part:
    """k is how many are served; filtering left `kept`, which have SCORES."""
    items = list(served)
    bodies: list[tuple[str, str, dict[str, Any]]] = [
        ("request", "api", {"placement": placement, "k": len(items)}),
        ("filtering", "stock", {"items": list(kept)}),
        ("scoring", "ranker", {"items": list(kept), "scores": [SCORES[item] for item in kept]}),
        ("business_logic", "rules", {"items": items, **arranged}),
        ("response", "api", {"items": items}),
    ]
    at = range(START, START + len(bodies))
    return part(
        event(raw(request_id, stage, component, ts=ms, **body), ms)
        for ms, (stage, component, body) in zip(at, bodies, strict=True)
    )


def adjusted(rule: str, item: str, action: str, delta: float | None = None) -> dict[str, Any]:
    return {"rule_id": rule, "item": item, "action": action, "delta": delta}


def land(db: Database) -> None:
    """At home, one request in which b is boosted before a, and another rule would bury it, and one as the model has it.
    In the cart one item is put in before what is left of too few."""
    clash = [adjusted("new", "b", "boost", 0.2), adjusted("low", "b", "bury", 0)]
    paid = [adjusted("paid", "s", "inject")]
    db.land(
        [
            request("r1", "home", "abcd", "ba", adjustments=clash, dropped={"recall": ["d"]}),
            request("r2", "home", "abcd", "ab"),
            request("r3", "cart", "ab", "sab", adjustments=paid),
        ]
    )
    db.settle()


def test_numbers_are_those_counted_by_hand(db: Database, env: dict[str, str]) -> None:
    land(db)
    found = told(env, "pressure")
    home, cart = found["placements"]
    # Agreement of r1 at depths 1 and 2 is 0 and 1, of r3 at 1 to 3 it is 0, 1/2 and 2/3.
    assert home["rule_pressure"] == pytest.approx((1 - 0.1 * 0.9 / (1 - 0.9**2)) / 2, abs=1e-6)
    assert cart["rule_pressure"] == pytest.approx(1 - 0.1 * (0.9 / 2 + 0.81 * 2 / 3) / (1 - 0.9**3), abs=1e-6)
    assert home["score_regret"] == pytest.approx((1 - (0.3 + 0.4 * HALF) / (0.4 + 0.3 * HALF)) / 2, abs=1e-6)
    assert cart["score_regret"] == pytest.approx(1 - (0.4 * HALF + 0.3 / 2) / (0.4 + 0.3 * HALF), abs=1e-6)
    of_home, of_cart = (
        {name: row[name] for name in ("placement", "requests", "judged", "slots", "slots_by_rules", "conflicts")}
        for row in (home, cart)
    )
    assert of_home == {
        "placement": "home", "requests": 2, "judged": 2, "slots": 4, "slots_by_rules": 1, "conflicts": 1,
    }  # fmt: skip
    assert of_cart == {
        "placement": "cart", "requests": 1, "judged": 1, "slots": 3, "slots_by_rules": 1, "conflicts": 0,
    }  # fmt: skip
    assert (home["over_constrained"], home["over_constrained_2k"], home["conflicted"]) == (0, 0.5, 0.5)
    assert (cart["over_constrained"], cart["over_constrained_2k"], cart["conflicted"]) == (1, 1, 0)
    assert (home["matched"], home["matched_p95"], cart["matched_p95"]) == ({"0": 1, "3": 1}, 3, 1)

    rules = {row["rule"]: row for row in found["rules"]}
    assert [*rules] == ["new", "paid", "low", "recall"], "those with the most slots first"
    assert rules["new"]["slot_share"] == rules["paid"]["slot_share"] == pytest.approx(1 / 7, abs=1e-6)
    assert (rules["low"]["buried"], rules["low"]["lost"], rules["low"]["against"]) == (0, 1, {"new": 1})
    assert (rules["new"]["conflicts"], rules["new"]["lost"], rules["new"]["against"]) == (1, 0, {})
    assert (rules["recall"]["excluded"], rules["paid"]["injected"], rules["new"]["boosted"]) == (1, 1, 1)


def test_people_see_the_same(db: Database, env: dict[str, str]) -> None:
    land(db)
    lines = [line.split() for line in ask(env, "pressure").stdout.splitlines()]
    assert lines[0][:5] == ["2", "of", "7", "served", "slots"]
    assert ["home", "2", "2", "0.263", "3.1%", "25.0%", "0.0%", "50.0%", "50.0%", "3"] in lines
    assert ["cart", "1", "1", "0.635", "31.7%", "33.3%", "100.0%", "100.0%", "0.0%", "1"] in lines
    assert ["new", "1", "boosted", "1", "1", "14.3%", "1", "0"] in lines
    assert ["low", "1", "0", "0.0%", "1", "1", "new", "1"] in lines


def test_at_one_placement_shares_are_of_its_slots(db: Database, env: dict[str, str]) -> None:
    land(db)
    found = told(env, "pressure", "--placement", "home")
    assert [row["placement"] for row in found["placements"]] == ["home"]
    assert {row["rule"]: row["slot_share"] for row in found["rules"]} == {"new": 0.25, "low": 0, "recall": 0}


def test_rules_that_act_are_listed_with_their_slots(db: Database, env: dict[str, str]) -> None:
    land(db)
    new: dict[str, Any] = {"id": "new", "owner": "shop", "scope": "item", "when": "age_days < 14", "message": "New"}
    rules = [new | {"action": {"type": "boost", "delta": 0.2}}, new | {"id": "old", "when": "age_days > 14"}]
    db.sink.write_rules([rule_row(rule["id"].encode(), json.dumps(rule).encode(), START, []) for rule in rules])
    acting, watching = told(env, "list")
    assert acting["slot_share"] == pytest.approx(1 / 7, abs=1e-6)
    assert acting["conflicts"] == 1
    assert (watching["slot_share"], watching["conflicts"]) == (None, None)
    shown = ask(env, "list").stdout.splitlines()
    assert [line.split()[-1] for line in shown] == ["slots", "14.3%", "-"]


def test_what_is_not_found_says_so(db: Database, env: dict[str, str]) -> None:
    nothing = ask(env, "pressure")
    assert (nothing.exit_code, nothing.stderr.startswith("rectrace: no sealed requests in the 1h before")) == (1, True)
    land(db)
    unknown = ask(env, "pressure", "--placement", "hme")
    assert unknown.exit_code == 1
    assert "no requests at 'hme' in that time; did you mean 'home'?; there are cart, home" in unknown.stderr
    wrong = ask(env, "pressure", "--since", "soon")
    assert wrong.exit_code == 2
    assert "'soon' is no time span such as 30s, 10m, 2h or 1d" in " ".join(wrong.stderr.replace("│", " ").split())
