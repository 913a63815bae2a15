"""Pictures of dashboards: what is drawn of answers, and that README's are there."""

import json
import math
import re
import struct
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from dashboards.grafana import COMMITTED
from dashboards.pictures import DRAWN, FOLDER, frames, picture

ROOT: Final = Path(__file__).parents[2]
README: Final = (ROOT / "README.md").read_text("utf-8")
MOST_BYTES: Final = 250_000
NOON: Final = datetime(2026, 6, 1, 12, tzinfo=UTC)
MS: Final = int(NOON.timestamp()) * 1000


@pytest.mark.parametrize("uid", DRAWN)
def test_the_readme_shows_a_picture_of_it(uid: str) -> None:
    file = picture(uid)
    assert f"]({file.relative_to(ROOT)})" in README
    content = file.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", content[16:24])
    assert (width, height > 600, len(content) < MOST_BYTES) == (1400, True, True)


def test_the_readme_shows_the_pictures_that_are_there() -> None:
    """Those of dashboards, and three of the console."""
    shown = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README)
    there = {str(file.relative_to(ROOT)) for file in FOLDER.glob("*.png")}
    assert sorted(shown) == sorted(there)
    assert len(there) == len(DRAWN) + 3


@pytest.mark.parametrize("uid", DRAWN)
def test_every_type_of_panel_can_be_drawn(uid: str) -> None:
    panels = json.loads((COMMITTED / f"{uid}.json").read_text("utf-8"))["panels"]
    (listed,) = re.findall(r"export const PANELS = \{(.+)\};", (FOLDER / "page/panels.jsx").read_text("utf-8"))
    (defaults,) = re.findall(r"const DEFAULTS = \{\n(.+?)\n\};", (FOLDER / "page/fields.js").read_text("utf-8"), re.S)
    types = {panel["type"] for panel in panels}
    assert types <= set(re.findall(r"(\w+):", listed))
    assert types <= set(re.findall(r"^  (\w+): \{", defaults, re.M))


def test_the_lock_file_names_no_registry() -> None:
    locked = json.loads((FOLDER / "package-lock.json").read_text("utf-8"))["packages"]
    assert [name for name, package in locked.items() if "resolved" in package] == []
    assert all(package["integrity"] for name, package in locked.items() if name)


def test_a_table_has_a_field_a_column() -> None:
    columns = {"at": "DateTime64(3, 'UTC')", "kind": "LowCardinality(Nullable(String))", "share": "Nullable(Float64)"}
    rows: list[list[Any]] = [[NOON, "a", 0.5], [NOON.replace(tzinfo=None), None, math.nan]]
    assert frames.table(columns, rows)["fields"] == [
        {"name": "at", "type": "time", "values": [MS, MS]},
        {"name": "kind", "type": "string", "values": ["a", None]},
        {"name": "share", "type": "number", "values": [0.5, None]},
    ]


def test_a_series_has_a_field_a_line_and_gaps() -> None:
    later = NOON.replace(second=10)
    columns = {"time": "DateTime", "place": "String", "n": "UInt64"}
    rows = [[NOON, "b", 1], [later, "a", 2], [later, "b", 3]]
    assert frames.series(columns, rows)["fields"] == [
        {"name": "time", "type": "time", "values": [MS, MS + 10_000]},
        {"name": "n", "type": "number", "labels": {"place": "a"}, "values": [None, 2]},
        {"name": "n", "type": "number", "labels": {"place": "b"}, "values": [1, 3]},
    ]


def test_columns_of_numbers_are_lines_already() -> None:
    columns = {"time": "DateTime", "now": "Float64", "before": "Nullable(Float64)"}
    assert frames.series(columns, [[NOON, 1.5, None]])["fields"] == [
        {"name": "time", "type": "time", "values": [MS]},
        {"name": "now", "type": "number", "values": [1.5]},
        {"name": "before", "type": "number", "values": [None]},
    ]
