"""Publishes events through whatever Kafka client a service already has."""

import asyncio
import inspect
import os
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypedDict, Unpack

from rectrace.client.encoding import Document, capped, encode
from rectrace.client.failures import Failures
from rectrace.client.request import RequestFields, RequestTrace
from schemas.catalog import decode_catalog
from schemas.events import MODELS, Event
from schemas.exact import check
from schemas.interactions import Kind, decode_interaction
from schemas.limits import SCHEMA_VERSION

# send(topic, key, value), such as `lambda topic, key, value: producer.send(topic, key=key, value=value)`.
# What it returns may be awaitable (aiokafka) or have `add_errback` (kafka-python): its failure is counted, too.
Send = Callable[[str, bytes, bytes | None], object]
VALIDATE_VARIABLE: Final = "RECTRACE_VALIDATE"


class ItemFields(TypedDict, total=False):
    """The state of an item; see schemas/catalog.py."""

    title: str
    brand: str
    category: str
    price: float
    available: bool
    created_at: object
    image_url: str
    attributes: Mapping[str, object]


class Publisher:
    """Builds, checks and sends events. Nothing here raises: a failure is counted in `failed` and logged now and then.

    send is called in the caller's thread: tell the Kafka client not to block when the broker is away (kafka-python:
    max_block_ms=0, at the price of the events before it has found the topic's leader, the first tenth of a second).
    `published` counts what was handed to it.
    validate: check each event against the contract before it is sent, and do not send a wrong one; None: do, unless
    the environment says RECTRACE_VALIDATE=0.
    max_items: cap every list of candidates at this length; counts still hold the full numbers.
    topics: other names for stages, interactions, catalog. clock: Unix time in seconds.
    """

    def __init__(
        self,
        send: Send,
        *,
        validate: bool | None = None,
        max_items: int | None = None,
        topics: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.published = 0
        self._send = send
        self._validate = os.environ.get(VALIDATE_VARIABLE, "1") != "0" if validate is None else validate
        self._max_items = max_items
        self._topics = topics or {}
        self._clock = clock
        self._failures = Failures()
        self._tasks: set[asyncio.Future[Any]] = set()

    @property
    def failed(self) -> int:
        """Events that were not published."""
        return self._failures.count

    def request(
        self,
        request_id: str | None = None,
        *,
        placement: str,
        k: int,
        component: str = "api",
        **fields: Unpack[RequestFields],
    ) -> RequestTrace:
        """A request came in: publish its event and return what its stages are published with.

        request_id None: a new one, in the trace's `request_id`. component: also the default of its response.
        """
        trace = RequestTrace(self.event, request_id or str(uuid.uuid4()), component)
        trace.event("request", component, None, placement=placement, k=k, **fields)
        return trace

    def trace(self, request_id: str, component: str = "api") -> RequestTrace:
        """A request that another service announced: publish stages of it."""
        return RequestTrace(self.event, request_id, component)

    def event(self, stage: str, request_id: str, component: str, fields: Document) -> bool:
        """Publish one stage event; ts is now unless fields have it. True if it was handed over."""

        def build() -> bytes:
            event = {
                "schema_version": SCHEMA_VERSION,
                "request_id": request_id,
                "ts": int(self._clock() * 1000),
                "stage": stage,
                "component": component,
                **{name: value for name, value in fields.items() if value is not None},
            }
            value = encode(event if self._max_items is None else capped(event, self._max_items))
            if self._validate:
                check(value)
                self._note_unknown(stage, event)
            return value

        return self._publish("stages", request_id, build)

    def publish(self, event: Event) -> bool:
        """Publish an event built as its model, which has checked it."""
        return self._publish("stages", event.request_id, lambda: encode(event.model_dump(exclude_none=True)))

    def interaction(
        self,
        request_id: str,
        item: str,
        kind: Kind,
        *,
        position: int | None = None,
        value: float | None = None,
        ts: object = None,
    ) -> bool:
        """A user did something with an item of that request's response."""

        def build() -> bytes:
            seen = {"request_id": request_id, "item": item, "kind": kind, "position": position, "value": value}
            raw = encode({**seen, "ts": int(self._clock() * 1000) if ts is None else ts})
            if self._validate:
                decode_interaction(raw, 0)
            return raw

        return self._publish("interactions", request_id, build)

    def item(self, item: str, **state: Unpack[ItemFields]) -> bool:
        """The whole state of a catalogue item from now on."""

        def build() -> bytes:
            raw = encode(state)
            if self._validate:
                decode_catalog(item.encode(), raw, 0)
            return raw

        return self._publish("catalog", item, build)

    def remove_item(self, item: str) -> bool:
        """An item left the catalogue."""
        return self._publish("catalog", item, lambda: None)

    def on_delivery(self, error: object, message: object) -> None:
        """For clients that report by callback: `producer.produce(..., on_delivery=publisher.on_delivery)`."""
        if error is not None:
            self._failures.add(error)

    async def drain(self) -> None:
        """Wait until every coroutine that `send` returned has run: before an asyncio producer is stopped."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _publish(self, topic: str, key: str, build: Callable[[], bytes | None]) -> bool:
        try:
            result = self._send(self._topics.get(topic, f"rectrace.{topic}"), key.encode(), build())
            self._watch(result)
        except Exception as error:  # whatever it is, the recommendation goes on
            self._failures.add(error)
            return False
        self.published += 1
        return True

    def _watch(self, result: Any) -> None:
        if hasattr(result, "add_errback"):  # asked first: kafka-python's futures can be awaited, too, and need no loop
            result.add_errback(self._failures.add)
        elif inspect.isawaitable(result):
            self._schedule(result)

    def _schedule(self, sending: Any) -> None:
        try:
            task = asyncio.ensure_future(sending, loop=asyncio.get_running_loop())
        except RuntimeError:  # no loop runs in this thread
            if inspect.iscoroutine(sending):
                sending.close()
            raise
        self._tasks.add(task)  # the loop itself holds tasks weakly
        task.add_done_callback(self._sent)

    def _sent(self, task: "asyncio.Future[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._failures.add(error)

    def _note_unknown(self, stage: str, event: Iterable[str]) -> None:
        if unknown := sorted(set(event) - set(MODELS[stage].model_fields)):
            self._failures.warn(f"{stage} events have no field {', '.join(unknown)}: sent, and ignored")
