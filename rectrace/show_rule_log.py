"""The rules in force as people see them."""

from collections.abc import Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from rectrace.terminal import BAD, DIM, WIDE, Visible, console, number, share, table

__all__ = ["console", "rules"]


def rules(rows: Sequence[dict[str, Any]], since: str, width: int) -> RenderableType:
    """One line a rule. rows: of Reader.rules; since: the span over which hits and served slots were counted."""
    wide = width >= WIDE
    made = table(
        "rule", "#severity", "#scope", "does", *(["owner", "published", "by"] if wide else []),
        f">hits in {since}", ">of", "last hit", *([">slots"] if wide else []),
    )  # fmt: skip
    for row in rows:
        off = bool(row["deleted"])
        at = row["at"]
        who = [row["owner"], f"{at:%Y-%m-%d %H:%M}", row["by"] + (f": {row['note']}" if row["note"] else "")]
        last = row["last_hit"]
        made.add_row(
            Text(row["id"], DIM if off else ""), row["severity"], row["scope"],
            "disabled" if off else row["action"] or "watches", *(who if wide else []),
            Text(number(row["hit"]), BAD if row["hit"] else ""), number(row["judged"]),
            f"{last:%m-%d %H:%M:%S}" if last else "never", *([share(row["slot_share"])] if wide else []),
        )  # fmt: skip
    return Visible(made)
