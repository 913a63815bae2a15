"""The real landing table, and what it makes of an envelope's arrays."""

import itertools
import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from schemas.parts import Event, Part
from schemas.wire import Envelope
from sinks.clickhouse import rows
from sinks.clickhouse.client import connect
from sinks.clickhouse.migrate import Layout, migrate
from sinks.clickhouse.writer import INSERT_SETTINGS


class Outcome(NamedTuple):
    """stored: the stage as read back, or None where ClickHouse refused it with the error code `refused`."""

    stored: dict[str, Any] | None
    refused: int | None


Land = Callable[[Envelope], Outcome]


@pytest.fixture(scope="module")
def land(clickhouse: str) -> Iterator[Land]:
    """Land one envelope by itself and read its stage back."""
    ids = itertools.count()
    database = f"test_{uuid.uuid4().hex[:12]}"
    with connect(clickhouse) as client:
        migrate(client, Layout(database))
        yield lambda envelope: _land(client, database, f"r{next(ids)}", envelope)
        client.command(f"DROP DATABASE {database} SYNC")


def _land(client: Client, database: str, request_id: str, envelope: Envelope) -> Outcome:
    now = 1_767_225_600_000
    event = Event(envelope, b"", 0, now, now, "t", 0, 0)
    block = rows.encode([Part(request_id, [event], "complete", [], [])])
    try:
        client.raw_insert(f"{database}.landing", rows.COLUMNS, block, settings=INSERT_SETTINGS, fmt="JSONEachRow")
    except DatabaseError as error:
        return Outcome(None, error.code)
    query = f"SELECT toJSONString(stages) FROM {database}.landing WHERE request_id = '{request_id}'"
    ((stages,),) = client.query(query, settings={"output_format_json_quote_denormals": 1}).result_rows
    return Outcome(json.loads(stages)[0], None)
