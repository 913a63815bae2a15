"""`rectrace rules backtest`: rules over what is sealed, read batch by batch while the one before is judged."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from schemas.parts import WINDOW_MS
from schemas.rules import Rule
from sinks.clickhouse.judged import Judged
from sinks.clickhouse.reader import Period, Reader
from streams.rules.backtest import Backtest, Found

MANY: Final = 20_000  # requests of a batch, if no window has more
WINDOW: Final = timedelta(milliseconds=WINDOW_MS)


@dataclass(frozen=True)
class Batch:
    """Windows that are read together: from first until before end."""

    first: datetime
    end: datetime
    requests: int


def batches(windows: Sequence[tuple[datetime, int]], many: int = MANY) -> Iterator[Batch]:
    """Batches of so many requests at least, but the last. windows: (start, requests) in order of time."""
    first, requests = None, 0
    for start, count in windows:
        first, requests = first or start, requests + count
        if requests >= many:
            yield Batch(first, start + WINDOW, requests)
            first, requests = None, 0
    if first is not None:
        yield Batch(first, windows[-1][0] + WINDOW, requests)


class History:
    """The sealed requests of one database. Raises Unavailable."""

    def __init__(self, reader: Reader, judged: Judged, database: str, many: int = MANY) -> None:
        self._reader = reader
        self._judged = judged
        self._traces = (
            f"SELECT * FROM {database}.traces "
            "WHERE window >= {first:DateTime('UTC')} AND window < {end:DateTime('UTC')}"
        )
        self._many = many

    def batches(self, period: Period) -> list[Batch]:
        """What there is in a time."""
        return list(batches(self._reader.sealed_windows(period), self._many))

    def read(self, batch: Batch, backtest: Backtest) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The requests of a batch and the catalogue of what they were served."""
        period = {"first": batch.first, "end": batch.end}
        wanted, catalog = backtest.columns, backtest.needs_catalog
        return self._judged.frames(self._traces, wanted, batch.first, period, catalog=catalog)


@dataclass(frozen=True)
class Tested:
    """What came of one rule, of what is there, which may be less than was asked for. first, end: of that."""

    found: Found
    first: datetime
    end: datetime
    requests: int


def run(
    history: History, rules: Sequence[Rule], found: Sequence[Batch], tell: Callable[[int], None] = lambda requests: None
) -> Backtest:
    """Judge all batches; tell is told the requests of each when it is done. Raises Unavailable."""
    backtest = Backtest(rules)
    with ThreadPoolExecutor(max_workers=1) as reading:
        coming = [reading.submit(history.read, batch, backtest) for batch in found[:1]]
        for number, batch in enumerate(found):
            traces, catalog = coming.pop().result()
            coming += [reading.submit(history.read, each, backtest) for each in found[number + 1 : number + 2]]
            backtest.add(traces, catalog)
            tell(batch.requests)
    return backtest
