"""The terminal: a console that obeys no id, plain tables, times, numbers and shares as they are shown everywhere."""

from datetime import datetime
from typing import Final

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.segment import Segment
from rich.table import Table

GOOD, BAD, DIM = "green", "bold red", "dim"
WIDE: Final = 110  # columns; in less, what can be done without is left out
PIPE: Final = 140
_SIGNS: Final = {code: 0x2400 + code for code in range(32) if code != 0x0A} | dict.fromkeys(range(127, 160), 0x2421)


def console(*, stderr: bool = False) -> Console:
    """The terminal; wide enough for tables where the output is a file or a pipe."""
    made = Console(stderr=stderr, highlight=False, markup=False, emoji=False)  # an id may be [red] or :smile:
    if not made.is_terminal:
        made.width = max(made.width, PIPE)
    return made


class Visible:
    """Shows control characters of what it holds as signs: an id may hold some that a terminal would obey."""

    def __init__(self, *parts: RenderableType) -> None:
        self._held = Group(*parts)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self._held, options):
            yield segment if segment.control else Segment(segment.text.translate(_SIGNS), segment.style)


def table(*columns: str, title: str = "") -> Table:
    """A plain table. Names that start with `>` are aligned right, with `#` never folded, with `~` cut if need be."""
    made = Table(title=title or None, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        name = column.lstrip(">#~")
        made.add_column(
            name,
            justify="right" if ">" in column[:2] else "left",
            no_wrap=column[0] in "#~",
            overflow="ellipsis" if column[0] == "~" else "fold",
        )
    return made


def labels(*groups: dict[str, str]) -> str:
    """Segments and experiments as name=value."""
    return " ".join(f"{name}={value}" for group in groups for name, value in sorted(group.items()))


def moment(at: datetime) -> str:
    """UTC, to the millisecond."""
    return at.strftime("%Y-%m-%d %H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def number(value: float | None, digits: int = 0) -> str:
    """A number for a table cell; a dash where there is none."""
    return "-" if value is None else f"{value:,.{digits}f}"


def share(value: float | None) -> str:
    """A share for a table cell, in percent; a dash where there is none."""
    return "-" if value is None else f"{value:.1%}"
