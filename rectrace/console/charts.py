"""Options of the charts, as ECharts takes them. Pure. Texts are drawn, never read as HTML."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from rectrace.console.alert_story import Point
from rectrace.console.flow import Flow

GREY: Final = "#808080"  # reads on white and on black
FAINT: Final = "rgba(128,128,128,0.25)"
COLOURS: Final = {"source": "#4a7fb5", "stage": "#7f8c8d", "lost": "#c0563f", "served": "#3f9b5f"}
SERIES: Final = ("#c0563f", "#d99a3c", "#8e6bb0", "#4a7fb5", "#b0708f", "#7a8f3c", "#5f9ea0", "#9b7653")
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


def _plain(label: str) -> str:
    """ECharts reads {b} and {style|text} in a label as its own."""
    return label.replace("{", "(").replace("}", ")")
