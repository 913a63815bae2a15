"""What was measured, as a table of Markdown that is also readable on a terminal."""

from collections.abc import Mapping, Sequence
from typing import Final

from benchmarks.contenders import AIOKAFKA, FAUST_TABLE, Contender
from benchmarks.job import Result

HEAD: Final = (
    "contender", "events", "s", "events/s", "traces/s", "x Faust join", "x aiokafka", "CPU s", "events/CPU s",
    "ClickHouse CPU s", "RSS MB", "ClickHouse RSS MB", "note",
)  # fmt: skip
NOTHING: Final = "-"


def render(contenders: Sequence[Contender], results: Mapping[str, Result | str]) -> str:
    """One line a contender; a string in place of a result says why there is none."""
    lines = [HEAD, *(_line(contender, results) for contender in contenders)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    shown = [_row(line, widths) for line in lines]
    ruler = "|" + "|".join("-" * (width + 1) + ("-" if column in (0, len(HEAD) - 1) else ":")
                           for column, width in enumerate(widths)) + "|"  # fmt: skip
    return "\n".join([shown[0], ruler, *shown[1:]])


def _line(contender: Contender, results: Mapping[str, Result | str]) -> tuple[str, ...]:
    result = results[contender.name]
    if isinstance(result, str):
        return (contender.label, *[NOTHING] * (len(HEAD) - 2), result)
    return (
        contender.label,
        f"{result.events:,}",
        f"{result.seconds:.1f}",
        f"{result.events_rate:,.0f}",
        f"{result.events_rate * result.traces / result.events:,.0f}" if result.traces else NOTHING,
        _ratio(result, results.get(FAUST_TABLE)),
        _ratio(result, results.get(AIOKAFKA)),
        f"{result.cpu:.1f}",
        f"{result.timed_events / result.cpu:,.0f}" if result.cpu else NOTHING,
        NOTHING if result.clickhouse_cpu is None else f"{result.clickhouse_cpu:.1f}",
        f"{result.rss / 1e6:,.0f}",
        NOTHING if result.clickhouse_rss is None else f"{result.clickhouse_rss / 1e6:,.0f}",
        result.note,
    )


def _ratio(result: Result, base: Result | str | None) -> str:
    if not isinstance(base, Result) or not base.events_rate:
        return NOTHING
    return f"{result.events_rate / base.events_rate:.2f}"


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *middle, last = [
        cell.ljust(width) if column in (0, len(cells) - 1) else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return f"| {' | '.join([first, *middle, last])} |"
