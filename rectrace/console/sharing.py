"""One question for all pages that want the same at the same time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

MOST: Final = 100  # answers that are kept

Answer = TypeVar("Answer")


class Shared(Generic[Answer]):
    """Who asks while the same is being asked, or soon after it was answered, gets that answer."""

    def __init__(self, fresh: float) -> None:
        """fresh: seconds for which an answer is good. A failure is for those alone who waited for it."""
        self._fresh = fresh
        self._asked: dict[str, asyncio.Task[Answer]] = {}
        self._answered: dict[str, float] = {}

    async def get(self, key: str, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """Raises what `ask` raises."""
        task = self._asked.get(key)
        if task is None or (task.done() and not self._good(key, task)):
            if len(self._asked) >= MOST:
                self._asked = {name: each for name, each in self._asked.items() if not each.done()}
            task = self._asked[key] = asyncio.ensure_future(self._ask(key, ask))
        return await asyncio.shield(task)  # one who goes takes the answer from nobody else

    async def _ask(self, key: str, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        answer = await ask()
        self._answered[key] = time.monotonic()
        return answer

    def _good(self, key: str, task: asyncio.Task[Answer]) -> bool:
        failed = task.cancelled() or task.exception() is not None
        return not failed and time.monotonic() - self._answered.get(key, 0.0) < self._fresh
