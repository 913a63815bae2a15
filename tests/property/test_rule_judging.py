"""A batch judged at once finds what judging each request by itself, in plain Python, finds."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from schemas.rules import Rule
from streams.rules.frames import CATALOG, TRACES
from streams.rules.judge import Judge
from streams.rules.tree import Tree, text
from tests.support.random_rules import EXACT, ITEM_FIELDS, NOON, REQUEST_FIELDS, TEXTS, conditions, values
from tests.support.rule_reference import value

ITEMS = ["g1", "g2", "g3"]
TIMES = [NOON + timedelta(seconds=seconds) for seconds in (-10, 0, 10)]
FROM_CATALOG = ("title", "brand", "price", "available", "created_at")
SCOPES = {
    "item": conditions([*ITEM_FIELDS, *REQUEST_FIELDS], exact=True),
    "slate": conditions(REQUEST_FIELDS, ITEM_FIELDS),
    "trace": conditions(REQUEST_FIELDS),
}
FIELDS = {field.name: field for field in (*ITEM_FIELDS, *REQUEST_FIELDS)}


def some(name: str) -> st.SearchStrategy[Any]:
    return values(FIELDS[name], EXACT)


texts = st.sampled_from(TEXTS)
labels = st.dictionaries(st.sampled_from(["country", "size", "other"]), texts, max_size=2)
served = st.fixed_dictionaries(
    {"item": st.sampled_from(ITEMS), "score": some("score"), "sources": st.lists(texts, max_size=2)}
)
requests = st.lists(
    st.fixed_dictionaries(
        {
            "at": st.sampled_from(TIMES),
            "took": st.sampled_from([0, 5]),
            "placement": texts,
            "k": st.integers(0, 3),
            "segments": labels,
            "responded": st.booleans(),
            "items": st.lists(served, max_size=4),
        }
    ),
    min_size=1,
    max_size=4,
)
states = st.lists(
    st.fixed_dictionaries(
        {
            "item": st.sampled_from(ITEMS),
            "record_at": st.sampled_from([*TIMES, *(at + timedelta(seconds=5) for at in TIMES)]),
            "deleted": st.booleans(),
            "title": texts,
            "brand": texts,
            "price": some("price"),
            "available": some("available"),
            "created_at": some("created_at"),
            "attributes": labels,
        }
    ),
    max_size=8,
    unique_by=lambda state: (state["item"], state["record_at"]),
)
rules = st.lists(
    st.sampled_from(list(SCOPES)).flatmap(lambda scope: st.tuples(st.just(scope), SCOPES[scope])),
    min_size=1,
    max_size=4,
)


@given(requests, states, rules)
def test_a_batch_is_judged_as_its_requests_one_by_one(
    asked: list[dict[str, Any]], catalog: list[dict[str, Any]], written: list[tuple[Any, Tree]]
) -> None:
    judge = Judge(rule(number, scope, tree) for number, (scope, tree) in enumerate(written))
    verdict = judge.judge(traces(asked).select(judge.columns), entries(catalog))
    assert (judge.failed, verdict.failed) == ({}, {})
    hits = [tuple(row) for row in verdict.hits.select("rule_id", "request_id", "item", "position").iter_rows()]
    wanted = [
        hit for number, (scope, tree) in enumerate(written) for hit in at_fault(number, scope, tree, asked, catalog)
    ]
    assert sorted(hits) == sorted(wanted)
    counts = {row[0]: row[1:] for row in verdict.counts.select("rule_id", "judged", "hit").iter_rows()}
    answered = sum(request["responded"] for request in asked)
    for number, (scope, _) in enumerate(written):
        hit = {request for name, request, *_ in wanted if name == f"r{number}"}
        assert counts[f"r{number}"] == (len(asked) if scope == "trace" else answered, len(hit))


def rule(number: int, scope: Any, tree: Tree) -> Rule:
    return Rule(id=f"r{number}", owner="tests", scope=scope, when=text(tree), message="is at fault")


def at_fault(
    number: int, scope: str, tree: Tree, asked: Sequence[Mapping[str, Any]], catalog: Sequence[Mapping[str, Any]]
) -> list[tuple[str, str, str, int]]:
    """The hits of one rule, one request after the other."""
    found = []
    for index, request in enumerate(asked):
        row = {**request, "placement": request["placement"], "segments.country": request["segments"].get("country")}
        items = [
            {**row, **item, "position": float(place), **state(catalog, item["item"], request)}
            for place, item in enumerate(request["items"], 1)
        ]
        if scope != "trace" and not request["responded"]:
            continue
        if scope == "item":
            found += [
                (f"r{number}", f"q{index}", item["item"], int(item["position"]))
                for item in items
                if value(tree, item) is True
            ]
        elif value(tree, row, items) is True:
            found.append((f"r{number}", f"q{index}", "", 0))
    return found


def state(catalog: Sequence[Mapping[str, Any]], item: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """What the catalogue says of an item as of the response."""
    at: datetime = request["at"] + timedelta(seconds=request["took"])
    known = [each for each in catalog if each["item"] == item and each["record_at"] <= at]
    newest = max(known, key=lambda each: each["record_at"], default=None)
    if newest is None or newest["deleted"]:
        return {"in_catalog": False, "attributes.size": None, **dict.fromkeys(FROM_CATALOG)}
    empty_is_null = {name: newest[name] or None for name in ("title", "brand")}
    size = newest["attributes"].get("size")
    return {
        "in_catalog": True,
        "attributes.size": size,
        **{name: newest[name] for name in FROM_CATALOG},
        **empty_is_null,
    }


def traces(asked: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    rows = [
        {
            "request_id": f"q{index}",
            "at": request["at"],
            "responded_at": request["at"] + timedelta(seconds=request["took"]),
            "placement": request["placement"],
            "k": request["k"],
            "segments": pairs(request["segments"]),
            "responded": request["responded"],
            "served": [item["item"] for item in request["items"]],
            "scores": [item["score"] for item in request["items"]],
            "sources": [item["sources"] for item in request["items"]],
        }
        for index, request in enumerate(asked)
    ]
    return pl.DataFrame(rows, schema={name: TRACES[name] for name in rows[0]})


def entries(catalog: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    rows = [{**each, "attributes": pairs(each["attributes"]), "category": ""} for each in catalog]
    return pl.DataFrame(rows, schema=CATALOG)


def pairs(labels: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in labels.items()]
