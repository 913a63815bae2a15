"""The pages of the console, as a simulated browser sees them, on a database in which things go wrong."""

import os
from collections.abc import Iterator

import pytest
from nicegui.testing import User

from rectrace.settings import Settings
from sinks.clickhouse.client import connect
from tests.support import incident
from tests.support.console import rows, visit

TIME = "from=2100-01-01T12:00:00Z&to=2100-01-01T12:01:00Z"


@pytest.fixture(scope="module")
def settings(clickhouse: str) -> Iterator[Settings]:
    name = f"console_{os.getpid()}"
    with connect(clickhouse) as client:
        incident.create(client, name)
        yield Settings(clickhouse=clickhouse, database=name)
        client.command(f"DROP DATABASE {name} SYNC")


def test_requests(settings: Settings) -> None:
    async def journey(user: User) -> None:
        await user.open(f"/requests?{TIME}")
        await user.should_see("6 requests", retries=30)
        assert [row["request_id"] for row in rows(user, "table-requests")] == [
            "twice", "unanswered", "empty", "fallback", "whole-2", "whole",
        ]  # fmt: skip

    visit(settings, journey)
