"""Requests in which a component's call went wrong, by what alerts call it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

OF_COMPONENT: Final = "s.stage = {stage:String} AND s.component = {component:String}"
WRONG: Final[Mapping[str, str]] = {
    "failed": f"arrayExists(s -> {OF_COMPONENT} AND s.status IN ('timeout', 'error'), stages)",
    "zero_out": f"arrayExists(s -> {OF_COMPONENT} AND s.status NOT IN ('timeout', 'error') "
    "AND (s.has_items OR s.n_out IS NOT NULL) AND ifNull(s.n_out, length(s.items)) = 0, stages)",
    "degenerate": f"arrayExists(s -> {OF_COMPONENT} AND length(s.scores) > 1 AND arrayUniq(arrayFilter("
    "x -> x IS NOT NULL, s.scores)) < 2, stages)",
}


@dataclass(frozen=True)
class WrongCalls:
    """Chooses requests, as reader.RequestFilter does. kind: one of WRONG."""

    kind: str
    stage: str
    component: str

    def condition(self, database: str) -> str:
        """An SQL expression over the columns of `traces`, with query parameters."""
        return WRONG[self.kind]

    @property
    def parameters(self) -> dict[str, str]:
        """Query parameters."""
        return {"stage": self.stage, "component": self.component}
