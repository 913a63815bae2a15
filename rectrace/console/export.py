"""Tables as files: CSV for spreadsheets, JSON for programs. Pure."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would run


def as_csv(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> bytes:
    """With a header. A text that a spreadsheet would take for a formula gets an apostrophe before it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([[_cell(row.get(column)) for column in columns] for row in rows])
    return out.getvalue().encode()


def as_json(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> bytes:
    """An array of objects."""
    told = [{column: row.get(column) for column in columns} for row in rows]
    return f"{json.dumps(told, indent=2, ensure_ascii=False, default=_plain)}\n".encode()


def _cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(_FORMULAS):
        return f"'{value}"
    return _plain(value) if isinstance(value, datetime) else value


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
