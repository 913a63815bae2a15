"""The demo's traffic of a while, without Kafka: to look at what a fault does, and to test it."""

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rectrace.demo.faults import Fault
from rectrace.demo.traffic import CATALOG, STAGES, Message, Traffic
from rectrace.demo.world import World

START = 1_780_000_000.0
JsonEvent = dict[str, Any]


@dataclass
class Recording:
    """Messages in order, and the stage events among them: `events[request id][component]`, copies included; `broken`
    are those that are not JSON."""

    messages: list[Message]
    events: dict[str, dict[str, list[JsonEvent]]] = field(default_factory=dict)
    broken: list[Message] = field(default_factory=list)

    def of(self, component: str, stage: str = "") -> list[JsonEvent]:
        """All events of a component, in order of arrival; of "api" those of the named stage."""
        found = [event for request in self.events.values() for event in request.get(component, [])]
        return [event for event in found if not stage or event["stage"] == stage]

    def one(self, request_id: str, component: str, stage: str = "") -> JsonEvent:
        """The first event of a component in one request."""
        events = self.events[request_id][component]
        return next(event for event in events if not stage or event["stage"] == stage)

    def whole(self) -> list[str]:
        """Request ids that have a request and a response, in order."""
        return [
            name
            for name, request in self.events.items()
            if {"request", "response"} <= {event["stage"] for event in request.get("api", [])}
        ]

    def records(self, topic: str = CATALOG) -> list[JsonEvent]:
        """All values of another topic, decoded."""
        return [json.loads(message.value) for message in self.messages if message.topic == topic]


def record(
    world: World, seconds: float, faults: Sequence[Fault] = (), *, rate: float = 20.0, mishaps: float = 0.0
) -> Recording:
    """The first `seconds` of the traffic with these faults."""
    traffic = Traffic(world, rate, START, faults=faults, mishaps=mishaps)
    messages = list(itertools.takewhile(lambda message: message.due < START + seconds, traffic))
    recording = Recording(messages)
    for message in messages:
        if message.topic == STAGES:
            _add(recording, message)
    return recording


def _add(recording: Recording, message: Message) -> None:
    try:
        event = json.loads(message.value)
        component = event["component"]
    except (ValueError, KeyError):
        recording.broken.append(message)
    else:
        request = recording.events.setdefault(message.key.decode(), {})
        request.setdefault(component, []).append(event)
