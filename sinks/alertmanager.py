"""Alertmanager over its HTTP interface: POST /api/v2/alerts, and whatever else is asked of it."""

import json
import logging
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from schemas.alerts import Notification, label_name
from schemas.errors import Unavailable

log = logging.getLogger(__name__)

CONNECT_S: Final = 2.0
_SHOWN: Final = 300  # characters of an answer


class Connection:
    """One Alertmanager at `http[s]://[user[:password]@]host[:port]`, given `timeout` seconds for each answer."""

    def __init__(self, url: str, timeout: float = 5.0) -> None:
        address = urlsplit(url)
        self.name = f"{address.scheme}://{address.netloc.rpartition('@')[2]}"  # without the password
        self._headers = {"Content-Type": "application/json"}
        if address.username:
            login = f"{unquote(address.username)}:{unquote(address.password or '')}"
            self._headers |= urllib3.make_headers(basic_auth=login)
        self._http = urllib3.PoolManager(timeout=urllib3.Timeout(connect=min(CONNECT_S, timeout), read=timeout))

    def ask(self, method: str, path: str, body: object = None, *, known: Collection[int] = ()) -> tuple[int, bytes]:
        """Status and body of an answer. Raises Unavailable where none comes in time, or one whose status is neither 200
        nor `known`."""
        data = None if body is None else json.dumps(body).encode()
        try:
            answer = self._http.request(
                method, f"{self.name}/api/v2/{path}", body=data, headers=self._headers, retries=False, redirect=False
            )
        except HTTPError as error:
            raise Unavailable(f"alertmanager at {self.name} does not answer: {_reason(error)}") from error
        if answer.status != 200 and answer.status not in known:
            raise Unavailable(f"alertmanager at {self.name} answers {answer.status}: {said(answer.data)}")
        return answer.status, answer.data


class Alertmanager(Connection):
    """The `streams.ports.Notifier` port on one Alertmanager.

    Raises Unavailable when it does not answer in time, or answers with an error of its own. What it refuses (status
    400) would be refused for ever: it takes the others of the same call, and the log has the reason.
    """

    def send(self, notifications: Sequence[Notification]) -> None:
        """Post all of them at once: Alertmanager takes them in order."""
        status, data = self.ask("POST", "alerts", [_alert(each) for each in notifications], known=(400,))
        if status == 400:
            log.error("alertmanager at %s refused an alert for good: %s", self.name, said(data))


def kept_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Labels as Alertmanager knows them. It takes a label without a value for no label."""
    return {label_name(name): value for name, value in labels.items() if value}


def _alert(notification: Notification) -> dict[str, Any]:
    """As the interface wants it."""
    alert: dict[str, Any] = {
        "labels": kept_labels(notification.labels),
        "annotations": kept_labels(notification.annotations),
        "startsAt": _rfc3339(notification.starts_at),
        "endsAt": _rfc3339(notification.ends_at),
    }
    return alert | ({"generatorURL": notification.link} if notification.link else {})


def _rfc3339(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _reason(error: HTTPError) -> str:
    """What the system said, without the driver's objects."""
    text = " ".join(str(error).split())
    found = re.search(r"\[Errno -?\d+\] [^'\")\]]+|timed out|Name or service not known", text)
    return found[0] if found else text[:_SHOWN]


def said(data: bytes) -> str:
    """An answer in one line."""
    return " ".join(data.decode(errors="replace").split())[:_SHOWN]
