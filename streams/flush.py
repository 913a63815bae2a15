"""Writing a batch: the order that makes a crash at any moment harmless, and patience while the server is away."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from typing import Final, TypeVar

from schemas.errors import Unavailable
from schemas.parts import DeadLetter
from streams.metrics import Metrics
from streams.outbox import Batch
from streams.pipeline import Pipeline
from streams.ports import Sink

log = logging.getLogger(__name__)

FIRST_RETRY: Final = 0.2  # seconds
LAST_RETRY: Final = 5.0
REMIND: Final = 20.0  # seconds between two warnings of one outage

Rows = TypeVar("Rows", bound=Sequence[object])
Result = TypeVar("Result")


class Revoked(Exception):  # noqa: N818
    """The partitions went to another owner meanwhile: the rest of the batch is that one's to write."""


class Flusher:
    """Takes batches from the pipeline to the sink. The sink blocks, so it runs on `executor` (one thread)."""

    def __init__(
        self,
        pipeline: Pipeline,
        sink: Sink,
        executor: Executor,
        commit: Callable[[], Awaitable[object]],
        first_retry: float = FIRST_RETRY,
    ) -> None:
        self._pipeline = pipeline
        self._sink = sink
        self._executor = executor
        self._commit = commit
        self._lock = asyncio.Lock()
        self._first_retry = first_retry
        self.unavailable_since: float | None = None  # monotonic seconds; None while the sink answers

    @property
    def _metrics(self) -> Metrics:
        return self._pipeline.metrics

    async def flush(self, *, force: bool = False) -> bool:
        """Take the next batch if one is due, write it and commit. True if there was one and it is written.

        The order, and why a crash between any two steps loses nothing:

        1. land the parts, in one insert. Until their offsets are committed they are read again after a crash, and
           landing them twice changes nothing.
        2. write the dead letters, with the events that landing refused: a record is in one of the two before 6.
        3. write interactions, 4. the catalogue and the rules: same keys, same rows.
        5. write the claims of progress: they say that everything below a time has landed, so they come after it.
        6. acknowledge: only now may the watermark move past these offsets.
        7. commit the watermark. If it fails, the next commit says the same or more.
        """
        async with self._lock:
            batch = self._pipeline.take(_now(), force=force)
            if batch is None:
                return False
            sink = self._sink
            try:
                refused = await self._write("parts", sink.land, batch.parts, batch) or []
                await self._write("dead_letters", sink.write_dead_letters, [*batch.letters, *refused], batch)
                await self._write("interactions", sink.write_interactions, batch.interactions, batch)
                await self._write("catalog", sink.write_catalog, batch.catalog, batch)
                await self._write("rules", sink.write_rules, batch.rules, batch)
                await self._write("progress", sink.write_progress, batch.claims, batch)
            except Revoked:
                return False
            self._count(batch, refused)
            self._pipeline.acknowledge(batch)
        await self._commit()
        return True

    async def drain(self) -> None:
        """Write all that is closed."""
        while await self.flush(force=True):
            pass

    def _count(self, batch: Batch, refused: Sequence[DeadLetter]) -> None:
        self._metrics.batch_rows.observe(batch.rows)
        self._metrics.batch_age.observe(max(_now() - batch.oldest_at, 0) / 1000)
        if refused:
            self._pipeline.count_refused(refused, _now())

    async def _write(self, what: str, call: Callable[[Rows], Result], rows: Rows, batch: Batch) -> Result | None:
        """Call until the server takes it; other errors than `Unavailable` are bugs and go up."""
        if not rows:
            return None
        loop, pause = asyncio.get_running_loop(), self._first_retry
        self._metrics.insert_failures.labels(what)  # 0 until then, so that the first one is an increase
        while True:
            if batch.epoch != self._pipeline.epoch:
                raise Revoked
            started = time.monotonic()
            try:
                result = await loop.run_in_executor(self._executor, call, rows)
            except Unavailable as error:
                self._metrics.insert_failures.labels(what).inc()
                self._remind(what, error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LAST_RETRY)
            else:
                self._metrics.insert_seconds.labels(what).observe(time.monotonic() - started)
                self._recovered()
                return result

    def _remind(self, what: str, error: Unavailable) -> None:
        now = time.monotonic()
        if self.unavailable_since is None:
            self.unavailable_since, self._reminded = now, -REMIND
        if now - self._reminded >= REMIND:
            self._reminded = now
            log.warning(
                "cannot write %s: %s (for %.0f s now). Nothing is lost: what was read is kept up to the memory bound, "
                "then reading waits; trying again.",
                what,
                error,
                now - self.unavailable_since,
            )

    def _recovered(self) -> None:
        if self.unavailable_since is not None:
            log.warning("writing works again, after %.0f s", time.monotonic() - self.unavailable_since)
            self.unavailable_since = None


def _now() -> int:
    return time.time_ns() // 1_000_000
