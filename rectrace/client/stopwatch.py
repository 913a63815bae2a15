"""How long a stage took."""

import time


class Stopwatch:
    """Runs while its `with` block does."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._stopped: float | None = None

    @property
    def ms(self) -> float:
        """Milliseconds of the block; until now, if it still runs."""
        return ((self._stopped or time.perf_counter()) - self._started) * 1000

    def __enter__(self) -> "Stopwatch":
        self._started, self._stopped = time.perf_counter(), None
        return self

    def __exit__(self, *exc: object) -> None:
        self._stopped = time.perf_counter()


def timed() -> Stopwatch:
    """`with timed() as clock: ...`, then `duration_ms=clock.ms`."""
    return Stopwatch()
