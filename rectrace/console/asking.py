"""Questions to ClickHouse beside the event loop: a slow one holds up nobody else's page."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, TypeVar

from clickhouse_connect.driver.client import Client

from rectrace import database
from rectrace.settings import Settings
from sinks.clickhouse.reader import Reader

AT_ONCE: Final = 8  # questions
SLACK: Final = 5.0  # seconds that an answer may take beside its query

Answer = TypeVar("Answer")


async def beside(work: Callable[[], Answer]) -> Answer:
    """What work gives, done in a thread of its own. Raises what it raises."""
    done: Future[Answer] = Future()
    # a daemon, and no pool: the process would wait for a pool's threads before it ends
    threading.Thread(target=_work, args=(work, done), daemon=True).start()
    return await asyncio.wrap_future(done)


def _work(work: Callable[[], Answer], done: "Future[Answer]") -> None:
    try:
        answer = work()
    except Exception as error:
        if not done.cancelled():
            done.set_exception(error)
    else:
        if not done.cancelled():
            done.set_result(answer)


class Asker:
    """A client of the console's own, connected when it is first needed, whose queries have limits and write nothing."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._room = asyncio.Semaphore(AT_ONCE)
        self._connecting = threading.Lock()
        self._client: Client | None = None

    async def ask(self, question: Callable[[Reader], Answer]) -> Answer:
        """What a question answers. Raises Unavailable when ClickHouse cannot, or may not take so long."""
        async with self._room:
            return await beside(lambda: self._asked(question))

    def close(self) -> None:
        """Wait for no question."""
        if self._client:
            self._client.close()

    def _asked(self, question: Callable[[Reader], Answer]) -> Answer:
        with self._connecting:
            if self._client is None:
                self._client = database.clickhouse(self._settings, timeout=self._settings.console.max_time + SLACK)
        settings = self._settings
        return question(Reader(self._client, settings.database, database.journey(settings), database.limits(settings)))
