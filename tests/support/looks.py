"""One look of slotted alerts after the other, through the state machine."""

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

from schemas.alerts import AlertState
from schemas.trends import SLOT_S
from streams.alerts.machine import step
from streams.alerts.model import Signals
from streams.alerts.text import describe
from streams.alerts.thresholds import Thresholds

Row = TypeVar("Row")


class Looks(Generic[Row]):
    """signals: made of what was found, by window, and the thresholds. first: the window of the first look. said: what
    the file of thresholds says."""

    def __init__(
        self,
        signals: Callable[[Mapping[int, Sequence[Row]], Thresholds], Signals],
        first: int,
        said: Mapping[str, object] | None = None,
    ) -> None:
        self.states: dict[str, AlertState] = {}
        self.thresholds = Thresholds("file", said or {})
        self.window = first
        self._signals = signals

    def look(self, *slots: Sequence[Row]) -> list[str]:
        """What began to fire or ended, by name."""
        told = []
        for found in slots:
            signals = self._signals({self.window: found}, self.thresholds)
            self.states, changes = step(
                self.states, self.window, signals.at(self.window, list(self.states.values())), describe
            )
            self.window += SLOT_S
            told += [f"{change.status} {change.state.name}" for change in changes if change.told]
        return told
