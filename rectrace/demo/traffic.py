"""The traffic: requests as they come, answered by the recommender, as messages in the order of their due times."""

import heapq
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from rectrace.client.encoding import encode
from rectrace.client.rules import RuleBook
from rectrace.demo.ask import Ask
from rectrace.demo.asks import Asks
from rectrace.demo.business import standing_book
from rectrace.demo.carousels import Carousels
from rectrace.demo.faults import Fault, Faults
from rectrace.demo.hooks import Hooks, Sending
from rectrace.demo.pipeline import Answer, Recommender
from rectrace.demo.shop import Shop
from rectrace.demo.shoppers import Act, Shoppers
from rectrace.demo.stock import Stock
from rectrace.demo.trail import Emitted, Stopwatch
from rectrace.demo.world import World

STAGES = "rectrace.stages"
INTERACTIONS = "rectrace.interactions"
CATALOG = "rectrace.catalog"
RULES = "rectrace.rules"
LATE_SECONDS = 12.0, 40.0
TWICE_SECONDS = 0.05, 2.0
MOST_EVENTS = 16  # of one request


class Message(NamedTuple):
    """One record to publish, at `due` (epoch seconds)."""

    due: float
    topic: str
    key: bytes
    value: bytes


class Served(NamedTuple):
    """A request whose response has been published, with a garment worth asking about and the reason why."""

    request_id: str
    user_id: str
    item: str
    reason: str


class Pending(NamedTuple):
    """A message that waits until it is due; ties go in the order of making. `then` is run when it is published."""

    due: float
    number: int
    message: Message
    then: Callable[[], None] | None


class Traffic:
    """An endless stream of messages from `start` (epoch s) on: `rate` requests a second, as a Poisson process.

    `mishaps` is the share of stage events that come late or twice, half of it each. Pure: no clock, no I/O; the same
    world and arguments give the same messages, but for the durations that `stopwatch` (in seconds) measures. `rules`
    gives those in force at the moment.
    """

    def __init__(
        self,
        world: World,
        rate: float,
        start: float,
        *,
        faults: Sequence[Fault] = (),
        mishaps: float = 0.001,
        stopwatch: Stopwatch = lambda: 0.0,
        rules: Callable[[], RuleBook] = standing_book,
    ) -> None:
        self._world = world
        self._rate = rate
        self.start = start
        self._mishaps = mishaps
        self.faults = Faults(faults)
        self._stock = Stock(world.catalogue, world.seed, start)
        self._shop = Shop(self._stock, world.users.bought)
        self._asks = Asks(world, self._shop, start)
        self._recommender = Recommender(world, self._shop, stopwatch, rules)
        self.carousels = Carousels(world, self._asks)
        self._shoppers = Shoppers(world)
        self._pending: list[Pending] = []
        self._made = 0
        self._latest = start  # arrival of the latest request
        self.requests = 0
        self.served: Served | None = None

    def __iter__(self) -> Iterator[Message]:
        arrivals = np.random.default_rng([self._world.seed, 5])
        at = self.start
        for item in range(len(self._world.catalogue)):
            self._record(item, at)
        while True:
            rate = self.faults.hooks(at - self.start).rate(self._rate)
            at += float(arrivals.exponential(1 / rate))
            while self._pending and self._pending[0].due <= at:
                yield self._next()
            self._take(at)

    def rest(self) -> list[Message]:
        """What the requests that have come still have to tell, but for late events. Ends the traffic."""
        rest = []
        while self._pending:
            due, message = self._pending[0].due, self._next()
            if message.topic == STAGES and due < self._latest + LATE_SECONDS[0]:
                rest.append(message)
        return rest

    def asked(self, ask: Ask) -> tuple[Answer, list[Message]]:
        """Answer a request from outside beside the traffic; what it publishes, in order of its due times. Faults act on
        it, mishaps do not, and nobody clicks on what it served."""
        hooks = self.faults.hooks(ask.at - self.start)
        answer = self._recommender.answer(ask, hooks)
        messages = [
            Message(ask.at + emitted.ms / 1000 + wait, STAGES, ask.request_id.encode(), body)
            for emitted in answer.events
            for wait, body in self._sendings(ask, emitted, hooks, 1.0)[1]
        ]
        return answer, sorted(messages, key=lambda message: message.due)

    def _next(self) -> Message:
        pending = heapq.heappop(self._pending)
        if pending.then:
            pending.then()
        return pending.message

    def _take(self, at: float) -> None:
        """Let one request come in, with everything that it will publish."""
        hooks = self.faults.hooks(at - self.start)
        self._follow_stock(at, hooks)
        ask = self._asks.draw(self.requests, at)
        answer = self._recommender.answer(ask, hooks)
        self._latest = at
        self.requests += 1
        fortunes = ask.random.random(MOST_EVENTS)
        for emitted, fortune in zip(answer.events, fortunes, strict=False):
            self._publish(ask, emitted, hooks, float(fortune), answer)
        done = at + answer.events[-1].ms / 1000
        for act in self._shoppers.act(ask, answer.served):
            self._interact(ask, act, done)

    def _follow_stock(self, at: float, hooks: Hooks) -> None:
        for item in self._stock.advance(at):
            self._record(item, at)
        if hooks.feed_is_live(True):
            self._stock.feed_all()

    def _publish(self, ask: Ask, emitted: Emitted, hooks: Hooks, fortune: float, answer: Answer) -> None:
        stage, sendings = self._sendings(ask, emitted, hooks, fortune)
        then = partial(self._remember, ask, answer) if stage == "response" else None
        for wait, body in sendings:
            self._push(ask.at + emitted.ms / 1000 + wait, STAGES, ask.request_id, body, then)

    def _sendings(self, ask: Ask, emitted: Emitted, hooks: Hooks, fortune: float) -> tuple[object, list[Sending]]:
        """The stage of an event, and how it is published."""
        event = hooks.event(ask, emitted.event)
        sendings = self._mishap([(0.0, encode(event))], fortune)
        return event["stage"], hooks.sendings(ask, event, sendings)

    def _mishap(self, sendings: list[Sending], fortune: float) -> list[Sending]:
        """`fortune` in [0, 1) decides whether the event is late, comes twice, or is just sent."""
        if fortune >= self._mishaps:
            return sendings
        body = sendings[0][1]
        how = fortune / self._mishaps * 2  # in [0, 2): the first half is late
        if how < 1:
            return [(_between(LATE_SECONDS, how), body)]
        return [*sendings, (_between(TWICE_SECONDS, how - 1), body)]

    def _interact(self, ask: Ask, act: Act, done: float) -> None:
        due = done + act.after
        record: dict[str, object] = {
            "request_id": ask.request_id,
            "item": self._world.catalogue.ids[act.item],
            "kind": act.kind,
            "position": act.position,
            "ts": int(due * 1000),
        }
        then = None
        if act.value is not None:
            record["value"] = act.value
            then = partial(self._buy, ask, act.item, due)
        self._push(due, INTERACTIONS, ask.request_id, encode(record), then)

    def _buy(self, ask: Ask, item: int, now: float) -> None:
        if self._shop.buy(ask.user, item, ask.country, now):
            self._record(item, now)

    def _record(self, item: int, at: float) -> None:
        record = self._world.catalogue.record(item, self._stock.has(item))
        self._push(at, CATALOG, self._world.catalogue.ids[item], encode(record))

    def _remember(self, ask: Ask, answer: Answer) -> None:
        """Pick a garment that was dropped, another reason each time, as far as there is one."""
        reasons: dict[str, list[str]] = {}
        for emitted in answer.events:
            dropped = emitted.event.get("dropped")
            reasons |= dropped if isinstance(dropped, dict) else {}
        if reasons:
            reason = sorted(reasons)[self.requests % len(reasons)]
            self.served = Served(ask.request_id, ask.user_id, reasons[reason][0], reason)

    def _push(self, due: float, topic: str, key: str, value: bytes, then: Callable[[], None] | None = None) -> None:
        self._made += 1
        heapq.heappush(self._pending, Pending(due, self._made, Message(due, topic, key.encode(), value), then))


def _between(bounds: tuple[float, float], share: float) -> float:
    return bounds[0] + share * (bounds[1] - bounds[0])
