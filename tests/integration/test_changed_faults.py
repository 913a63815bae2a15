"""Every fault of the demo's library, through ClickHouse, against its ground truth: stage, component and segment."""

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from functools import cache

import pytest
from _pytest.mark.structures import ParameterSet
from clickhouse_connect.driver.client import Client

from rectrace.changed import ask
from rectrace.changed_metrics import METRICS
from rectrace.changed_story import ChangedStory, headline
from rectrace.demo import faults
from rectrace.demo.world import World
from sinks.clickhouse.changes import Changes, Times
from sinks.clickhouse.client import connect
from tests.support import faulty

RATE = 20.0
SECONDS = {"stock_feed_stale": 90}  # of each half; that much has to sell out before it shows
MOST = 50  # of all others
TRUTHS = {truth.name: truth for truth in faults.library()}
CHANGES = ("source_slow", "filter_overdrop", "stage_timeout", "events_lost", "malformed_events")  # their metric
Told = Callable[[str, str], ChangedStory]


@pytest.fixture(scope="module")
def world() -> World:
    return faulty.build_world()


@pytest.fixture(scope="module")
def client(clickhouse: str) -> Iterator[Client]:
    with connect(clickhouse) as client:
        yield client


@pytest.fixture
def told(client: Client, world: World, database: str) -> Told:
    """told(fault, metric): what changed when it set in; the traffic of a fault is made once a test."""

    @cache
    def create(fault: str) -> str:
        return faulty.create(client, database, world, fault, seconds=SECONDS.get(fault, MOST), rate=RATE).name

    def tell(fault: str, metric: str) -> ChangedStory:
        half = timedelta(seconds=SECONDS.get(fault, MOST))
        times = Times(faulty.START + half, faulty.START + 2 * half, half)
        return ask(Changes(client, create(fault), times, times.until), METRICS[metric])

    return tell


# The others take minutes of traffic and tell the same of the code.
SHORT = ("source_empty", "filter_overdrop", "stage_timeout", "")


def some(names: Iterable[str]) -> list[ParameterSet]:
    """All of them, those that are not in SHORT marked as long."""
    return [pytest.param(name, marks=[] if name in SHORT else [pytest.mark.long]) for name in names]


@pytest.mark.parametrize("fault", some(faulty.METRIC_OF))
def test_a_fault_is_named(fault: str, told: Told) -> None:
    truth, story = TRUTHS[fault], told(fault, faulty.METRIC_OF[fault])
    assert story.changed is (fault in CHANGES)
    assert faulty.names_component(story, truth)
    assert f"{truth.stage}/{truth.component}" in headline(story)
    assert faulty.names_segment(story, truth)
    assert len(story.examples) == 5


@pytest.mark.parametrize("fault", some([*faulty.HIDDEN, "traffic_spike", ""]))
def test_where_there_is_nothing_to_name_nothing_is_named(fault: str, told: Told) -> None:
    for metric in METRICS:
        story = told(fault, metric)
        assert story.changed is (fault == "traffic_spike" and metric == "requests")
        assert faulty.names_nothing(story)


def test_every_fault_is_looked_at() -> None:
    assert {*faulty.METRIC_OF, *faulty.HIDDEN, "traffic_spike"} == set(TRUTHS)
