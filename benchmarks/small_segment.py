"""A fault that touches 3 % of the traffic only: those who have an old app. All other requests are sound."""

from typing import Final

from rectrace.client.rules import RuleBook
from rectrace.demo.arrays import Bools, Floats, Ints
from rectrace.demo.ask import Ask, Found
from rectrace.demo.faults import Fault, Faults
from rectrace.demo.hooks import EventDict, Hooks, Sending

SHARE: Final = 0.03
NAME: Final = "app"
OLD: Final = "8.4"
NEW: Final = "9.0"
SEGMENT: Final = {NAME: OLD}


class SmallSegment(Faults):
    """Faults as they are, but for those with the old app only; and a segment that says which app it is."""

    def hooks(self, elapsed: float) -> Hooks:
        return _Narrow(super().hooks(elapsed))


class _Narrow(Hooks):
    def __init__(self, inner: Hooks) -> None:
        self._inner = inner
        self._sound = Hooks()

    def _for(self, ask: Ask) -> Hooks:
        return self._inner if _old(ask) else self._sound

    def found(self, source: str, ask: Ask, found: Found) -> Found:
        return self._for(ask).found(source, ask, found)

    def blocked(self, reason: str, ask: Ask, items: Ints, blocked: Bools) -> Bools:
        return self._for(ask).blocked(reason, ask, items, blocked)

    def scores(self, ask: Ask, scores: Floats) -> Floats:
        return self._for(ask).scores(ask, scores)

    def rules(self, ask: Ask, book: RuleBook) -> RuleBook:
        return self._for(ask).rules(ask, book)

    def latency(self, component: str, ask: Ask, ms: float) -> float:
        return self._for(ask).latency(component, ask, ms)

    def event(self, ask: Ask, event: EventDict) -> EventDict:
        if event["stage"] == "request":
            event["segments"] = {**ask.segments, NAME: OLD if _old(ask) else NEW}
        return self._for(ask).event(ask, event)

    def sendings(self, ask: Ask, event: EventDict, sendings: list[Sending]) -> list[Sending]:
        return self._for(ask).sendings(ask, event, sendings)


def _old(ask: Ask) -> bool:
    return ask.luck(NAME) < SHARE


__all__ = ["SEGMENT", "SHARE", "Fault", "SmallSegment"]
