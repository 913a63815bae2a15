"""Alertmanager over its HTTP interface: POST /api/v2/alerts."""

import json
import logging
import re
from collections.abc import Sequence
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


class Alertmanager:
    """The `streams.ports.Notifier` port on one Alertmanager at `http[s]://[user[:password]@]host[:port]`.

    Raises Unavailable when it does not answer within `timeout` seconds, or answers with an error of its own. What it
    refuses (status 400) would be refused for ever: it takes the others of the same call, and the log has the reason.
    """

    def __init__(self, url: str, timeout: float = 5.0) -> None:
        address = urlsplit(url)
        self.name = f"{address.scheme}://{address.netloc.rpartition('@')[2]}"  # without the password
        self._headers = {"Content-Type": "application/json"}
        if address.username:
            login = f"{unquote(address.username)}:{unquote(address.password or '')}"
            self._headers |= urllib3.make_headers(basic_auth=login)
        self._http = urllib3.PoolManager(timeout=urllib3.Timeout(connect=min(CONNECT_S, timeout), read=timeout))

    def send(self, notifications: Sequence[Notification]) -> None:
        """Post all of them at once: Alertmanager takes them in order."""
        body = json.dumps([_alert(each) for each in notifications]).encode()
        try:
            answer = self._http.request(
                "POST", f"{self.name}/api/v2/alerts", body=body, headers=self._headers, retries=False, redirect=False
            )
        except HTTPError as error:
            raise Unavailable(f"alertmanager at {self.name} does not answer: {_reason(error)}") from error
        if answer.status == 400:
            log.error("alertmanager at %s refused an alert for good: %s", self.name, _text(answer.data))
        elif answer.status != 200:
            raise Unavailable(f"alertmanager at {self.name} answers {answer.status}: {_text(answer.data)}")


def _alert(notification: Notification) -> dict[str, Any]:
    """As the interface wants it. Alertmanager takes a label without a value for no label."""
    alert = {
        "labels": {label_name(name): value for name, value in notification.labels.items() if value},
        "annotations": {label_name(name): value for name, value in notification.annotations.items() if value},
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


def _text(data: bytes) -> str:
    return " ".join(data.decode(errors="replace").split())[:_SHOWN]
