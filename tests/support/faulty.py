"""The demo's traffic with a fault that sets in half-way, landed and sealed without a broker. In the year 2100, so that
nothing of it expires while a test looks."""

import contextlib
import itertools
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Final

from clickhouse_connect.driver.client import Client

from rectrace.changed_story import ChangedStory
from rectrace.demo import world as worlds
from rectrace.demo.faults import parse
from rectrace.demo.traffic import CATALOG, INTERACTIONS, STAGES, Traffic
from rectrace.demo.truth import Truth
from rectrace.demo.world import World
from schemas.catalog import decode_catalog
from schemas.errors import Invalid
from schemas.interactions import decode_interaction
from schemas.parts import CatalogRow, Event, InteractionRow, Part
from sinks.clickhouse.journey import Journey
from tests.support.database import Database
from tests.support.events import event, part

START: Final = datetime(2100, 6, 1, 12, tzinfo=UTC)
JOURNEY: Final = Journey(outcome_segments=("country",))


# The metric that somebody looks at when it happens.
METRIC_OF: Final = {
    "source_empty": "served", "source_slow": "latency", "filter_overdrop": "short", "stock_feed_stale": "short",
    "season_leak": "short", "boost_storm": "short", "scorer_constant": "short", "scorer_scale_shift": "short",
    "stage_timeout": "fallback", "events_lost": "incomplete", "malformed_events": "incomplete",
}  # fmt: skip
# What no sealed count shows: copies of an event merge; payload times and unknown fields are in no metric of requests
# (the workers' own metrics have them).
HIDDEN: Final = ("events_duplicated", "clock_skew", "schema_v2")


def build_world(seed: int = 7) -> World:
    return worlds.build(seed, START.timestamp())


def names_component(story: ChangedStory, truth: Truth) -> bool:
    """Whether the suspect is the component that the fault is in."""
    return story.suspect is not None and (story.suspect.stage, story.suspect.component) == (
        truth.stage,
        truth.component,
    )


def names_segment(story: ChangedStory, truth: Truth) -> bool:
    """Whether its segment or arm is named, as what explains the change or as who alone has a new version; where it
    touches all requests, whether none is."""
    if not truth.segment:
        return not story.causes
    wanted = {f"{prefix}{name}={value}" for name, value in truth.segment.items() for prefix in ("", "experiment.")}
    return bool(wanted & ({cause.names for cause in story.causes[:1]} | {each.within for each in story.novelties}))


def names_nothing(story: ChangedStory) -> bool:
    """Whether no component, segment or version is blamed."""
    return not (story.suspect or story.causes or story.novelties)


def create(client: Client, name: str, world: World, fault: str, *, seconds: int, rate: float) -> Database:
    """A database with `seconds` of healthy traffic and as many with the fault. fault: several with commas between them;
    empty for none."""
    made = Database.create(client, name, JOURNEY)
    faults = [parse(f"{each}@{seconds}") for each in fault.split(",") if each]
    traffic = Traffic(world, rate, START.timestamp(), faults=faults)
    end = START.timestamp() + 2 * seconds
    events: dict[str, list[Event]] = defaultdict(list)
    catalog: list[CatalogRow] = []
    interactions: list[InteractionRow] = []
    messages = itertools.takewhile(lambda message: message.due < end, traffic)
    for message in itertools.chain(list(messages), traffic.rest()):
        at = int(message.due * 1000)
        if message.topic == CATALOG:
            catalog.append(decode_catalog(message.key, message.value, at))
        elif message.topic == INTERACTIONS:
            interactions.append(decode_interaction(message.value, at))
        elif message.topic == STAGES:
            with contextlib.suppress(Invalid):  # a dead letter: not of the trace
                events[message.key.decode()].append(event(message.value, at))
    made.sink.land(_parts(events))  # what it refuses are dead letters, too
    made.sink.write_catalog(catalog)
    made.sink.write_interactions(interactions)
    made.settle()
    return made


def until(seconds: int) -> str:
    """The end of such traffic, for --until."""
    return (START + timedelta(seconds=2 * seconds)).isoformat()


def _parts(events: dict[str, list[Event]]) -> list[Part]:
    return [part(held, "settled") for held in events.values()]
