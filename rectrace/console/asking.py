"""Questions to ClickHouse beside the event loop: a slow one holds up nobody else's page."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from clickhouse_connect.driver.client import Client

from rectrace import database
from rectrace.settings import Settings
from sinks.clickhouse.reader import Reader

THREADS: Final = 8  # questions at a time
SLACK: Final = 5.0  # seconds that an answer may take beside its query

Answer = TypeVar("Answer")


class Asker:
    """A client of the console's own, connected when it is first needed, whose queries have limits and write nothing."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._threads = ThreadPoolExecutor(THREADS, "console-asks")
        self._connecting = threading.Lock()
        self._client: Client | None = None

    async def ask(self, question: Callable[[Reader], Answer]) -> Answer:
        """What a question answers. Raises Unavailable when ClickHouse cannot, or may not take so long."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._asked, question)

    def close(self) -> None:
        """Wait for no question."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        if self._client:
            self._client.close()

    def _asked(self, question: Callable[[Reader], Answer]) -> Answer:
        with self._connecting:
            if self._client is None:
                self._client = database.clickhouse(self._settings, timeout=self._settings.console.max_time + SLACK)
        settings = self._settings
        return question(Reader(self._client, settings.database, database.journey(settings), database.limits(settings)))
