"""The ClickHouse of the settings: connection, tables, the journey's parameters, questions."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from clickhouse_connect.driver.client import Client

from rectrace.settings import Settings
from schemas.parts import WINDOW_S
from schemas.pipeline import STAGES
from sinks.clickhouse.client import connect
from sinks.clickhouse.journey import Journey, complete
from sinks.clickhouse.migrate import Layout
from sinks.clickhouse.reader import Reader


def limits(settings: Settings) -> dict[str, float]:
    """What a query of the console may take, as ClickHouse settings: it may write nothing."""
    console = settings.console
    return {
        "readonly": 2,
        "max_execution_time": console.max_time,
        "max_memory_usage": console.max_memory,
        "max_rows_to_read": console.max_rows,
    }


def clickhouse(settings: Settings, *, timeout: float = 60.0) -> Client:
    """A connection to the server of the settings. Raises BadAddress or Unavailable."""
    return connect(_address(settings), timeout=timeout)


def layout(settings: Settings) -> Layout:
    """Where the tables are."""
    return Layout(settings.database, settings.cluster, settings.fsync)


def journey(settings: Settings) -> Journey:
    """How traces are merged and candidates get their fates."""
    return Journey(
        orders=settings.pipeline.orders,
        expected=settings.pipeline.expected,
        outcome_segments=settings.outcomes.segments,
        segment_values=settings.outcomes.segment_values,
        slow_ms=settings.pipeline.slow * 1000,
        keep_users=settings.retention.users,
        retention_all_s=int(settings.retention.all),
        retention_kept_s=int(settings.retention.kept),
        near_s=int(settings.join.max_wait) + WINDOW_S,
    )


def order(settings: Settings, placement: str) -> Sequence[str]:
    """The stages or components in pipeline order: of the placement, else as configured for all others."""
    orders = settings.pipeline.orders
    found = orders.get(placement) or orders.get("*")
    return complete(found) if found else STAGES


@contextmanager
def asking(settings: Settings) -> Iterator[Reader]:
    """A reader for people's questions, on a connection of its own. Raises BadAddress or Unavailable."""
    client = clickhouse(settings)
    try:
        yield Reader(client, settings.database, journey(settings))
    finally:
        client.close()


def _address(settings: Settings) -> str:
    """The URL with user and password, which travel no further."""
    user, password = settings.clickhouse_user, settings.clickhouse_password.get_secret_value()
    if not user and not password:
        return settings.clickhouse
    parts = urlsplit(settings.clickhouse)
    user = user or unquote(parts.username or "default")
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(user, safe='')}:{quote(password, safe='')}@{host}"))
