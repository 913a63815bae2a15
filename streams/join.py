"""The join: valid events of one partition number in, parts of traces out. Pure: no clock, no I/O."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from schemas.envelope import Envelope
from schemas.parts import Closed, Event, Part, Span
from schemas.pipeline import STAGE_RANK
from streams.clocks import GraceClock
from streams.watermark import Hold, Watermark

MAX_EVENTS: Final = 256
MAX_REQUEST_BYTES: Final = 8_000_000
# What CPython takes beside an event's raw bytes, measured (envelope, strings, origin), and for an open request.
EVENT_OVERHEAD: Final = 1_000
REQUEST_OVERHEAD: Final = 1_000


@dataclass(frozen=True, slots=True)
class JoinPolicy:
    """When requests close. Times in ms."""

    settle_ms: int = 1_500
    grace_ms: int = 10_000
    max_wait_ms: int = 60_000
    max_open: int = 200_000
    recent: int = 50_000  # closed request ids remembered, a partition, to tell a late event from a new request
    expected: Mapping[str, Sequence[str]] = field(default_factory=dict)  # placement -> components or stages


@dataclass(slots=True)
class Load:
    """What all joins of a worker hold, shared by them."""

    open: int = 0
    open_bytes: int = 0
    late: int = 0
    duplicates: int = 0


class Joined(msgspec.Struct):
    """A closed part with the holds that keep its offsets from being committed."""

    part: Part
    holds: list[Hold]
    size: int  # bytes
    late: bool


class Open(msgspec.Struct, gc=False):
    """A request that may still get events. Pairs of times are (event, live) of the partition's grace clock."""

    request_id: str
    opened_at: int  # ms, arrival of its first event
    late: bool
    first_event: int
    first_live: int
    last_event: int
    last_live: int
    events: dict[int, Event]  # by content hash
    holds: list[Hold]
    size: int = REQUEST_OVERHEAD
    response_event: int = -1
    response_live: int = -1
    has_request: bool = False
    delayed: bool = False  # a request event was published longer than max_wait after its own time
    has_response: bool = False
    by_component: bool = False  # expectations name components: with all of them the request closes at once
    by_path: bool = False  # expectations name stage/component
    waived: bool = False  # served by fallback: what never ran is not waited for
    expected: Sequence[str] | None = None  # None before the request event
    awaited: set[str] | None = None  # of expected, what has not come; kept up to date if by_component


class Join:
    """The open requests of one partition number.

    A part goes to `close` when its request closes: complete, settled, timeout or evicted. An event of a request that
    closed before is late and opens another part of it, which closes `settle_ms` after its last event.
    """

    def __init__(self, policy: JoinPolicy, clock: GraceClock, load: Load, close: Callable[[Joined], None]) -> None:
        self.clock = clock
        self._policy = policy
        self._load = load
        self._close = close
        self._open: dict[str, Open] = {}
        self._recent = _Recent(policy.recent)

    def __len__(self) -> int:
        return len(self._open)

    def add(  # noqa: PLR0912 - see below
        self, events: Sequence[Event], mark: Watermark, now: int
    ) -> list[tuple[Event, Hold]]:
        """Take the events of one run of the topic-partition whose mark it is.

        Returns, each with a hold of its own, those of requests that have too many or too large events already. Runs
        for every event of the worker, hence in line and for a whole run: what is rare is called.
        """
        opened, load, live, topic, top = self._open, self._load, self.clock.live, mark.topic, mark.top
        refused: list[tuple[Event, Hold]] = []
        for event in events:
            envelope, record_at, digest = event.envelope, event.record_at, event.hash
            if record_at > top:  # noqa: PLR1730 - max() takes three times as long
                top = record_at
            request = opened.get(envelope.request_id)
            if request is None:
                request = self._begin(envelope.request_id, top, now)
            if request.late:
                load.late += 1
            known = request.events
            if digest in known:
                self._copy(request, event, mark)
                continue
            size = len(event.raw) + EVENT_OVERHEAD
            if known and (len(known) >= MAX_EVENTS or request.size + size > MAX_REQUEST_BYTES):
                refused.append((event, mark.hold(event.offset, record_at)))
                continue
            known[digest] = event
            request.size += size
            load.open_bytes += size
            holds = request.holds
            if holds and holds[0].topic == topic and record_at >= holds[0].low:
                holds[0].last = event.offset
            else:
                _hold(holds, event, mark)
            if top > request.last_event:  # noqa: PLR1730
                request.last_event = top
            request.last_live = live
            stage = envelope.stage
            if stage == "request":
                self._expect(request, event)
            elif stage == "response":
                self._respond(request, event, top)
            if request.by_component:
                awaited = request.awaited
                if awaited:
                    awaited.discard(envelope.component)
                    awaited.discard(stage)
                    if awaited and request.by_path:
                        awaited.discard(f"{stage}/{envelope.component}")
                if not awaited and request.has_response:
                    del opened[request.request_id]
                    self._finish(request, "complete")
        mark.top = top
        return refused

    def _begin(self, request_id: str, top: int, now: int) -> Open:
        live = self.clock.live
        request = Open(request_id, now, request_id in self._recent, top, live, top, live, {}, [])
        self._open[request_id] = request
        self._load.open += 1
        self._load.open_bytes += REQUEST_OVERHEAD
        return request

    def _copy(self, request: Open, event: Event, mark: Watermark) -> None:
        """An exact copy: of the two, that of the lower record time stays."""
        self._load.duplicates += 1
        if event.record_at < request.events[event.hash].record_at:
            request.events[event.hash] = event
        _hold(request.holds, event, mark)  # the one that stays may be of another topic: this one waits for it, too

    def _expect(self, request: Open, event: Event) -> None:
        """The request event: from now on it is known what is to come."""
        request.has_request = True
        envelope = event.envelope
        if event.record_at - envelope.ts_ms > self._policy.max_wait_ms:
            request.delayed = True
        if request.expected is None:
            expected = envelope.expects or self._policy.expected.get(envelope.placement or "", ())
            request.expected = expected
            request.by_component = any(name not in STAGE_RANK for name in expected)
            request.by_path = any("/" in name for name in expected)
            request.awaited = set(expected)
            for seen in request.events.values():
                request.awaited.difference_update(_names(seen.envelope))

    def _respond(self, request: Open, event: Event, top: int) -> None:
        """A response event: what is not known to come may end now."""
        if not request.has_response:
            request.response_event, request.response_live = top, self.clock.live
        request.has_response = True
        request.waived = request.waived or event.envelope.served_by == "fallback"

    def expire(self) -> None:
        """Close what is due by the grace clock."""
        policy, clock = self._policy, self.clock
        soonest = min(policy.settle_ms, policy.grace_ms, policy.max_wait_ms)
        due = [
            (request, reason)
            for request in self._open.values()
            if clock.passed(request.first_event, request.first_live, soonest) and (reason := self._due(request))
        ]
        for request, reason in due:
            del self._open[request.request_id]
            self._finish(request, reason)

    def _due(self, request: Open) -> Closed | None:
        policy, passed = self._policy, self.clock.passed
        if request.late:
            settled = passed(request.last_event, request.last_live, policy.settle_ms)
        else:
            # also while a component is missing: a lost event must not keep people from the rest for the whole grace
            settled = request.has_response and passed(request.response_event, request.response_live, policy.settle_ms)
        if settled:
            return "settled"
        if passed(request.last_event, request.last_live, policy.grace_ms):
            return "timeout"
        return "timeout" if passed(request.first_event, request.first_live, policy.max_wait_ms) else None

    def oldest_first(self) -> Iterator[Open]:
        """Open requests by arrival. Do not change the join while iterating."""
        return iter(self._open.values())

    def evict(self, request: Open) -> None:
        """Close one open request before it is due."""
        del self._open[request.request_id]
        self._finish(request, "evicted")

    def _finish(self, request: Open, reason: Closed) -> None:
        self._load.open -= 1
        self._load.open_bytes -= request.size
        self._recent.add(request.request_id)
        holds, events = request.holds, list(request.events.values())
        spans = [Span(hold.topic, events[0].partition, hold.first, hold.last) for hold in holds]
        missing = [] if reason == "complete" else _missing(request)
        # a part without a request event is looked for anyway, until its request is found
        far = request.has_request and (request.late or request.delayed)
        part = Part(request.request_id, events, reason, missing, spans, far)
        self._close(Joined(part, holds, request.size, request.late))


def _hold(holds: list[Hold], event: Event, mark: Watermark) -> None:
    for hold in holds:
        if hold.topic == event.topic:
            mark.extend(hold, event.offset, event.record_at)
            return
    holds.append(mark.hold(event.offset, event.record_at))


def _names(envelope: Envelope) -> tuple[str, str, str]:
    """What an expectation may call an event's component."""
    return envelope.component, envelope.stage, f"{envelope.stage}/{envelope.component}"


def _missing(request: Open) -> list[str]:
    """For people to read; a late part lacks nothing: it adds to an earlier one."""
    if request.late:
        return []
    expected = () if request.waived else request.expected or ()
    seen = {name for event in request.events.values() for name in _names(event.envelope)}
    return [name for name in dict.fromkeys(("request", *expected, "response")) if name not in seen]


class _Recent:
    """The last request ids that closed: between `limit` and half of it, in two generations."""

    def __init__(self, limit: int) -> None:
        self._half = max(limit // 2, 1)
        self._young: set[str] = set()
        self._old: set[str] = set()

    def __contains__(self, request_id: str) -> bool:
        return request_id in self._young or request_id in self._old

    def add(self, request_id: str) -> None:
        self._young.add(request_id)
        if len(self._young) >= self._half:
            self._young, self._old = set(), self._young
