"""The points at which a fault may reach into the recommender and its publishing. A healthy demo changes nothing."""

from collections.abc import Sequence

from rectrace.client.rules import RuleBook
from rectrace.demo.arrays import Bools, Floats, Ints
from rectrace.demo.ask import Ask, Found

EventDict = dict[str, object]
Sending = tuple[float, bytes]  # seconds to wait before publishing, what to publish


class Hooks:
    """Each method gets what the recommender computed and returns what shall hold instead."""

    def rate(self, rate: float) -> float:
        """Requests per second."""
        return rate

    def feed_is_live(self, live: bool) -> bool:
        """Whether changes of stock reach the recommender."""
        return live

    def found(self, source: str, ask: Ask, found: Found) -> Found:
        """What a source found."""
        return found

    def blocked(self, reason: str, ask: Ask, items: Ints, blocked: Bools) -> Bools:
        """Which of the candidates a filter drops for this reason."""
        return blocked

    def scores(self, ask: Ask, scores: Floats) -> Floats:
        """What the ranker gave, one score per candidate."""
        return scores

    def rules(self, ask: Ask, book: RuleBook) -> RuleBook:
        """The business rules in force."""
        return book

    def latency(self, component: str, ask: Ask, ms: float) -> float:
        """Milliseconds that a component takes. Past its deadline it is a time-out."""
        return ms

    def event(self, ask: Ask, event: EventDict) -> EventDict:
        """A stage event before it is encoded. May be changed in place."""
        return event

    def sendings(self, ask: Ask, event: EventDict, sendings: list[Sending]) -> list[Sending]:
        """How the encoded event is published."""
        return sendings


class Chain(Hooks):
    """Several hooks, one after the other."""

    def __init__(self, hooks: Sequence[Hooks]) -> None:
        self._hooks = tuple(hooks)

    def rate(self, rate: float) -> float:
        for hooks in self._hooks:
            rate = hooks.rate(rate)
        return rate

    def feed_is_live(self, live: bool) -> bool:
        for hooks in self._hooks:
            live = hooks.feed_is_live(live)
        return live

    def found(self, source: str, ask: Ask, found: Found) -> Found:
        for hooks in self._hooks:
            found = hooks.found(source, ask, found)
        return found

    def blocked(self, reason: str, ask: Ask, items: Ints, blocked: Bools) -> Bools:
        for hooks in self._hooks:
            blocked = hooks.blocked(reason, ask, items, blocked)
        return blocked

    def scores(self, ask: Ask, scores: Floats) -> Floats:
        for hooks in self._hooks:
            scores = hooks.scores(ask, scores)
        return scores

    def rules(self, ask: Ask, book: RuleBook) -> RuleBook:
        for hooks in self._hooks:
            book = hooks.rules(ask, book)
        return book

    def latency(self, component: str, ask: Ask, ms: float) -> float:
        for hooks in self._hooks:
            ms = hooks.latency(component, ask, ms)
        return ms

    def event(self, ask: Ask, event: EventDict) -> EventDict:
        for hooks in self._hooks:
            event = hooks.event(ask, event)
        return event

    def sendings(self, ask: Ask, event: EventDict, sendings: list[Sending]) -> list[Sending]:
        for hooks in self._hooks:
            sendings = hooks.sendings(ask, event, sendings)
        return sendings
