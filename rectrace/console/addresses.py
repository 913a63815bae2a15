"""Addresses of the console: every view is a URL with its whole state. Pure; `now` is passed in."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote, urlencode

from sinks.clickhouse import chosen

DEFAULT_FROM: Final = "now-15m"
MOST: Final = timedelta(days=400)  # nothing is kept longer
_RELATIVE: Final = re.compile(r"now(?:-(\d{1,6})([smhd]))?")
_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


class BadAddress(ValueError):  # noqa: N818 - reads as what it says
    """A part of an address that cannot be right: which, what it was and what is allowed."""


@dataclass(frozen=True)
class Span:
    """The time range of a view, as it was given (`from`, `to`) and what it is now."""

    given_from: str
    given_to: str
    since: datetime
    until: datetime
    default: str = DEFAULT_FROM  # `from` where none is given

    @property
    def until_now(self) -> bool:
        """Whether it ends at the present, wherever that is."""
        return self.given_to == "now"

    @property
    def query(self) -> dict[str, str]:
        """As it was given, without what is so anyhow."""
        told = {"from": self.given_from, "to": self.given_to}
        return {name: text for name, text in told.items() if text not in ("", "now", self.default)}

    @property
    def fixed(self) -> dict[str, str]:
        """What it is now: of a view that is to stay as it is."""
        return {"from": _rfc3339(self.since), "to": _rfc3339(self.until)}


def span(query: Mapping[str, str], now: datetime, default: str = DEFAULT_FROM) -> Span:
    """Of `from` and `to`: RFC 3339, ms since the epoch (as Grafana gives them), now or now-15m. Raises BadAddress."""
    given_from, given_to = query.get("from") or default, query.get("to") or "now"
    since, until = _moment("from", given_from, now), _moment("to", given_to, now)
    if not timedelta(0) < until - since <= MOST:
        raise BadAddress(
            f"from {given_from!r} to {given_to!r} is no time range: at most {MOST.days} days, from before to"
        )
    return Span(given_from, given_to, since, until, default)


def to(path: str, *parts: str, **query: str) -> str:
    """`/path/part?name=value`; parts are escaped, empty values left out. A name may end with _, as from_ must."""
    wanted = {name.rstrip("_"): value for name, value in query.items() if value}
    escaped = "".join(f"/{quote(part, safe='')}" for part in parts)
    return f"{path}{escaped}{f'?{urlencode(wanted)}' if wanted else ''}"


def request(request_id: str) -> str:
    """Of one request."""
    return to("/requests", request_id)


def pair(name: str, given: str, example: str = "country=DE") -> str:
    """What must be NAME=VALUE, or empty. Raises BadAddress."""
    if given and not all(given.partition("=")):
        raise BadAddress(f"{name}={given!r} is not NAME=VALUE, such as {example}")
    return given


def pairs(name: str, given: str) -> list[chosen.Pair]:
    """What must be NAME=VALUE, several of them with commas between, or empty. Raises BadAddress."""
    try:
        return chosen.pairs(given)
    except ValueError:
        raise BadAddress(f"{name}={given!r} is not NAME=VALUE, such as country=DE,device=ios") from None


def _moment(name: str, text: str, now: datetime) -> datetime:
    if found := _RELATIVE.fullmatch(text):
        back = int(found[1]) * _UNITS[found[2]] if found[1] else 0
        if back <= MOST.total_seconds():
            return now - timedelta(seconds=back)
    try:
        if text.isdecimal():
            return datetime.fromtimestamp(int(text) / 1000, UTC)
        at = datetime.fromisoformat(text.replace(" ", "+"))  # the + of a zone is a blank in an address
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise BadAddress(
            f"{name}={text!r} is no time: 2026-06-01T14:05:00Z (UTC), ms since the epoch, now, or now-15m (s, m, h, d)"
        ) from None


def _rfc3339(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
