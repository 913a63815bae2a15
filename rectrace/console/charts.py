"""Options of the charts, as ECharts takes them. Pure. Texts are drawn, never read as HTML."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from rectrace.console.alert_story import Point
from rectrace.console.flow import Flow

GREY: Final = "#808080"  # reads on white and on black
FAINT: Final = "rgba(128,128,128,0.25)"
COLOURS: Final = {"source": "#4a7fb5", "stage": "#7f8c8d", "lost": "#c0563f", "served": "#3f9b5f"}
SERIES: Final = ("#c0563f", "#d99a3c", "#8e6bb0", "#4a7fb5", "#b0708f", "#7a8f3c", "#5f9ea0", "#9b7653")
GOOD: Final = "#d8e8dc"
MIDDLE: Final = "#e9b949"
BAD: Final = "#b83a2b"
COOL: Final = ("#dfe8ef", "#2f6f8f")  # of what is neither good nor bad
ROW_PX: Final = 30  # of a heat-map
_AROUND_PX: Final = 80  # names of its columns
_TOOLTIP: Final = {"renderMode": "richText", "confine": True}


def sankey(flow: Flow) -> dict[str, Any]:
    """Sources left, the served and the lost right."""
    total = {node.name: 0 for node in flow.nodes}
    for link in flow.links:
        total[link.target] += link.count
    for node in flow.nodes:
        total[node.name] = total[node.name] or sum(link.count for link in flow.links if link.source == node.name)
    return {
        "animation": False,
        "tooltip": {**_TOOLTIP, "trigger": "item"},
        "series": [
            {
                "type": "sankey", "left": 10, "right": 190, "top": 10, "bottom": 10, "nodeGap": 14, "nodeWidth": 14,
                "draggable": False, "emphasis": {"focus": "adjacency"}, "layoutIterations": 32,
                "lineStyle": {"color": "source", "opacity": 0.3},
                "label": {"color": GREY, "fontSize": 12},
                "data": [
                    {
                        "name": node.name, "itemStyle": {"color": COLOURS[node.kind]},
                        "label": {"formatter": f"{_plain(node.label)}  {total[node.name]:,}"},
                    }
                    for node in flow.nodes
                ],
                "links": [{"source": link.source, "target": link.target, "value": link.count} for link in flow.links],
            }
        ],
    }  # fmt: skip


def over_time(
    times: Sequence[datetime], series: Mapping[str, Sequence[int]], served: str, mark: datetime
) -> dict[str, Any]:
    """Stacked bars. series: counts by name, as many as times; served: the name of the good one; mark: where the time
    that is asked for begins."""
    lost = iter(SERIES * (len(series) // len(SERIES) + 1))
    begins = next((number for number, at in enumerate(times) if at >= mark), 0)
    bars: list[dict[str, Any]] = [
        {
            "type": "bar", "stack": "all", "name": name, "data": list(counts), "barCategoryGap": "15%",
            "itemStyle": {"color": COLOURS["served"] if name == served else next(lost)},
        }
        for name, counts in series.items()
    ]  # fmt: skip
    if bars and begins:
        bars[0]["markArea"] = {
            "silent": True, "itemStyle": {"color": FAINT},
            "label": {"color": GREY, "position": "insideTop"},
            "data": [[{"xAxis": 0, "name": "before"}, {"xAxis": begins - 1}]],
        }  # fmt: skip
    return {
        "animation": False,
        "tooltip": {**_TOOLTIP, "trigger": "axis", "axisPointer": {"type": "shadow"}},
        "legend": {"type": "scroll", "top": 0, "textStyle": {"color": GREY}},
        "grid": {"left": 50, "right": 15, "top": 40, "bottom": 30},
        "xAxis": {
            "type": "category", "data": [f"{at:%m-%d %H:%M:%S}" for at in times], "axisLabel": {"color": GREY},
        },
        "yAxis": {
            "type": "value", "minInterval": 1, "axisLabel": {"color": GREY},
            "splitLine": {"lineStyle": {"color": FAINT}},
        },
        "series": bars,
    }  # fmt: skip


def funnel(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Candidates that each component lets through, beside those of an earlier time. rows: as live_story.funnel has
    them, the first on top."""
    told = list(reversed(rows))
    return {
        "animation": False,
        "tooltip": {**_TOOLTIP, "trigger": "axis", "axisPointer": {"type": "shadow"}},
        "legend": {"top": 0, "textStyle": {"color": GREY}},
        "grid": {"left": 10, "right": 20, "top": 30, "bottom": 10, "containLabel": True},
        "yAxis": {"type": "category", "data": [row["component"] for row in told], "axisLabel": {"color": GREY}},
        "xAxis": {"type": "value", "axisLabel": {"color": GREY}, "splitLine": {"lineStyle": {"color": FAINT}}},
        "series": [
            {
                "type": "bar", "name": name, "itemStyle": {"color": colour}, "barGap": "0%",
                "data": [None if row[key] is None else round(row[key], 1) for row in told],
            }
            for name, key, colour in (("before", "passed_before", FAINT), ("now", "passed", COLOURS["source"]))
        ],
    }  # fmt: skip


def evidence(points: Sequence[Point], unit: str) -> dict[str, Any]:
    """Windows of an alert: what was measured in the bad ones, against what is allowed and what was before. Windows that
    were good are there, and empty. unit: of all values."""
    series: list[dict[str, Any]] = [
        {
            "type": "bar", "name": "measured", "data": [each.value for each in points], "barCategoryGap": "15%",
            "barMaxWidth": 40,
            "itemStyle": {"color": COLOURS["lost"]},
        }
    ]  # fmt: skip
    lines = {"allowed": [each.bound for each in points], "before": [each.baseline for each in points]}
    for (name, values), colour in zip(lines.items(), (SERIES[1], GREY), strict=True):
        if any(value is not None for value in values):
            look = {"showSymbol": False, "connectNulls": True, "step": "end", "lineStyle": {"type": "dashed"}}
            series.append({"type": "line", "name": name, "data": values, "color": colour, **look})
    return {
        "animation": False,
        "tooltip": {**_TOOLTIP, "trigger": "axis", "axisPointer": {"type": "shadow"}},
        "legend": {"top": 0, "textStyle": {"color": GREY}},
        "grid": {"left": 60, "right": 15, "top": 40, "bottom": 30},
        "xAxis": {
            "type": "category", "data": [f"{each.at:%H:%M:%S}" for each in points], "axisLabel": {"color": GREY},
        },
        "yAxis": {
            "type": "value", "axisLabel": {"color": GREY, "formatter": f"{{value}}{unit}"},
            "splitLine": {"lineStyle": {"color": FAINT}},
        },
        "series": series,
    }  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """One cell, by the numbers of its column and row. faded: too little behind it for a colour."""

    column: int
    row: int
    value: float
    shown: str
    told: str  # all there is to say, some lines
    faded: bool


def heatmap(
    columns: Sequence[str], rows: Sequence[str], cells: Sequence[Cell], *, more_is_worse: bool | None
) -> dict[str, Any]:
    """Rows from above. Cells that are not there are empty."""
    values = [cell.value for cell in cells if not cell.faded] or [0.0]
    low, high = min(values), max(values)
    colours = [*COOL] if more_is_worse is None else [GOOD, MIDDLE, BAD][:: 1 if more_is_worse else -1]
    return {
        "animation": False,
        "tooltip": {**_TOOLTIP, "trigger": "item"},
        "grid": {"left": 8, "right": 12, "top": 8, "bottom": 8, "containLabel": True},
        "xAxis": {
            "type": "category", "data": list(columns), "position": "top", "splitArea": {"show": False},
            "axisLabel": {"color": GREY, "interval": 0, "rotate": 35 if len(columns) > 5 else 0, "width": 96,
                          "overflow": "truncate"},
            "axisTick": {"show": False}, "axisLine": {"lineStyle": {"color": FAINT}},
        },
        "yAxis": {
            "type": "category", "data": list(rows), "inverse": True,
            "axisLabel": {"color": GREY, "interval": 0, "width": 110, "overflow": "truncate"},
            "axisTick": {"show": False}, "axisLine": {"lineStyle": {"color": FAINT}},
        },
        "visualMap": {
            "type": "continuous", "min": low, "max": high if high > low else low + 1e-9, "show": False,
            "dimension": 2, "inRange": {"color": colours},
        },
        "series": [
            {
                "type": "heatmap", "cursor": "pointer",
                "itemStyle": {"borderColor": "rgba(128,128,128,0.4)", "borderWidth": 1},
                "emphasis": {"itemStyle": {"borderColor": GREY, "borderWidth": 2}},
                "data": [_datum(cell, low, high, more_is_worse) for cell in cells],
            }
        ],
    }  # fmt: skip


def height_px(rows: int) -> int:
    """Of a heat-map with so many rows."""
    return ROW_PX * rows + _AROUND_PX


def _datum(cell: Cell, low: float, high: float, more_is_worse: bool | None) -> dict[str, Any]:
    place = (cell.value - low) / (high - low) if high > low else 0.0
    dark = (1 - place if more_is_worse is False else place) > 0.7
    made: dict[str, Any] = {
        "value": [cell.column, cell.row, cell.value],
        "label": {
            "show": True, "formatter": _plain(cell.shown), "fontSize": 12,
            "color": GREY if cell.faded else "#ffffff" if dark else "#222222",
        },
        "tooltip": {"formatter": _plain(cell.told)},
    }  # fmt: skip
    if cell.faded:
        made |= {"visualMap": False, "itemStyle": {"color": FAINT}}
    return made


def _plain(label: str) -> str:
    """ECharts reads {b} and {style|text} in a label as its own."""
    return label.replace("{", "(").replace("}", ")")
