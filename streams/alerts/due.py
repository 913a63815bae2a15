"""Reading for what is judged in every n-th window only."""

import logging
from collections.abc import Callable
from typing import TypeVar

from schemas.errors import Unavailable
from schemas.parts import WINDOW_S
from streams.alerts.model import Definition

log = logging.getLogger(__name__)

T = TypeVar("T")


def read_due(definition: Definition, first: int, last: int, read: Callable[[int], T]) -> dict[int, T]:
    """What is read for each window from first to last (epoch seconds) in which the alert is judged. What cannot be read
    in time says nothing; it keeps no other alert."""
    found: dict[int, T] = {}
    for window in range(first, last + 1, WINDOW_S):
        if definition.due(window):
            try:
                found[window] = read(window)
            except Unavailable as error:
                log.warning("%s is not judged at %d: %s", definition.name, window, error)
    return found
