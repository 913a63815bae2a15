"""The judge, beyond what single conditions mean: groups, times, answers that did not come, evidence, failures."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from schemas.rule_examples import Example
from schemas.rules import Rule
from streams.rules.acting import Request, compile_items
from streams.rules.examples import frames, outcomes
from streams.rules.expressions import over_items
from streams.rules.frames import CATALOG, TRACES
from streams.rules.judge import Judge, Verdict
from streams.rules.language import read
from streams.rules.plan import Plan, evaluate

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)


def rule(name: str, scope: str, when: str, **more: Any) -> Rule:
    return Rule.model_validate({"id": name, "owner": "o", "message": "m", "scope": scope, "when": when, **more})


def example(*items: Mapping[str, Any], **fields: Any) -> Example:
    return Example.model_validate({"items": list(items), **fields})


def judged(rules: list[Rule], *examples: Example) -> Verdict:
    return Judge(rules).judge(*frames(examples))


def hits(verdict: Verdict) -> list[tuple[str, str, str, int]]:
    return verdict.hits.select("rule_id", "request_id", "item", "position").rows()


def seen(verdict: Verdict) -> dict[str, str]:
    return {pair["key"]: pair["value"] for pair in verdict.hits.row(0, named=True)["values"]}


def test_hits_and_counts_by_group() -> None:
    one = rule("a", "item", "price > 10", version="v7", fires={"group_by": ["placement", "segments.country"]})
    dear, cheap = {"price": 11.0}, {"price": 10.0}
    verdict = judged(
        [one],
        example(dear, {**dear, "item": "x"}, cheap, segments={"country": "DE"}),
        example({**cheap, "item": "z"}, segments={"country": "DE"}),
        example({"item": "y"}, placement="cart"),
    )
    assert hits(verdict) == [("a", "example-1", "item-1", 1), ("a", "example-1", "x", 2)]
    assert verdict.hits.get_column("version").to_list() == ["v7", "v7"]
    groups = [("home", "DE", 2, 1), ("cart", "", 1, 0)]
    assert verdict.counts.to_dicts() == [
        {
            "rule_id": "a",
            "version": "v7",
            "group": [{"key": "placement", "value": place}, {"key": "segments.country", "value": country}],
            "judged": judged,
            "hit": hit,
        }
        for place, country, judged, hit in groups
    ]


def test_a_request_without_response_is_judged_by_trace_rules_only() -> None:
    rules = [rule("slate", "slate", "count() = 0"), rule("trace", "trace", "not responded")]
    verdict = judged(rules, example(responded=False), example())
    assert hits(verdict) == [("slate", "example-2", "", 0), ("trace", "example-1", "", 0)]
    assert verdict.counts.select("rule_id", "judged", "hit").rows() == [("slate", 1, 1), ("trace", 2, 1)]


def test_a_rule_judges_only_while_it_is_active() -> None:
    active = {"from": NOON.isoformat(), "until": (NOON + timedelta(seconds=2)).isoformat()}
    for scope in ("item", "slate", "trace"):
        verdict = judged(
            [rule("a", scope, "true", active=active)],
            *(example({}, at=NOON + timedelta(seconds=seconds)) for seconds in (-1, 0, 1, 2)),
        )
        assert [request for _, request, *_ in hits(verdict)] == ["example-2", "example-3"]
        assert verdict.counts.row(0)[-2:] == (2, 2)


def test_evidence_is_what_the_condition_saw() -> None:
    when = "score < 0.3 and (brand = 'A' or price / 3 > 1) and at < toDateTime('2027-01-01') and has(sources, 'ann')"
    item = {"score": 0.28, "price": 4.0, "sources": ["ann", "popular"]}
    assert seen(judged([rule("a", "item", when)], example(item))) == {
        "score": "0.28",
        "brand": "NULL",
        "price": "4",
        "at": "2026-06-15T12:00:00.000Z",
        "sources": "ann,popular",
    }
    verdict = judged([rule("a", "slate", "avg(brand = 'A') > 0.5 and k = 3")], example({"brand": "A"}, k=3))
    assert seen(verdict) == {"avg(brand = 'A')": "1", "k": "3"}
    verdict = judged([rule("a", "item", "item = 'item-1'")], example({}))
    assert seen(verdict) == {}


def test_items_without_a_catalogue_entry_are_told() -> None:
    rules = [rule("gone", "item", "not in_catalog"), rule("any", "slate", "countIf(not in_catalog) > 1")]
    verdict = judged(rules, example({"in_catalog": False}, {}, {"in_catalog": False}))
    assert [hit[2] for hit in hits(verdict)] == ["item-1", "item-3", ""]


def test_the_catalogue_counts_as_of_the_response() -> None:
    traces, _ = frames([example({"item": "g1"}, at=NOON)])
    prices = [(-60, False, 1.0), (0, False, 2.0), (1, False, 3.0), (5, True, 9.0), (6, False, 4.0)]
    catalog = pl.DataFrame(
        [
            {"item": "g1", "record_at": NOON + timedelta(seconds=at), "deleted": deleted, "price": price}
            for at, deleted, price in prices
        ],
        schema={name: CATALOG[name] for name in ("item", "record_at", "deleted", "price")},
    )
    catalog = catalog.with_columns(
        pl.lit(None, dtype=kind).alias(name) for name, kind in CATALOG.items() if name not in catalog.columns
    )
    judge = Judge([rule("a", "item", "price is null or price is not null")])
    for after, price in ((-1, "1"), (0, "2"), (0.5, "2"), (4.999, "3"), (5, "NULL"), (7, "4")):
        moved = traces.with_columns(pl.lit(NOON + timedelta(seconds=after)).cast(TRACES["at"]).alias("responded_at"))
        assert seen(judge.judge(moved, catalog)) == {"price": price}
    unknown = traces.with_columns(pl.lit(None, dtype=TRACES["at"]).alias("responded_at"))
    assert seen(judge.judge(unknown, catalog)) == {"price": "2"}


def test_stages_and_components() -> None:
    stages = [
        {"stage": "retrieval", "component": "ann", "duration_ms": 10.0, "n_out": 40},
        {"stage": "retrieval", "component": "popular", "duration_ms": 30.0, "n_out": 5, "status": "timeout"},
        {"stage": "filtering", "component": "stock", "n_in": 45, "n_out": 30},
        {"stage": "filtering", "component": "policy", "n_in": 30, "n_out": 20},
        {"stage": "scoring", "component": "ranker", "n_out": 1},
        {"stage": "scoring", "component": "ranker", "n_out": 20, "attempt": 1},
    ]
    wanted = {
        "stage.retrieval.duration_ms": "30",
        "stage.retrieval.n_out": "45",
        "stage.retrieval.failed": "true",
        "component.ann.failed": "false",
        "component.popular.n_out": "5",
        "stage.filtering.n_out": "20",
        "stage.filtering.duration_ms": "NULL",
        "component.stock.n_out": "30",
        "component.ranker.n_out": "20",
        "stage.ordering.n_out": "NULL",
        "stage.ordering.failed": "NULL",
    }
    when = " or ".join(f"{name} is null or {name} is not null" for name in wanted)
    assert seen(judged([rule("a", "trace", when)], example(stages=stages))) == wanted


@pytest.mark.parametrize(
    ("context", "text"),
    [
        ({"x": "summer"}, "summer"), ({"x": 6}, "6"), ({"x": True}, "true"), ({"x": None}, "NULL"), ({}, "NULL"),
        ({"x": "a\n\"ü\""}, "a\n\"ü\""), ({"x": [1, 2]}, "[1,2]"), (None, "NULL"),
    ],
)  # fmt: skip
def test_context(context: dict[str, Any] | None, text: str) -> None:
    verdict = judged([rule("a", "trace", "context.x is null or context.x is not null")], example(context=context))
    assert seen(verdict) == {"context.x": text}


def test_empty_slates() -> None:
    conditions = [
        "count() = 0", "count(price) = 0", "uniq(item) = 0", "sum(price) = 0", "not any(available)", "all(available)",
        "avg(price) is null", "min(price) is null", "quantile(0.9)(score) is null", "stddev(score) is null",
    ]  # fmt: skip
    assert len(hits(judged([rule(f"r{n}", "slate", when) for n, when in enumerate(conditions)], example()))) == 10


def test_spread() -> None:
    items = [{"score": score} for score in (0.25, 0.5, 1.0)]
    verdict = judged(
        [rule("a", "slate", "stddevPop(score) > 0 and stddevSamp(score) > 0 and quantile(0.9)(score) > 0")],
        example(*items),
    )
    values = {name: float(value) for name, value in seen(verdict).items()}
    assert values == pytest.approx(
        {"stddevpop(score)": 0.3118048, "stddevsamp(score)": 0.3818813, "quantile(0.9)(score)": 0.9}, abs=1e-6
    )


def test_a_rule_that_cannot_be_compiled_takes_no_other_down() -> None:
    judge = Judge([rule("bad", "item", "brnad = 'x'"), rule("good", "slate", "count() = 0")])
    assert judge.failed == {"bad": "rule bad, when: unknown field 'brnad'; did you mean 'brand'? (line 1, column 1)"}
    verdict = judge.judge(*frames([example()]))
    assert hits(verdict) == [("good", "example-1", "", 0)]
    assert set(verdict.failed) == {"bad"}


def test_of_two_rules_of_one_id_the_last_counts() -> None:
    verdict = judged([rule("a", "slate", "count() = 0"), rule("a", "slate", "count() = 1")], example(), example({}))
    assert hits(verdict) == [("a", "example-2", "", 0)]


def test_a_rule_that_fails_takes_no_other_down() -> None:
    frame = pl.DataFrame({"price": [1.0, 20.0], "title": [1, 2]})  # a title that is no text
    trees = {name: read(when, "item") for name, when in {
        "a": "price > 10", "b": "title like '%x'", "c": "price > 10 or contains(title, 'y')", "d": "price < 10",
    }.items()}  # fmt: skip
    found = Plan(trees, {}).run(frame)
    assert found.matches.to_dict(as_series=False) == {"a": [False, True], "d": [True, False]}
    assert set(found.failed) == {"b", "c"}
    assert "String" in found.failed["b"] or "str" in found.failed["b"]


def test_an_aggregate_that_fails_is_named() -> None:
    traces, catalog = frames([example({"title": "x"})])
    judge = Judge([rule("a", "slate", "any(match(title, 'x'))"), rule("b", "slate", "count() = 1")])
    (column,) = (name for aggregate, name in judge._columns.items() if getattr(aggregate, "argument", None))
    judge._row_values[column] = pl.col("no such column")
    verdict = judge.judge(traces, catalog)
    assert hits(verdict) == [("b", "example-1", "", 0)]
    assert set(verdict.failed) == {"a"}
    assert "no such column" in verdict.failed["a"]


def test_only_the_columns_that_are_needed_are_asked_for() -> None:
    judge = Judge([rule("a", "trace", "total_ms > 1", fires={"group_by": ["segments.country"]})])
    assert judge.columns == ["request_id", "at", "segments", "responded", "total_ms"]
    assert not judge.needs_catalog
    judge = Judge([rule("a", "item", "score > 1 and component.x.n_out = 0 and context.y = 'z' and brand = 'q'")])
    assert judge.columns == ["request_id", "at", "responded_at", "context", "responded", "served", "scores", "stages"]
    assert judge.needs_catalog
    assert Judge([]).columns == ["request_id", "at", "responded"]


def test_no_rules_and_no_requests() -> None:
    assert judged([], example({})).hits.height == 0
    verdict = Judge([rule("a", "item", "brand = 'x'"), rule("b", "slate", "count() = 0")]).judge(*frames([]))
    assert verdict.hits.height == 0
    assert verdict.counts.get_column("judged").to_list() == [0, 0]


def test_rules_that_act_are_judged_if_they_exclude() -> None:
    acting = [
        rule("x", "item", "brand = 'B'", action="exclude"),
        rule("y", "item", "brand = 'B'", action={"type": "boost", "delta": 0.1}),
    ]
    assert hits(judged(acting, example({"brand": "B"}))) == [("x", "example-1", "item-1", 1)]


def test_candidates() -> None:
    rules = compile_items(
        [
            rule("a", "item", "brand = 'A' and segments.country = 'DE'", action={"type": "boost", "delta": 0.1}),
            rule("b", "item", "isNaN(score) or score > 0.5", action="exclude"),
            rule("c", "item", "attributes.size = 'S' and price < 10", action="exclude"),
            rule("d", "item", "age_days < 1 and k = 3 and context.page = 'x'", action="exclude"),
            rule("e", "item", "not in_catalog", action="exclude"),
            rule("f", "item", "total_ms > 1", action="exclude"),
        ]
    )
    assert set(rules.failed) == {"f"}
    assert set(compile_items([rule("g", "slate", "count() = 0")]).failed) == {"g"}
    candidates = pl.DataFrame(
        {
            "item": ["g1", "g2", "g3"],
            "score": [0.6, math.nan, None],
            "brand": ["A", "", "A"],
            "price": [5.0, math.nan, 5.0],
            "created_at": [NOON - timedelta(hours=2), NOON - timedelta(days=2), None],
            "attributes": [[{"key": "size", "value": "S"}], [], None],
        },
        schema_overrides={"attributes": CATALOG["attributes"]},
    )
    request = Request(NOON, k=3, segments={"country": "DE"}, context={"page": "x"})
    matches, failed = rules.matches(candidates, request)
    assert failed == {}
    assert matches.to_dict(as_series=False) == {
        "a": [True, False, True],
        "b": [True, True, False],
        "c": [True, False, False],
        "d": [True, False, False],
        "e": [False, False, False],
    }
    matches, _ = rules.matches(candidates.select("item", "brand"), Request(NOON))
    assert not any(any(column) for column in matches.iter_columns())


def test_examples_are_judged_whatever_the_action() -> None:
    examples = {"violates": [{"items": [{"brand": "A"}], "note": "n"}, {}], "passes": [{"items": [{"brand": "A"}]}, {}]}
    told = outcomes(rule("a", "item", "brand = 'A'", action={"type": "pin", "position": 1}, examples=examples))
    assert [(each.violates, each.number, each.right, each.why) for each in told] == [
        (True, 1, True, ""),
        (True, 2, False, "was not found at fault"),
        (False, 1, False, "was found at fault"),
        (False, 2, True, ""),
    ]


def test_one_expression_that_fails_among_many() -> None:
    wanted = {f"e{n}": (pl.col("a") + n).alias(f"e{n}") for n in range(9)} | {"bad": pl.col("b")}
    made, failed = evaluate(pl.DataFrame({"a": [1]}), wanted)
    assert set(failed) == {"bad"}
    assert made.columns == ["a", *(f"e{n}" for n in range(9))]


def test_every_aggregate_has_an_expression() -> None:
    from streams.rules.functions import AGGREGATES  # noqa: PLC0415
    from streams.rules.tree import Aggregate  # noqa: PLC0415

    for name, (_, kind) in AGGREGATES.items():
        assert over_items(Aggregate(name, None, None, 0.5, kind), "x") is not None


def test_rules_that_look_at_the_same_keep_their_hits_apart() -> None:
    rules = [rule(f"over-{bound}", "item", f"price > {bound}", version=f"v{bound}") for bound in (1, 5, 20, 9)]
    verdict = judged(rules, example({"item": "g1", "price": 10.0}), example({"item": "g2", "price": 6.0}))
    found = verdict.hits.select("rule_id", "version", "item").rows()
    assert sorted(found) == [
        ("over-1", "v1", "g1"), ("over-1", "v1", "g2"), ("over-5", "v5", "g1"), ("over-5", "v5", "g2"),
        ("over-9", "v9", "g1"),
    ]  # fmt: skip
    values = [row["values"] for row in verdict.hits.filter(item="g2").iter_rows(named=True)]
    assert values == [[{"key": "price", "value": "6"}]] * 2


def test_counts_by_window() -> None:
    one = rule("a", "trace", "total_ms > 1", fires={"group_by": ["placement"]})
    asked = [
        example(at=NOON + timedelta(seconds=at), total_ms=took) for at, took in ((0, 2), (9.999, 1), (10, 2), (25, 1))
    ]
    verdict = Judge([one]).judge(*frames(asked), by_window=True)
    counts = verdict.counts.select("window", "judged", "hit").rows()
    assert counts == [(NOON + timedelta(seconds=at), *rest) for at, *rest in ((0, 2, 1), (10, 1, 1), (20, 1, 0))]
    assert verdict.counts.get_column("group").to_list() == [[{"key": "placement", "value": "home"}]] * 3


def test_a_label_is_found_among_others() -> None:
    labels = {"age": "18-29", "country": "DE", "device": "ios"}
    seen_in = {"segments": "trace", "experiments": "trace", "attributes": "item"}
    for group, scope in seen_in.items():
        when = " or ".join(f"{group}.{name} is null or {group}.{name} is not null" for name in (*labels, "none"))
        given = example({"attributes": labels}) if scope == "item" else example(**{group: labels})
        found = seen(judged([rule("a", scope, when)], given))
        assert found == {**{f"{group}.{name}": value for name, value in labels.items()}, f"{group}.none": "NULL"}
