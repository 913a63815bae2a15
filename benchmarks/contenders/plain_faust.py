"""Faust as its users write it, with its defaults: an agent that decodes, or a join in a table.

Its JSON codec is orjson where that is installed, as it is here. Only the session timeout is not Faust's default: it
delays the start and nothing else.
"""

import tempfile
import uuid
from typing import Any

import faust

from benchmarks.contenders import FAUST, FAUST_TABLE
from benchmarks.job import SESSION_TIMEOUT, Job, Stopwatch, end, this_job


def make_app(job: Job) -> Any:
    return faust.App(
        f"plain-{uuid.uuid4().hex[:8]}",
        broker=f"kafka://{job.kafka.replace(',', ';kafka://')}",
        store="memory://",
        value_serializer="json",
        topic_partitions=job.partitions,
        datadir=tempfile.mkdtemp(),
        web_enabled=False,
        broker_session_timeout=SESSION_TIMEOUT,
        broker_heartbeat_interval=SESSION_TIMEOUT / 5,
    )


class Progress:
    """Counts events; after the last, or when the time is over, reports and ends the process."""

    def __init__(self, watch: Stopwatch) -> None:
        self._watch = watch
        self._seen = self._traces = 0

    def began(self) -> None:
        if not self._watch.running:
            self._watch.start()

    def gave_out(self, trace: list[dict[str, Any]]) -> None:
        """Where a real application would send the trace on."""
        self._traces += len(trace) == self._watch.job.events_per_trace

    def count(self) -> None:
        self._seen += 1
        job, whole = self._watch.job, self._seen == self._watch.job.events
        if whole or (self._seen % 64 == 0 and self._watch.seconds > job.bound):
            self._watch.lap(self._seen)
            self._watch.report(self._seen, self._traces, "" if whole else f"stopped after {job.bound:g} s")
            end()


def decode(app: Any, job: Job, progress: Progress) -> None:
    """An agent that gets every event as a dict."""

    @app.agent(app.topic(job.topic))  # type: ignore[untyped-decorator]
    async def read(events: Any) -> None:
        async for _event in events:
            progress.began()
            progress.count()


def join(app: Any, job: Job, progress: Progress) -> None:
    """A table of the events of each request, given out and deleted when the response is there."""
    table = app.Table("traces", default=list, partitions=job.partitions)

    @app.agent(app.topic(job.topic))  # type: ignore[untyped-decorator]
    async def read(events: Any) -> None:
        async for event in events:
            progress.began()
            request_id = event["request_id"]
            trace = table[request_id]
            trace.append(event)
            if event["stage"] == "response":
                progress.gave_out(trace)
                table.pop(request_id)
            else:
                table[request_id] = trace
            progress.count()


def main() -> None:
    job = this_job()
    app = make_app(job)
    build = {FAUST: decode, FAUST_TABLE: join}[job.name]
    build(app, job, Progress(Stopwatch(job)))
    faust.Worker(app, loglevel="warn", quiet=True).execute_from_commandline()


if __name__ == "__main__":
    main()
