"""What commands share: settings, errors that people can act on, JSON output, times. Light: `--help` loads it."""

import json
import logging
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import typer

from schemas.errors import Unavailable

if TYPE_CHECKING:
    from rectrace.settings import Settings

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ClickHouse = Annotated[str | None, typer.Option("--clickhouse", metavar="URL", help="Default: RECTRACE_CLICKHOUSE.")]
Kafka = Annotated[str | None, typer.Option("--kafka", metavar="HOST:PORT", help="Default: RECTRACE_KAFKA.")]
Since = Annotated[str, typer.Option("--since", metavar="SPAN", help="How far back: 30s, 10m, 2h, 1d.")]
Until = Annotated[
    str, typer.Option("--until", metavar="TIME", help="Back from when: 14:05, or 2026-06-01T14:05Z. Default: now.")
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=100_000, help="At most so many.")]

MOST: Final = timedelta(days=400)  # nothing is kept longer
_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}


def load(**given: Any) -> "Settings":
    """The settings, or exit code 2 with what is wrong."""
    from rectrace import settings

    try:
        return settings.load(**given)
    except settings.SettingsError as error:
        fail(str(error), code=2)


@contextmanager
def clear_errors(settings: "Settings") -> Iterator[None]:
    """Errors of ClickHouse, and settings that turn out to be wrong, in one line without a traceback."""
    from rectrace import outages
    from rectrace.settings import SettingsError
    from sinks.clickhouse.client import BadAddress
    from sinks.clickhouse.migrate import MigrationError

    logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())  # it logs what it raises, too
    try:
        yield
    except Unavailable as error:
        fail(outages.clickhouse(str(error), settings))
    except (BadAddress, MigrationError, SettingsError) as error:
        fail(str(error), code=2)


def fail(message: str, code: int = 1) -> NoReturn:
    """End with a message on stderr."""
    typer.secho(f"rectrace: {message}", err=True, fg=typer.colors.RED if sys.stderr.isatty() else None)
    raise typer.Exit(code)


def span(text: str, option: str = "--since") -> timedelta:
    """30s, 10m, 2h, 1d as a timedelta; anything else is wrong usage."""
    found = _SPAN.fullmatch(text.strip())
    seconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
    if not 0 < seconds <= MOST.total_seconds():
        raise typer.BadParameter(
            f"{text!r} is no time span such as 30s, 10m, 2h or 1d, at most {MOST.days}d", param_hint=option
        )
    return timedelta(seconds=seconds)


def moment(text: str, option: str = "--until") -> datetime:
    """A point in time, UTC where it has no zone; a time of day is today's, or yesterday's if it is still to come."""
    present = now()
    if not text:
        return present
    for given in (text, f"{present:%Y-%m-%d}T{text}"):
        try:
            at = datetime.fromisoformat(given)
        except ValueError:
            continue
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return at - timedelta(days=1) if given != text and at > present else at.astimezone(UTC)
    raise typer.BadParameter(f"{text!r} is no time such as 14:05 or 2026-06-01T14:05Z (UTC)", param_hint=option)


def now() -> datetime:
    """The present, UTC."""
    return datetime.now(UTC)


def print_json(data: Any) -> None:
    """Pretty JSON on stdout; datetimes as RFC 3339, bytes as text or, if they are none, with their escapes."""
    typer.echo(json.dumps(_rounded(data), indent=2, ensure_ascii=False, default=_plain))


def _rounded(data: Any) -> Any:
    """Floats to the seven digits that a Float32 has: 0.28, not 0.2800000011920929."""
    if isinstance(data, float):
        return float(f"{data:.7g}")
    if isinstance(data, Mapping):
        return {name: _rounded(value) for name, value in data.items()}
    return [_rounded(each) for each in data] if isinstance(data, list | tuple) else data


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat().replace("+00:00", "Z")
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    raise TypeError(f"no JSON for {type(value).__name__}")
