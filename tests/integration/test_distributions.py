"""Distributions of sealed windows: counted as plain Python counts them, and evaluated from ClickHouse to the alert."""

import itertools
import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from random import Random
from typing import Any, Final

import pytest
from prometheus_client import CollectorRegistry

from schemas.alerts import Change
from schemas.distributions import bucket
from schemas.parts import Event, Part
from sinks.clickhouse.alerts import ClickHouseAlerts
from sinks.clickhouse.client import connect
from streams.alerts.distributions import Distributions
from streams.alerts.engine import Engine
from streams.alerts.experiments import Experiments
from streams.alerts.model import SignalSource
from streams.alerts.thresholds import Thresholds
from streams.metrics import Metrics
from tests.support import reference
from tests.support.alert_store import MemoryNotifier
from tests.support.database import Database
from tests.support.events import event, part, raw
from tests.support.random_requests import random_events

START: Final = int(time.time()) // 3600 * 3600 - 7_200
PLACE: Final = {"placement": "home", "stage": "scoring", "component": "ranker"}
SCORES: Final = (
    "SELECT placement, component, version, spread, requests, candidates, scored, distinct, score_sum, square_sum, "
    "buckets FROM $database.score_metrics ORDER BY ALL"
)


@pytest.fixture
def db(clickhouse: str, database: str) -> Iterator[Database]:
    with connect(clickhouse) as client:
        yield Database.create(client, database)


# What is sealed


def traces(requests: Iterable[list[Event]]) -> list[reference.Trace]:
    merged = (reference.merge(events, {}) for events in requests)
    return [trace for trace in merged if trace is not None]


def spread(scores: list[float]) -> str:
    return "none" if not scores else "single" if len(scores) == 1 else "constant" if len(set(scores)) == 1 else "varied"


def score_rows(merged: Iterable[reference.Trace]) -> list[tuple[Any, ...]]:
    held: dict[tuple[str, ...], list[list[float | None]]] = defaultdict(list)
    for trace in merged:
        last = {
            s.component: s for s in sorted(trace.stages, key=lambda s: s.attempt) if s.stage == "scoring" and s.scores
        }
        for component, stage in last.items():
            known = [score for score in stage.scores if score is not None]
            where = trace.request["placement"], component, stage.payload.get("version") or "", spread(known)
            held[where].append(stage.scores)
    return sorted((_row(where, lists) for where, lists in held.items()), key=lambda row: row[:4])


def _row(where: tuple[str, ...], lists: list[list[float | None]]) -> tuple[Any, ...]:
    known = [[score for score in scores if score is not None] for scores in lists]
    every = list(itertools.chain.from_iterable(known))
    distinct = sum(len(set(scores)) for scores in known)
    sums = sum(every), sum(score * score for score in every)
    candidates = sum(len(scores) for scores in lists)
    return (*where, len(lists), candidates, len(every), distinct, *sums, dict(Counter(map(bucket, every))))


def drop_rows(merged: Iterable[reference.Trace]) -> dict[tuple[str, ...], tuple[int, int]]:
    counts: Counter[tuple[str, ...]] = Counter()
    events: Counter[tuple[str, ...]] = Counter()
    for trace in merged:
        for stage in trace.stages:
            for reason, n in _dropped(stage.payload).items():
                where = trace.request["placement"], stage.stage, stage.component, reason
                counts[where] += n
                events[where] += n > 0
    return {where: (n, events[where]) for where, n in counts.items() if n}


def _dropped(payload: Mapping[str, Any]) -> Counter[str]:
    listed = payload.get("dropped") or {}
    found: Counter[str] = Counter({reason: len(items) for reason, items in listed.items()})
    found.update({name: n - found[name] for name, n in (payload.get("dropped_counts") or {}).items()})
    named = {str(item) for items in listed.values() for item in items}
    for each in payload.get("adjustments") or []:
        if each["action"] == "drop" and str(each["item"]) not in named:
            found[each["rule_id"]] += 1
    return found


def test_scores_and_drops_are_counted_as_plain_python_counts_them(db: Database) -> None:
    rng = Random(5)
    requests = [random_events(rng, f"r{n}", START * 1000 + rng.randrange(8_000)) for n in range(300)]
    for events in requests:
        for number, each in enumerate(events):
            body = json.loads(each.raw)
            if each.envelope.stage == "filtering" and rng.random() < 0.4:
                body["dropped_counts"] = {rng.choice(["seen", "region"]): rng.choice([0, 3, 40])}
            if each.envelope.stage == "scoring" and rng.random() < 0.5:
                body |= {"version": rng.choice(["1.0", "2.0"]), "scores": [rng.choice([0.5, None])] * rng.randint(0, 3)}
            events[number] = event(json.dumps(body).encode(), each.record_at, offset=each.offset)
    db.land(part(events) for events in requests)
    db.settle()
    merged = traces(requests)
    assert db.rows(SCORES) == score_rows(merged)
    rows = db.rows("SELECT placement, stage, component, reason, n, events FROM $database.drop_metrics")
    assert {row[:4]: row[4:] for row in rows} == drop_rows(merged)
    assert {row[3] for row in db.rows(SCORES)} == {"varied", "constant", "single", "none"}


@pytest.mark.parametrize("score", [0.0, -0.0, 1e-45, -1e-45, 3.4e38, -3.4e38, 0.123456, -7.25, 1.0, 1e-3])
def test_the_seal_and_python_have_the_same_buckets(db: Database, score: float) -> None:
    db.land([scored("r1", START, [score])])
    db.settle()
    ((*_, buckets),) = db.rows(SCORES)
    assert buckets == {bucket(reference.float32(score)): 1}


# What is told


def scored(request_id: str, window: int, scores: list[float | None], version: str = "1.0", **more: Any) -> Part:
    at = window * 1000 + 500
    items = [f"g{n}" for n in range(len(scores))]
    stages = (
        ("request", "api", {"user_id": more.get("user", request_id), "experiments": more.get("arms", {})}),
        ("filtering", "policy", {"items": items, "dropped_counts": more.get("dropped", {})}),
        ("scoring", "ranker", {"items": items, "scores": scores, "version": version}),
        ("response", "api", {"items": items}),
    )
    bodies = [raw(request_id, stage, component, ts=at, **fields) for stage, component, fields in stages]
    return part([event(data, at, offset=number) for number, data in enumerate(bodies)])


class Bench:
    """Windows that are like one that was landed and sealed, and their evaluation."""

    def __init__(self, db: Database, plans: Mapping[str, Mapping[str, float]] | None = None) -> None:
        self.db = db
        self.window = START
        self.store = ClickHouseAlerts(db.client, db.name)
        self.receiver = MemoryNotifier()
        known, found = Thresholds(), self.store.distributions
        sources: list[SignalSource] = [Distributions(found, known), Experiments(found, known, plans or {})]
        metrics = Metrics(CollectorRegistry())
        self.engine = Engine(self.store, sources, {"am": self.receiver}, known, metrics)

    def flow(self, minutes: int, parts: Iterable[Part], *, evaluate: bool = True) -> None:
        """parts: the requests of the first window; the others have copies of its counts. evaluate: what has come, but
        when it is done for the first time only the last ten minutes."""
        self.db.land(parts)
        self.db.seal.seal(self.window)
        for table in ("score_metrics_runs", "drop_metrics_runs", "sealed"):
            name = f"{self.db.name}.{table}"
            self.db.client.command(
                f"INSERT INTO {name} SELECT * REPLACE (window + 10 * arrayJoin(range(1, {6 * minutes})) AS window) "
                f"FROM (SELECT * FROM {name} WHERE toUnixTimestamp(window) = {self.window})"
            )
        self.window += 60 * minutes
        if evaluate:
            self.receiver.now = self.window + 15.0
            self.engine.tick(self.receiver.now)

    @property
    def changes(self) -> list[Change]:
        """What somebody was told."""
        every = [change for each in self.store.changed("sealed", 0, 1_000) for change in each.changes]
        return [change for change in every if change.told]


def requests(bench: Bench, seed: int, shift: float = 1.0, **more: Any) -> list[Part]:
    chance = Random(seed)
    lists = [[shift * chance.lognormvariate(0, 0.5) for _ in range(10)] for _ in range(60)]
    return [scored(f"{seed}-{n}", bench.window, [*scores], **more) for n, scores in enumerate(lists)]


USUAL: Final = {"out_of_stock": 6, "region_blocked": 2}


def test_a_model_that_scores_otherwise_is_a_ticket_with_its_version(db: Database) -> None:
    bench = Bench(db)
    bench.flow(70, requests(bench, 1, dropped=USUAL), evaluate=False)
    bench.flow(25, requests(bench, 2, dropped=USUAL))
    assert bench.changes == []
    bench.flow(10, requests(bench, 3, 0.35, version="2.1.0", dropped=USUAL))
    (change,) = bench.changes
    assert (change.state.alert, change.state.severity, change.state.labels) == ("ScoreDrift", "ticket", PLACE)
    summary = change.state.annotations["summary"]
    assert "their mean went from 1.1" in summary
    assert "version 2.1.0 answers" in summary
    assert change.state.value is not None
    assert change.state.value > change.state.threshold == 0.1


def test_other_reasons_to_drop_are_a_ticket_that_names_the_reason(db: Database) -> None:
    bench = Bench(db)
    bench.flow(90, requests(bench, 1, dropped=USUAL), evaluate=False)
    bench.flow(10, requests(bench, 2, dropped={"out_of_stock": 6, "region_blocked": 30}))
    (change,) = bench.changes
    assert change.state.name == "ReasonMixShift placement=home stage=filtering component=policy"
    assert "region_blocked went from 25% to " in change.state.annotations["summary"]


@pytest.mark.parametrize(("scores", "what"), [([0.5] * 5, "60 with one score for all"), ([None] * 5, "60 with none")])
def test_scores_that_say_nothing_are_a_page_at_once(db: Database, scores: list[float | None], what: str) -> None:
    bench = Bench(db)
    bench.flow(1, requests(bench, 1))
    bench.flow(1, [scored(f"bad-{n}", bench.window, scores) for n in range(60)])
    (change,) = bench.changes
    assert (change.state.alert, change.state.severity, change.state.labels) == ("ScoresDegenerate", "page", PLACE)
    assert what in change.state.annotations["summary"]
    assert all(example.startswith("bad-") for example in change.state.examples)
    assert len(change.state.examples) == 5
    bench.flow(1, requests(bench, 2))
    assert [each.status for each in bench.changes] == ["firing", "resolved"]


def test_arms_without_the_users_planned_for_them_are_a_ticket(db: Database) -> None:
    bench = Bench(db, {"ranker": {"control": 1, "v2": 1}, "fair": {"a": 3, "b": 1}})
    arms = [{"ranker": "v2" if n % 5 < 2 else "control", "fair": "b" if n % 4 == 0 else "a"} for n in range(1_600)]
    bench.flow(60, [scored(f"u{n}", bench.window, [0.1, 0.2], arms=each) for n, each in enumerate(arms)])
    (change,) = bench.changes
    assert change.state.name == "SampleRatioMismatch experiment=ranker"
    summary = change.state.annotations["summary"]
    assert "control 60% (planned 50%), v2 40% (planned 50%), of 1,600 users in 24 h (p = 1e-15)." in summary


def test_users_are_counted_once_and_by_arm(db: Database) -> None:
    window = START
    both = {"ranker": "v2", "other": "x"}
    parts = [scored(f"r{n}", window, [0.1, 0.2], arms=both, user=f"u{n % 7}") for n in range(20)]
    parts += [scored(f"s{n}", window + 10, [0.1, 0.2], arms={"ranker": "v3"}, user=f"u{n}") for n in range(3)]
    db.land([*parts, scored("t", window, [0.1], arms={"ranker": "v4"}, user=None)])
    db.settle()
    found = ClickHouseAlerts(db.client, db.name).distributions
    assert found.users(window, window + 10, ["ranker"]) == [("ranker", "v2", 7), ("ranker", "v3", 3)]
    assert found.users(window + 10, window + 10, ["ranker", "other"]) == [("ranker", "v3", 3)]
    assert found.users(window, window + 10, []) == []
