"""Dashboards of the demo's traffic: every query has rows of it, and ClickHouse computes what the alert engine and plain
Python compute."""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import clickhouse_connect
import pytest

from dashboards import queries
from dashboards.grafana import parts
from schemas.distributions import GAMMA
from sinks.clickhouse.alerts import ClickHouseAlerts
from streams.alerts import segments
from streams.alerts.distribution_definitions import SCORE_DRIFT
from streams.alerts.distributions import BEFORE_S, NOW_S
from streams.alerts.experiments import CERTAIN
from streams.alerts.measures import MEASURES
from streams.alerts.segments import USUAL_S
from streams.alerts.slot_definitions import SEGMENT_WORSE
from streams.detect.drift import drift
from streams.detect.histogram import binned, edges
from streams.detect.proportion import wilson
from streams.detect.scan import ALL, Key, ScanPolicy, scan
from streams.detect.srm import MAX_P, MIN_USERS, mismatch
from tests.support import faulty
from tests.support.database import Database
from tests.support.panels import ASKED, Asking, examine, of_demo

HALF: Final = 60  # seconds of the demo's traffic, first healthy, then faulty
FAULTY: Final = int(faulty.START.timestamp()) + HALF


@pytest.fixture(scope="module")
def shop(clickhouse: str) -> Iterator[Database]:
    """The demo's traffic: a minute of it, and one in which a filter and a model are broken. One, two and three hours
    before it there were the healthy counts, but for carts: three times as many, some with short lists."""
    with clickhouse_connect.get_client(dsn=clickhouse) as client:
        world, faults = faulty.build_world(), "filter_overdrop,scorer_scale_shift"
        database = faulty.create(client, "test_dashboards_demo", world, faults, seconds=HALF, rate=20.0)
        carts = [f"if(placement = 'cart', 3 * {column}, {column}) AS {column}" for column in ("requests", "responded")]
        carts.append("if(placement = 'cart', short + 2, short) AS short")
        for table, more in {"segment_metrics_runs": carts, "score_metrics_runs": [], "sealed": []}.items():
            name = f"{database.name}.{table}"
            replaced = ["window - 3600 * arrayJoin([1, 2, 3]) AS window", *more]
            client.command(
                f"INSERT INTO {name} SELECT * REPLACE ({', '.join(replaced)}) "
                f"FROM (SELECT * FROM {name} WHERE toUnixTimestamp(window) < {FAULTY})"
            )
        # some clients tell what was really seen: of every tenth request the first five items
        client.command(
            f"INSERT INTO {database.name}.interactions "
            "SELECT request_id, arrayJoin(arraySlice(served, 1, 5)), 'impression', at, NULL, NULL, at "
            f"FROM {database.name}.traces WHERE sipHash64(request_id) % 10 = 0"
        )
        yield database
        client.command(f"DROP DATABASE {database.name} SYNC")


@pytest.fixture(scope="module")
def ask(clickhouse: str, shop: Database) -> Iterator[Asking]:
    with clickhouse_connect.get_client(dsn=clickhouse, database=shop.name) as client:
        yield Asking(client, FAULTY)


@pytest.mark.parametrize("name", [name for name, each in ASKED.items() if of_demo(each)])
def test_a_query_gives_rows_of_the_types_that_its_panel_needs(ask: Asking, name: str) -> None:
    examine(ASKED[name], ask(ASKED[name].sql))


def test_segments_are_scanned_as_the_alert_does(shop: Database, ask: Asking) -> None:
    """By the alert engine's own scan of the same counts, which the dashboard computes in ClickHouse."""
    policy = ScanPolicy(min_requests=SEGMENT_WORSE.min_total, least=SEGMENT_WORSE.threshold)
    rows = ClickHouseAlerts(shop.client, shop.name).trends.segments(FAULTY - USUAL_S, FAULTY, FAULTY + HALF - 10)
    found = ask.panel("rectrace-segments", "Worst segments").rows
    for metric, measure in MEASURES.items():
        (cells,) = segments._slots(rows, measure, 1)
        worse = {hit.key for hit in scan(cells, policy)}
        compared = {hit.key: hit for hit in scan(cells, ScanPolicy(q=1, min_requests=0, least=-1))}
        mine = {_key(row): row for row in found if row["metric"] == metric}
        assert {key for key, row in mine.items() if row["verdict"] == "worse"} == worse
        for key, row in mine.items():
            few = min(cells[key].total, cells[ALL].total - cells[key].total) < policy.min_requests
            assert (row["verdict"] == "too few requests") == few
            hit = compared[key]
            told = hit.requests, hit.actual, hit.expected, hit.lost
            assert (row["requests"], row["share"], row["expected"], row["lost"]) == pytest.approx(told)
    assert (found[0]["segment"], found[0]["metric"], found[0]["verdict"]) == ("country=DE", "short", "worse")


def _key(row: dict[str, Any]) -> Key:
    placement = f"placement={row['placement']}" if row["placement"] else ""
    return frozenset(filter(None, [placement, row["segment"].replace(parts.ALL_REQUESTS, "")]))


@pytest.mark.parametrize("weights", [(1, 1), (1.0, 1.2), (9, 1)])
def test_arms_are_judged_as_the_alert_does(shop: Database, ask: Asking, weights: tuple[float, float]) -> None:
    plan = dict(zip(("control", "v2"), weights, strict=True))
    several, planned = ask.earlier(HALF), json.dumps({"ranker": plan})
    rows = several.panel("rectrace-experiments", "Users by arm", planned=planned).rows
    users = ClickHouseAlerts(shop.client, shop.name).distributions.users(FAULTY - HALF, FAULTY + HALF - 10, ["ranker"])
    mine = {row["arm"]: row for row in rows if row["experiment"] == "ranker"}
    assert {arm: row["users"] for arm, row in mine.items()} == {each.arm: each.users for each in users}
    found = mismatch({each.arm: each.users for each in users}, plan, max_p=math.inf)
    assert found is not None
    assert [row["chi-square"] for row in mine.values()] == pytest.approx([found.chi_square] * 2)
    said = min(-math.log10(found.p), CERTAIN) if found.p else CERTAIN
    assert [row["-log10 p"] for row in mine.values()] == pytest.approx([said] * 2)
    assert {row["verdict"] for row in mine.values()} == {"mismatch" if found.p < MAX_P else "fits"}
    assert {row["plan"] for row in rows} == {"as planned", "equal arms, assumed"}


def test_arms_that_nobody_planned_are_a_mismatch_and_few_users_are_none(ask: Asking) -> None:
    several = ask.earlier(HALF)
    plan = json.dumps({"ranker": {"control": 1, "v3": 1}})
    rows = several.panel("rectrace-experiments", "Users by arm", planned=plan, experiment=["ranker"]).rows
    assert [(row["arm"], row["planned"], row["verdict"]) for row in rows] == [
        ("control", 0.5, "mismatch"), ("v2", 0, "mismatch"), ("v3", 0.5, "mismatch"),
    ]  # fmt: skip
    few = ask.panel("rectrace-experiments", "Users by arm")
    assert max(few.column("users")) < MIN_USERS / 2
    assert set(few.column("verdict")) == {"too few users"}


def test_scores_drift_as_the_alert_says(shop: Database, ask: Asking) -> None:
    split = FAULTY + HALF - 1 - NOW_S
    store = ClickHouseAlerts(shop.client, shop.name).distributions
    before = {(each.component, each.placement): each for each in store.scores(split - BEFORE_S, split - 1)}
    rows = ask.panel("rectrace-scores", "Drift").rows
    assert {row["placement"] for row in rows} == {"home", "product_page", "cart"}
    for now in store.scores(split, FAULTY + HALF):
        (row,) = [row for row in rows if (row["component"], row["placement"]) == (now.component, now.placement)]
        was = before[now.component, now.placement]
        inner = edges(was.buckets)
        counts = binned(was.buckets, inner), binned(now.buckets, inner)
        found = drift(*counts, was.requests, now.requests, least=SCORE_DRIFT.threshold)
        assert (row["PSI"], row["allowed"]) == pytest.approx(found)
        assert (row["requests"], row["before"], row["mean"]) == (now.requests, was.requests, pytest.approx(now.mean))
        assert (row["verdict"], row["new version"]) == ("drifted" if found.drifted else "as before", "2.1.0")
    assert {row["verdict"] for row in rows} == {"drifted"}


def test_scores_are_told_within_their_buckets(shop: Database, ask: Asking) -> None:
    scores = shop.rows(
        "SELECT s.version, groupArrayArray(s.scores) FROM $database.traces ARRAY JOIN stages AS s "
        f"WHERE s.stage = 'scoring' AND toUnixTimestamp(window) = {FAULTY} AND arrayUniq(s.scores) > 1 GROUP BY 1"
    )
    rows = ask.panel("rectrace-scores", "Scores").rows
    found = {row["line"]: row["score"] for row in rows if row["time"].timestamp() == FAULTY}
    expected = {}
    for version, given in scores:
        ordered = sorted(given)
        for q in (5, 50, 95):
            expected[f"ranker {version} p{q}"] = ordered[math.ceil(q / 100 * len(ordered)) - 1]
    assert found == pytest.approx(expected, rel=GAMMA - 1)


class Slot(NamedTuple):
    """One slot that was shown in the faulty minute."""

    placement: str
    names: list[str]
    item: str
    position: int
    clicked: bool
    version: str
    score: float | None  # none of what is injected


def _shown(shop: Database) -> Iterator[Slot]:
    done = shop.rows("SELECT DISTINCT request_id, item, kind FROM $database.interactions")
    acts = {(request, item, kind) for request, item, kind in done}
    told = {request for request, _, kind in acts if kind == "impression"}
    traces = shop.rows(
        "SELECT request_id, placement, segments, experiments, served, "
        "arrayMap(s -> (s.version, s.items, s.scores), arrayFilter(s -> s.stage = 'scoring', stages)) "
        f"FROM $database.traces WHERE toUnixTimestamp(window) >= {FAULTY}"
    )
    for request, placement, pairs, arms, served, scoring in traces:
        version, items, scores = scoring[0] if scoring else ("", [], [])
        given = dict(zip(items, scores, strict=True))
        names = ["", *(f"{name}={value}" for name, value in pairs.items())]
        names += [f"experiment.{name}={arm}" for name, arm in arms.items()]
        for position, item in enumerate(served, 1):
            if request not in told or (request, item, "impression") in acts:
                clicked = (request, item, "click") in acts
                yield Slot(placement, names, item, position, clicked, version, given.get(item))


def test_what_users_do_is_counted_as_plain_python_counts_it(shop: Database, ask: Asking) -> None:
    shown = [*_shown(shop)]
    clicks: dict[tuple[str, int], list[bool]] = defaultdict(list)
    for each in shown:
        clicks[each.placement, each.position].append(each.clicked)
    rate = {where: sum(held) / len(held) for where, held in clicks.items()}
    positions = ask.panel("rectrace-scores", "Feedback by position").rows
    assert {(row["placement"], row["position"]): row["CTR"] for row in positions} == pytest.approx(rate)

    def compare(row: dict[str, Any], mine: list[Slot]) -> None:
        clicked = sum(each.clicked for each in mine)
        assert (row["impressions"], row["clicks"]) == (len(mine), clicked)
        assert (row["at least"], row["at most"]) == pytest.approx(wilson(clicked, len(mine)))
        if "COEC" in row:
            assert row["COEC"] == pytest.approx(clicked / sum(rate[each.placement, each.position] for each in mine))
        if "predicted per click" in row:
            assert row["predicted per click"] == pytest.approx(sum(each.score or 0 for each in mine) / clicked)

    by_segment = ask.panel("rectrace-scores", "Feedback by segment", dimension=["country", "experiment.ranker"])
    for row in by_segment.rows:
        name = row["segment"].replace(parts.ALL_REQUESTS, "")
        compare(row, [each for each in shown if name in each.names])
    assert len(by_segment.rows) == 1 + 6 + 2
    scored = [each for each in shown if each.score is not None]
    assert 0 < len(scored) < len(shown)
    for row in ask.panel("rectrace-scores", "Calibration").rows:
        where = row["placement"], row["version"]
        compare(row, [each for each in scored if (each.placement, each.version) == where])
    germans = [each for each in scored if "country=DE" in each.names]
    for row in ask.panel("rectrace-scores", "Calibration", segment="country=DE", placement=["home"]).rows:
        compare(row, [each for each in germans if (each.placement, each.version) == ("home", row["version"])])
    items = ask.panel("rectrace-scores", "Items shown most").rows
    for row in items:
        compare(row, [each for each in shown if each.item == row["item"]])
    assert items[0]["impressions"] == max(Counter(each.item for each in shown).values())
    tenths = ask.panel("rectrace-scores", "Reliability").rows
    assert sum(row["impressions"] for row in tenths) == len(scored)
    assert len(tenths) == 20


@pytest.mark.parametrize(("sample", "least", "windows"), [(700, 1, 6), (400, 1, 2), (100, 1, 1), (100, 3, 3)])
def test_of_many_requests_some_windows_are_read(ask: Asking, sample: int, least: int, windows: int) -> None:
    """Of about 1,280 requests in six windows."""
    shown = queries.text("_shown", sample=str(sample), windows=str(least))
    (read,) = ask(f"SELECT uniqExact(window) AS windows FROM ({shown})").rows
    assert read["windows"] == windows


def test_how_much_of_the_catalogue_is_shown(shop: Database, ask: Asking) -> None:
    """By the definitions, item by item, those that are never shown included."""
    every = [item for (item,) in shop.rows("SELECT DISTINCT item FROM $database.catalog")]
    for row in ask.panel("rectrace-scores", "Catalogue").rows:
        shown = Counter(each.item for each in _shown(shop) if row["placement"] in ("", each.placement))
        counts, size, total = sorted(shown[item] for item in every), len(every), shown.total()
        assert (row["impressions"], row["items"], row["catalogue"]) == (total, len(shown), size)
        assert row["coverage"] == pytest.approx(len(shown) / size)
        gini = sum((2 * number - size - 1) * count for number, count in enumerate(counts, 1)) / ((size - 1) * total)
        assert row["Gini"] == pytest.approx(gini)
        assert row["top 10"] == pytest.approx(sum(counts[-10:]) / total)
        assert row["top 1 %"] == pytest.approx(sum(counts[-math.ceil(size / 100) :]) / total)
        entropy = -sum(count / total * math.log(count / total) for count in shown.values())
        assert row["effective items"] == pytest.approx(math.exp(entropy))
