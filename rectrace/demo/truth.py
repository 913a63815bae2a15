"""What a fault is: hooks that change something, and the ground truth that a tool should find."""

from dataclasses import dataclass, field
from typing import ClassVar

from rectrace.demo.ask import Ask
from rectrace.demo.hooks import EventDict, Hooks


@dataclass(frozen=True)
class Truth:
    """What is wrong and where. An empty stage or component means none in particular. `segment` are the only requests
    that it touches, as {name: value}, experiments included. `pages`: whether somebody should be paged."""

    name: str
    what: str
    stage: str
    component: str
    segment: dict[str, str] = field(default_factory=dict)
    pages: bool = True


class Kind(Hooks):
    """A fault of the library. It overrides the hooks at which it reaches in."""

    truth: ClassVar[Truth]

    def is_mine(self, event: EventDict) -> bool:
        """Whether the event is of the component that this fault is in."""
        return event["component"] == self.truth.component and event["stage"] == self.truth.stage

    def strikes(self, ask: Ask, share: float) -> bool:
        """True for this share of the requests, always the same ones."""
        return ask.luck(self.truth.name) < share
