"""Silences of one or several Alertmanagers: those that there are, a new one, the end of one. Blocks.

Members of a cluster tell each other of silences; Alertmanagers that are none are told one by one.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

import polars as pl

from schemas.errors import Unavailable
from sinks.alertmanager import Connection, said

log = logging.getLogger(__name__)

RETENTION_DAYS: Final = 5  # for so long Alertmanager knows a silence that has ended, unless it is told otherwise


class Refused(Exception):  # noqa: N818
    """Alertmanager will not take this silence, and why."""


@dataclass(frozen=True)
class Matcher:
    """What a label must be, or must not be."""

    name: str
    value: str
    regex: bool = False
    equal: bool = True

    def matches(self, labels: Mapping[str, str]) -> bool:
        """A label that is not there is empty. Regular expressions match whole values, in linear time, as in Go."""
        value = labels.get(self.name, "")
        if not self.regex:
            return (value == self.value) is self.equal
        try:
            return bool(pl.Series([value]).str.contains(f"^(?:{self.value})$")[0]) is self.equal
        except pl.exceptions.ComputeError:
            log.warning("the regular expression %r of a silence cannot be read here", self.value)
            return False

    def __str__(self) -> str:
        sign = {(True, False): "=", (True, True): "=~", (False, False): "!=", (False, True): "!~"}
        return f"{self.name}{sign[self.equal, self.regex]}{json.dumps(self.value, ensure_ascii=False)}"


@dataclass(frozen=True)
class Silence:
    """One that is, has been or is to be."""

    matchers: tuple[Matcher, ...]
    starts: datetime
    ends: datetime
    by: str
    why: str
    state: str = ""  # active, pending or expired
    held: tuple[tuple[str, str], ...] = ()  # Alertmanagers that have it, by name, and its id there

    def matches(self, labels: Mapping[str, str]) -> bool:
        """labels: of an alert, as Alertmanager knows it."""
        return all(matcher.matches(labels) for matcher in self.matchers)


@dataclass(frozen=True)
class Kept:
    """What is known of silences, the newest first. problems: of each Alertmanager that did not say what it has."""

    silences: list[Silence]
    problems: list[str]


class Silences:
    """Of all Alertmanagers that are told of alerts."""

    def __init__(self, urls: Sequence[str], timeout: float) -> None:
        """timeout: seconds for each answer."""
        self._servers = {server.name: server for server in (Connection(url, timeout) for url in urls)}

    def __bool__(self) -> bool:
        """Whether there is an Alertmanager at all."""
        return bool(self._servers)

    def read(self) -> Kept:
        """Those that there are, and those that ended lately."""
        found: dict[object, Silence] = {}
        problems = []
        for server in self._servers.values():
            try:
                for each in _read(server):
                    same = (each.matchers, each.ends, each.by, each.why)
                    known = found.get(same, each)
                    found[same] = replace(known, held=(*known.held, *each.held) if known is not each else each.held)
            except Unavailable as error:
                problems.append(str(error))
        return Kept(sorted(found.values(), key=lambda each: each.starts, reverse=True), problems)

    def add(self, wanted: Silence) -> list[str]:
        """Put it in force. Returns what is wrong with Alertmanagers that may lack it. Raises Unavailable where none has
        it, and Refused."""
        has: set[str] = set()
        problems = []
        for server in self._servers.values():
            try:
                cluster = _cluster(server)
                if not cluster & has:
                    _add(server, wanted)
                has |= cluster
            except Unavailable as error:
                problems.append(str(error))
        if not has:
            raise Unavailable("; ".join(problems) or "there is no Alertmanager")
        return problems

    def end(self, silence: Silence) -> list[str]:
        """End it wherever it is. Returns what is wrong with the Alertmanagers at which it may still be in force."""
        ended: set[str] = set()
        problems: dict[str, str] = {}
        for name, id_ in silence.held:
            if id_ in ended or name not in self._servers:
                continue
            try:
                self._servers[name].ask("DELETE", f"silence/{id_}", known=(404,))  # 404: forgotten meanwhile
                ended.add(id_)
            except Unavailable as error:
                problems[id_] = str(error)
        return [problem for id_, problem in problems.items() if id_ not in ended]


def _add(server: Connection, wanted: Silence) -> None:
    body = {
        "matchers": [
            {"name": each.name, "value": each.value, "isRegex": each.regex, "isEqual": each.equal}
            for each in wanted.matchers
        ],
        "startsAt": _rfc3339(wanted.starts),
        "endsAt": _rfc3339(wanted.ends),
        "createdBy": wanted.by,
        "comment": wanted.why,
    }
    status, data = server.ask("POST", "silences", body, known=(400, 422))
    if status != 200:
        raise Refused(f"alertmanager at {server.name} refuses the silence: {said(data)}")


def _cluster(server: Connection) -> set[str]:
    """The names of its members; alone it has one of its own."""
    told = _json(server, server.ask("GET", "status")[1])
    try:
        return {str(peer["name"]) for peer in told["cluster"].get("peers") or ()} or {server.name}
    except (KeyError, TypeError, AttributeError) as error:
        raise _strange(server) from error


def _read(server: Connection) -> list[Silence]:
    told = _json(server, server.ask("GET", "silences")[1])
    if not isinstance(told, list):
        raise _strange(server)
    try:
        return [_silence(server.name, each) for each in told]
    except (KeyError, TypeError, ValueError) as error:
        raise _strange(server) from error


def _silence(name: str, told: Mapping[str, Any]) -> Silence:
    matchers = [
        Matcher(each["name"], each["value"], each["isRegex"], each.get("isEqual", True)) for each in told["matchers"]
    ]
    return Silence(
        tuple(matchers),
        _moment(told["startsAt"]),
        _moment(told["endsAt"]),
        told["createdBy"],
        told["comment"],
        told["status"]["state"],
        ((name, told["id"]),),
    )


def _json(server: Connection, data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError as error:
        raise _strange(server) from error


def _strange(server: Connection) -> Unavailable:
    return Unavailable(f"what answers at {server.name} is no Alertmanager")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
