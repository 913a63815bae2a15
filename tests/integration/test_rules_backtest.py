"""What rules are judged on, out of ClickHouse, and a backtest of it."""

from collections.abc import Iterator
from pathlib import Path

import clickhouse_connect
import polars as pl
import pytest
from clickhouse_connect.driver.client import Client

from rectrace.backtesting import History, run
from schemas.parts import CatalogRow
from schemas.rule_files import load_rules
from schemas.rules import Rule
from sinks.clickhouse.judged import Judged
from sinks.clickhouse.queries import sql
from sinks.clickhouse.reader import Period, Reader
from streams.rules.frames import CATALOG, TRACES
from tests.support import incident
from tests.support.database import Database

ALL = "SELECT * FROM {name}.traces"
RULES = load_rules(Path(__file__).with_name("rules.yaml").read_text(), "rules.yaml")
PERIOD = Period(incident.NOON.replace(hour=11), incident.NOON.replace(hour=13))


@pytest.fixture(scope="module")
def client(clickhouse: str) -> Iterator[Client]:
    with clickhouse_connect.get_client(dsn=clickhouse) as client:
        yield client


@pytest.fixture(scope="module")
def made(client: Client) -> Iterator[Database]:
    """Nobody changes it."""
    yield incident.create(client, "test_backtest")
    client.command("DROP DATABASE test_backtest SYNC")


def test_frames_have_the_types_that_are_promised(made: Database) -> None:
    judged = Judged(made.client, made.name, incident.JOURNEY)
    traces = judged.requests(ALL.format(name=made.name), list(TRACES), {})
    assert traces.height == 10
    assert dict(traces.schema) == dict(TRACES)
    catalog = judged.catalog(ALL.format(name=made.name), incident.NOON.replace(hour=11), {})
    assert dict(catalog.schema) == dict(CATALOG)
    assert set(catalog.get_column("item")) <= set(incident.TITLES)


def test_what_the_model_says_needs_no_other_stage(made: Database) -> None:
    judged = Judged(made.client, made.name, incident.JOURNEY)
    query = sql("rule_candidates", candidates=incident.JOURNEY.candidates(ALL.format(name=made.name)))
    whole = pl.from_dicts(made.client.query(f"SELECT * FROM ({query}) ORDER BY request_id").named_results())
    for columns in (["scores"], ["model_ranks", "scores"], ["sources"], ["scores", "model_ranks", "sources"]):
        found = judged.requests(ALL.format(name=made.name), ["request_id", *columns], {}).sort("request_id")
        for column in columns:
            assert found.get_column(column).to_list() == whole.get_column(column).to_list()
    scores = whole.filter(request_id="whole").get_column("scores").to_list()[0]
    assert scores == pytest.approx([0.28, 0.31, 0.17])


@pytest.mark.parametrize("many", [1, 4, 1_000])
def test_a_backtest_is_the_same_however_it_is_cut(made: Database, many: int) -> None:
    reader = Reader(made.client, made.name, incident.JOURNEY)
    history = History(reader, Judged(made.client, made.name, incident.JOURNEY), made.name, many)
    batches = history.batches(PERIOD)
    assert len(batches) == {1: 7, 4: 3, 1_000: 1}[many]
    told: list[int] = []
    tested = run(history, RULES, batches, told.append)
    assert sum(told) == tested.requests == 10
    hits = {found.rule.id: (found.judged, found.hit, found.fired) for found in tested.found(600)}
    assert hits == {"not-available": (9, 7, 1), "low-scores": (9, 6, 1), "slow": (10, 1, 1), "never": (9, 0, 0)}


def test_the_catalogue_counts_as_it_was(client: Client, database: str) -> None:
    """An item that is sold out only after it was served was not at fault."""
    made = incident.create(client, database)
    made.sink.write_catalog([CatalogRow("g1", incident.NOON_MS + 2_000, title="Linen Boxy Knit Top", available=False)])
    rule = Rule.model_validate(
        {"id": "a", "owner": "o", "message": "m", "scope": "item", "when": "item = 'g1' and not available"}
    )
    reader = Reader(made.client, made.name, incident.JOURNEY)
    history = History(reader, Judged(made.client, made.name, incident.JOURNEY), made.name)
    (found,) = run(history, [rule], history.batches(PERIOD)).found(600)
    assert set(found.examples) == {"whole-2", "fallback", "twice"}
