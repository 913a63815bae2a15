"""A table that sorts, filters and is exported; how it is sorted and filtered is part of the page's address."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from nicegui import ui
from nicegui.events import ValueChangeEventArguments

from rectrace.console import export

ROWS: Final = 25  # a page
_NUMBER: Final = 'v => v == null ? "-" : v.toLocaleString("en", {maximumFractionDigits: DIGITS})'
# Text and address both come from the row and are escaped by Vue; only the column's name, ours, is in the template.
_LINK: Final = """<q-td :props="props">
<a v-if="props.row.NAME_href" :href="props.row.NAME_href" class="id">{{ props.value }}</a>
<span v-else>{{ props.value }}</span></q-td>"""
_STATE: Final = """<q-td :props="props">
<span :class="GOOD.includes(props.value) ? '' : ({better: 'text-green-700', differs: 'font-medium',
'few requests': 'text-grey'})[props.value] ?? 'text-red-600 font-medium'">{{ props.value }}</span></q-td>"""
_RARE: Final = """<q-td :props="props">
<span :class="props.value === 'RARE' ? 'text-amber-700 font-medium' : ''">{{ props.value }}</span></q-td>"""


@dataclass(frozen=True)
class Column:
    """One column. name: the key of its values in a row, an identifier of our own. A row's `<name>_href`, where there is
    one, is where the cell leads."""

    name: str
    label: str
    digits: int | None = None  # of numbers, which are aligned right
    linked: bool = False
    state: bool = False  # anything but what is good is marked
    good: tuple[str, ...] = ("ok", "")  # words of our own
    rare: str = ""  # this value is marked
    wide: int = 0  # of a text that is folded: its least width, rem

    def for_table(self) -> dict[str, Any]:
        """As the table of the browser wants it."""
        shown: dict[str, Any] = {"name": self.name, "label": self.label, "field": self.name, "sortable": True}
        if self.digits is None:
            folded = {"style": f"white-space: normal; min-width: {self.wide}rem"} if self.wide else {}
            return shown | {"align": "left"} | folded
        return shown | {"align": "right", ":format": _NUMBER.replace("DIGITS", str(self.digits))}


@dataclass(frozen=True)
class View:
    """How a table is looked at: the column it is sorted by (`-name`: descending) and the text it is filtered by."""

    sort: str = ""
    find: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "View":
        """From the page's address."""
        return cls(query.get("sort", ""), query.get("find", ""))


def table(
    name: str,
    columns: Sequence[Column],
    rows: Sequence[Mapping[str, Any]],
    view: View,
    address: Callable[[View], str],
) -> None:
    """Show it. name: of the files it is exported to; address: of the page with another view."""
    held = _Held(view)
    told = {column.name for column in columns}
    sorted_by = view.sort.lstrip("-") if view.sort.lstrip("-") in told else None
    numbered = [{**row, "_row": number} for number, row in enumerate(rows)]
    with ui.row().classes("w-full items-center gap-2"):
        find = ui.input(placeholder="Filter these rows", value=view.find).props("dense clearable").mark(f"find-{name}")
        ui.space()
        for kind, made in (("CSV", export.as_csv), ("JSON", export.as_json)):
            ui.button(
                kind, icon="download",
                on_click=lambda kind=kind, made=made: ui.download.content(
                    made([column.name for column in columns], matching(columns, rows, held.view.find)),
                    f"{name}.{kind.lower()}",
                ),
            ).props("flat dense no-caps").mark(f"{kind.lower()}-{name}")  # fmt: skip
    made_table = ui.table(
        rows=numbered,
        columns=[column.for_table() for column in columns],
        row_key="_row",
        pagination={"rowsPerPage": ROWS, "sortBy": sorted_by, "descending": view.sort.startswith("-")},
    )
    made_table.classes("w-full").props('flat bordered dense binary-state-sort :rows-per-page-options="[25, 100, 0]"')
    made_table.mark(f"table-{name}")
    _mark(made_table, columns)
    made_table.filter = view.find

    def filtered(event: ValueChangeEventArguments[str | None]) -> None:
        made_table.filter = event.value or ""
        held.change(View(held.view.sort, event.value or ""), address)

    def sorted_(event: ValueChangeEventArguments[dict[str, Any]]) -> None:
        by = event.value.get("sortBy")
        sort = f"{'-' if event.value.get('descending') else ''}{by}" if by else ""
        held.change(View(sort, held.view.find), address)

    find.on_value_change(filtered)
    made_table.on_pagination_change(sorted_)


def small(name: str, columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> ui.table:
    """A table of a few rows: it sorts, and needs neither a filter nor files."""
    numbered = [{**row, "_row": number} for number, row in enumerate(rows)]
    made = ui.table(rows=numbered, columns=[column.for_table() for column in columns], row_key="_row")
    made.classes("w-fit max-w-full").props("flat bordered dense binary-state-sort").mark(f"table-{name}")
    _mark(made, columns)
    return made


def refill(made: ui.table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Other rows for a table that is shown already."""
    numbered = [{**row, "_row": number} for number, row in enumerate(rows)]
    if numbered != made.rows:
        made.update_rows(numbered)


def _mark(made: ui.table, columns: Sequence[Column]) -> None:
    for column in columns:
        if column.linked:
            made.add_slot(f"body-cell-{column.name}", _LINK.replace("NAME", column.name))
        elif column.rare:
            made.add_slot(f"body-cell-{column.name}", _RARE.replace("RARE", column.rare))
        elif column.state:
            made.add_slot(f"body-cell-{column.name}", _STATE.replace("GOOD", _words(column.good)))


def _words(words: Sequence[str]) -> str:
    return "[" + ", ".join(f"'{word}'" for word in words) + "]"


def matching(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]], find: str) -> list[Mapping[str, Any]]:
    """The rows of which a cell holds the text, in small or capital letters: as the table filters them."""
    wanted = find.lower()
    return [row for row in rows if any(wanted in str(row.get(column.name, "")).lower() for column in columns)]


class _Held:
    """The view that the browser has now."""

    def __init__(self, view: View) -> None:
        self.view = view

    def change(self, view: View, address: Callable[[View], str]) -> None:
        if view != self.view:
            self.view = view
            ui.run_javascript(f"history.replaceState(history.state, '', {json.dumps(address(view))})")
