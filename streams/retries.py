"""How long to wait before something that failed is tried again."""

from typing import Final

_ENOUGH: Final = 30  # a thousand doublings are more than a float holds


def pause_after(failures: int, longest: float) -> float:
    """Seconds: 2 after one failure in a row, 4 after two, and so on, up to `longest`."""
    return min(2.0 ** min(failures, _ENOUGH), longest)
