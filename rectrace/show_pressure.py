"""What rules do to what is served, as people see it."""

from collections.abc import Sequence
from typing import Any, Final

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from rectrace.terminal import BAD, DIM, WIDE, Visible, console, number, share, table

__all__ = ["console", "pressure"]

AGAINST: Final = 2  # rules that are named
_DONE: Final = ("boosted", "buried", "pinned", "injected", "excluded")
_LEGEND: Final = (
    "rule pressure: 1 - RBO of the served list and the model's order, 0 where they are the same, 1 where they have "
    "nothing in common; what an ordering stage moves counts, too\n"
    "score regret: what the served list lacks of the model's own scores, by place\n"
    "under K: requests that filters and exclusions left with fewer candidates than slots\n"
    "rules p95: in 95 % of the requests so many rules matched, or fewer"
)


def pressure(placements: Sequence[dict[str, Any]], rules: Sequence[dict[str, Any]], width: int) -> RenderableType:
    """Placements, then rules, those with the most served slots first. Rows of Reader.pressure and .rule_pressure."""
    taken, slots, requests = (sum(row[name] for row in placements) for name in ("slots_by_rules", "slots", "requests"))
    head = Text(f"{taken:,} of {slots:,} served slots ({share(taken / slots if slots else None)}) hold what a rule ")
    head.append("boosted, pinned or injected")
    first, end = min(row["first"] for row in placements), max(row["end"] for row in placements)
    head.append(f"\n{requests:,} sealed requests from {first:%Y-%m-%d %H:%M:%S} to {end:%Y-%m-%d %H:%M:%S} UTC", DIM)
    told = _rules(rules, width) if rules else Text("no rule matched any of them")
    return Visible(head, "", _placements(placements, width), "", told, "", Text(_LEGEND, DIM))


def _placements(rows: Sequence[dict[str, Any]], width: int) -> Table:
    wide = width >= WIDE
    made = table(
        "#placement", ">requests", *([">judged"] if wide else []), ">rule pressure", ">score regret",
        ">slots by rules", ">under K", *([">under 2K"] if wide else []), ">with conflicts", ">rules p95",
    )  # fmt: skip
    for row in rows:
        made.add_row(
            row["placement"], number(row["requests"]), *([number(row["judged"])] if wide else []),
            number(row["rule_pressure"], 3), share(row["score_regret"]), share(row["slot_share"]),
            Text(share(row["over_constrained"]), BAD if row["over_constrained"] else ""),
            *([share(row["over_constrained_2k"])] if wide else []),
            share(row["conflicted"]), number(row["matched_p95"]),
        )  # fmt: skip
    return made


def _rules(rows: Sequence[dict[str, Any]], width: int) -> Table:
    wide = width >= WIDE
    made = table(
        "rule", ">requests", "candidates", *([">slots"] if wide else []), ">slot share", ">conflicts", ">lost",
        *(["against"] if wide else []),
    )  # fmt: skip
    for row in rows:
        done = ", ".join(f"{name} {row[name]:,}" for name in _DONE if row[name])
        most = sorted(row["against"].items(), key=lambda each: (-each[1], each[0]))[:AGAINST]
        made.add_row(
            row["rule"], number(row["requests"]), done, *([number(row["slots"])] if wide else []),
            share(row["slot_share"]), number(row["conflicts"]), number(row["lost"]),
            *([", ".join(f"{rule} {times:,}" for rule, times in most)] if wide else []),
        )  # fmt: skip
    return made
