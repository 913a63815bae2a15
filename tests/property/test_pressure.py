"""Rule pressure: the formulas hold what they promise, and what the seal counts of random requests is what they give."""

import itertools
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.parts import WINDOW_MS, Event
from sinks.clickhouse.client import connect
from streams.rules.pressure import model_order, pressure, rbo, score_regret
from tests.support import pressure_reference, reference
from tests.support.database import JOURNEY, Database
from tests.support.events import event, part, raw
from tests.support.random_requests import random_events

START = int(time.time()) * 1000 // WINDOW_MS * WINDOW_MS - 3_600_000
ITEMS = "abcdefghij"
distinct = st.lists(st.sampled_from(ITEMS), min_size=1, unique=True)
slates = st.lists(st.sampled_from(ITEMS), min_size=1, max_size=14)
scores = st.floats(-100, 100, width=32)
_number = itertools.count()


# The formulas


@given(distinct)
def test_the_model_s_own_order_is_under_no_pressure_and_costs_nothing(items: list[str]) -> None:
    assert pressure(items, items) == pytest.approx(0, abs=1e-12)
    assert pressure([*items, "x", "y"], items) == pytest.approx(0, abs=1e-12), "what is beyond the slots does not count"
    ranked = [(item, float(len(items) - place)) for place, item in enumerate(items)]
    assert score_regret(ranked, items) == pytest.approx(0, abs=1e-12)


@given(distinct, distinct)
def test_lists_with_nothing_in_common_are_under_full_pressure(model: list[str], served: list[str]) -> None:
    strange = [item.upper() for item in served]
    assert pressure(model, strange) == 1
    ranked = [(item, 1.0) for item in model]
    assert score_regret(ranked, strange) == 1


@given(distinct, slates)
def test_pressure_and_overlap_are_shares(model: list[str], served: list[str]) -> None:
    assert 0 <= pressure(model, served) <= 1
    assert pressure(model, served) == pytest.approx(1 - rbo(model, served))


@given(distinct, st.permutations(ITEMS))
def test_overlap_is_symmetric_and_does_not_mind_names(model: list[str], renamed: Sequence[str]) -> None:
    served = model[::-1]
    names = dict(zip(ITEMS, renamed, strict=True))
    assert rbo(model, served) == pytest.approx(rbo(served, model))
    assert rbo([names[item] for item in model], [names[item] for item in served]) == pytest.approx(rbo(model, served))


@given(st.lists(st.sampled_from(ITEMS), min_size=3, unique=True), st.data())
def test_a_swap_further_up_weighs_more(items: list[str], data: st.DataObject) -> None:
    lower = data.draw(st.integers(1, len(items) - 2))
    assert pressure(items, _swapped(items, 0)) > pressure(items, _swapped(items, lower))


def _swapped(items: list[str], at: int) -> list[str]:
    return [*items[:at], items[at + 1], items[at], *items[at + 2 :]]


def test_overlap_by_hand() -> None:
    """Depths 1 to 3 of (a b c) and (b a d) share 0 of 1, 2 of 2, 2 of 3."""
    due = 0.1 * (0 + 0.9 * 2 / 2 + 0.81 * 2 / 3) / (1 - 0.9**3)
    assert rbo("abc", "bad") == pytest.approx(due)
    assert rbo("ab", "abx") == pytest.approx(0.1 * (1 + 0.9 + 0.81 * 2 / 3) / (1 - 0.9**3)), "the model ran out"
    assert rbo("ab", "aa") == pytest.approx(0.1 * (1 + 0.9 / 2) / (1 - 0.9**2)), "the second a wastes a place"


@pytest.mark.parametrize(("served", "p", "message"), [("", 0.9, "nothing served"), ("a", 1.0, "p is 1.0")])
def test_no_overlap_where_there_is_none_to_measure(served: str, p: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rbo("a", served, p)


@given(st.dictionaries(st.sampled_from(ITEMS), scores, min_size=1), slates)
def test_regret_is_a_share_and_none_where_nothing_can_be_lost(model: dict[str, float], served: list[str]) -> None:
    ranked = model_order([list(model.items())])
    regret = score_regret(ranked, served)
    if regret is None:
        assert max(model.values()) <= min([0.0, *model.values()])
    else:
        assert 0 <= regret <= 1


@given(st.dictionaries(st.sampled_from(ITEMS), scores, min_size=2), st.integers(1, 10))
def test_no_list_of_that_length_does_better_than_the_model_s(model: dict[str, float], k: int) -> None:
    ranked = model_order([list(model.items())])
    best = [item for item, _ in ranked[:k]]
    if (regret := score_regret(ranked, best)) is not None:
        assert regret == pytest.approx(0, abs=1e-9)
        repeated = score_regret(ranked, [best[0]] * len(best))
        assert repeated is not None
        assert repeated >= 0


def test_regret_by_hand() -> None:
    ranked = [("a", 0.5), ("b", 0.3), ("c", 0.1)]
    third, second = 0.5, 0.6309297535714575  # 1 / log2(4), 1 / log2(3)
    ideal = 0.5 + 0.3 * second + 0.1 * third
    assert score_regret(ranked, "abc") == pytest.approx(0)
    assert score_regret(ranked, "xab") == pytest.approx(1 - (0.5 * second + 0.3 * third) / ideal), "x is injected"
    assert score_regret(ranked, "aab") == pytest.approx(1 - (0.5 + 0.3 * third) / ideal)
    below = [("a", 1.0), ("b", -1.0), ("c", -3.0)]  # gains 4, 2, 0
    assert score_regret(below, "ca") == pytest.approx(1 - 4 * second / (4 + 2 * second))
    assert score_regret([("a", 0.0), ("b", 0.0)], "ba") is None
    assert score_regret(ranked, "") is None
    assert score_regret([], "a") is None


def test_the_model_s_order_is_by_score_and_of_the_attempt_that_counts() -> None:
    nan = float("nan")
    assert model_order([[("a", 0.1), ("b", None), ("c", 0.7), ("d", nan), ("e", 0.1)]]) == [
        ("c", 0.7), ("a", 0.1), ("e", 0.1),
    ]  # fmt: skip
    assert model_order([[("a", 0.1), ("a", 0.4), ("b", 0.2)]]) == [("a", 0.4), ("b", 0.2)]
    assert model_order([[("a", 0.1)], [("a", 0.9), ("b", 0.5)]]) == [("b", 0.5), ("a", 0.1)]


# What the seal counts


@pytest.fixture(scope="module")
def db(clickhouse: str) -> Iterator[Database]:
    with connect(clickhouse) as client:
        yield Database.create(client, "test_pressure")
        client.command("DROP DATABASE test_pressure SYNC")


def traces(requests: Iterable[list[Event]]) -> list[reference.Trace]:
    merged = (reference.merge(events, JOURNEY.expected) for events in requests)
    return [trace for trace in merged if trace]


def drawn(rng: Random, count: int) -> list[list[Event]]:
    """Half of them imperfect in every way, half with a model and a slate."""
    broken = [random_events(rng, f"r{next(_number)}", START + rng.choice([0, 8_500])) for _ in range(count // 2)]
    return broken + [drawn_ranked(rng) for _ in range(count // 2)]


def drawn_ranked(rng: Random) -> list[Event]:
    """Scored items, some of which are served, out of order, more than once, or beside others; rules say that they did
    it."""
    scale = rng.choice([0.0, 1.0, 1.0, 1.0])
    least = rng.choice([0, 0, 0, -3])
    scored = [
        (item, rng.choice([None, least * scale, 0.25 * scale, rng.random() * scale]))
        for item in rng.choices(ITEMS, k=rng.randint(1, 8))
    ]
    slate = rng.choice([[], rng.choices([*ITEMS, "x", "y"], k=rng.randint(1, 6)), rng.sample(ITEMS, 5)])
    return ranked(rng, scored, slate)


def ranked(rng: Random, scored: Sequence[tuple[str, float | None]], slate: Sequence[str]) -> list[Event]:
    """The events of one request; some of the scores may come from a second attempt, or be given by an earlier model."""
    rid, at = f"r{next(_number)}", START
    items, scores = [item for item, _ in scored], [score for _, score in scored]
    cut = rng.choice([0, 0, len(items) // 2])
    bodies: list[tuple[str, str, dict[str, Any]]] = [
        ("request", "api", {"k": rng.randint(1, 6), "placement": rng.choice(["home", "cart"])}),
        ("filtering", "stock", {"items": items, "n_out": rng.choice([None, None, len(items) + 3])}),
        ("scoring", "a_light", {"items": items[:2], "scores": [0.5, 0.25][: len(items)]}),
        ("scoring", "ranker", {"items": items[cut:], "scores": scores[cut:]}),
        ("scoring", "ranker", {"items": items[: cut + 1], "scores": scores[: cut + 1], "attempt": 1}),
        ("business_logic", "rules", {"items": slate, **_moved(rng)}),
        ("response", "api", {"items": slate, "served_by": rng.choice([None, "primary", "fallback"])}),
    ]
    if not cut:
        del bodies[4]
    return [
        event(raw(rid, stage, component, ts=at + n, **body), at + n)
        for n, (stage, component, body) in enumerate(bodies)
    ]


def _moved(rng: Random) -> dict[str, Any]:
    adjustments = [
        {"rule_id": rng.choice(["r1", "r2", "r3"]), "item": rng.choice(ITEMS), "action": action, "delta": delta}
        for action, delta in rng.choices(
            [("boost", 0.5), ("boost", 0), ("bury", -0.5), ("bury", 0), ("pin", None)], k=6
        )
    ]
    return {"adjustments": adjustments, "dropped": {"r4": rng.sample(ITEMS, rng.randint(0, 3))}}


def check(db: Database, requests: list[list[Event]]) -> None:
    """Everything in the views, against the same counted one request at a time."""
    db.clear()
    db.land([part(events) for events in requests])
    db.settle()
    due = pressure_reference.of_traces(traces(requests))
    placements = db.client.query(f"SELECT * FROM {db.name}.pressure").named_results()
    check_placements(list(placements), due)
    rules = db.client.query(f"SELECT * FROM {db.name}.rule_pressure").named_results()
    check_rules(list(rules), due)


def check_placements(rows: list[dict[str, Any]], due: dict[str, pressure_reference.Sums]) -> None:
    assert {row["placement"] for row in rows} == set(due)
    for placement, sums in due.items():
        found: Counter[str] = Counter()
        matched: Counter[int] = Counter()
        for row in (row for row in rows if row["placement"] == placement):
            matched.update(row["matched"])
            found.update({name: value for name, value in row.items() if isinstance(value, int | float)})
        assert found.pop("judged") == len(sums.pressure)
        assert found.pop("scored") == len(sums.regret)
        assert found.pop("pressure_sum") == pytest.approx(sum(sums.pressure), abs=1e-8 * (1 + len(sums.pressure)))
        assert found.pop("regret_sum") == pytest.approx(sum(sums.regret), abs=1e-8 * (1 + len(sums.regret)))
        sums.counts.pop("judged", None)
        assert +found == +sums.counts
        assert matched == sums.matched


def check_rules(rows: list[dict[str, Any]], due: dict[str, pressure_reference.Sums]) -> None:
    found: Counter[tuple[str, ...]] = Counter()
    for row in rows:
        place = (str(row["placement"]), str(row["rule"]))
        found.update({(*place, name): value for name, value in row.items() if isinstance(value, int)})
        found.update({(*place, "against", winner): count for winner, count in row["against"].items()})
    wanted: Counter[tuple[str, ...]] = Counter()
    for placement, sums in due.items():
        for rule, counts in sums.rules.items():
            wanted.update({(placement, rule, name): count for name, count in counts.items()})
        wanted.update({(placement, rule, "against", winner): n for (rule, winner), n in sums.against.items()})
    assert +found == +wanted


@pytest.mark.parametrize("seed", range(3))
def test_the_seal_counts_what_the_formulas_give(db: Database, seed: int) -> None:
    check(db, drawn(Random(seed), 700))


def test_a_list_longer_than_the_table_of_weights(db: Database) -> None:
    items = [f"i{number}" for number in range(700)]
    served = [*items[1:600], items[0], *items[600:]]
    check(db, [ranked(Random(1), scored=[(item, 1.0) for item in items], slate=served)])


def test_the_random_requests_have_all_of_it() -> None:
    sums = pressure_reference.of_traces(traces(drawn(Random(1), 500)))["home"]
    assert 0 < sums.counts["judged"] < sums.counts["requests"]
    assert 0 < len(sums.regret) < len(sums.pressure), "some have nothing to lose"
    assert min(sums.pressure) == pytest.approx(0, abs=1e-12)
    assert max(sums.pressure) == 1
    assert {"constrained", "over_constrained", "over_constrained_2k", "conflicts", "slots_by_rules"} <= set(
        +sums.counts
    )
    assert all(sums.against.values())
    of_rules = sum(sums.rules.values(), Counter[str]())
    assert {"lost", "conflicts", "slots", "slots_buried", "slots_injected", "excluded"} <= set(+of_rules)
