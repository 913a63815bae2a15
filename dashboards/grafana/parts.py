"""What all dashboards are made of: queries, variables, links, limits, four kinds of panels. Only this and measures.py
(the same for Prometheus) know the SDK.

A panel cannot be made without a title, a description and units, and a limit that it shows is the one of the alert.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

from dashboards import queries
from dashboards.grafana import TAG
from dashboards.prometheus.model import DASHBOARD as PIPELINE_UID
from sinks.clickhouse.reader import STATUSES
from streams.alerts.definitions import DEFINITIONS
from streams.alerts.model import Definition, Kind
from streams.alerts.text import number, percent

with warnings.catch_warnings():  # that there is a newer schema: Grafana 13 takes this one, and older ones take no other
    warnings.simplefilter("ignore", DeprecationWarning)
    from grafana_foundation_sdk.builders import common as common_builders
    from grafana_foundation_sdk.builders import dashboard as builders
    from grafana_foundation_sdk.builders import heatmap, stat, table, timeseries
    from grafana_foundation_sdk.cog.builder import Builder
    from grafana_foundation_sdk.cog.variants import Dataquery
    from grafana_foundation_sdk.models import common, dashboard
    from grafana_foundation_sdk.models import heatmap as heat_models

Board: TypeAlias = dashboard.Dashboard
Series: TypeAlias = timeseries.Panel
Target: TypeAlias = Builder[Dataquery]  # of any data source

PLUGIN: Final = "grafana-clickhouse-datasource"
SOURCE: Final = common.DataSourceRef(PLUGIN, "${clickhouse}")
ALL_REQUESTS: Final = "all requests"  # a segment: the total
OVERVIEW, FUNNEL, SEGMENTS, EXPERIMENTS, SCORES, ITEMS, REQUESTS, RULES = (
    f"{TAG}-{name}"
    for name in ("overview", "funnel", "segments", "experiments", "scores", "items", "requests", "rules")
)
PIPELINE: Final = PIPELINE_UID
_SHORTEST: Final = "10s"  # a window: less than that has nothing to show
_DEFINITIONS: Final = {definition.name: definition for definition in DEFINITIONS}
_TABLE, _SERIES = 1, 0  # formats of the data source
_WORST_FIRST: Final = ("red", "green")
_HOTTER: Final = "continuous-GrYlRd"
_NOTHING: Final = "-"
_SOFT_MAX: Final = 0.1  # of shares: where all are zero Grafana's own axis ends at 10,000 %
_NARROW: Final = 70  # pixels, of a column: Grafana's own least hides the last ones of many
_NAME_SIZE, _VALUE_SIZE = 13, 22  # Grafana's own make names that are long too small to read


class ClickHouseQuery(Dataquery):
    """A query of the ClickHouse data source, for which the SDK has no type. name: of the file, and shown in Grafana."""

    def __init__(self, name: str, sql: str, *, series: bool) -> None:
        self.name, self.sql, self.series = name, sql, series

    def to_json(self) -> dict[str, object]:
        return {
            "datasource": SOURCE,
            "editorType": "sql",
            "format": _SERIES if self.series else _TABLE,
            "pluginVersion": "4.0.0",  # the version of this shape: without one it is taken for an older one
            "queryType": "timeseries" if self.series else "table",
            "rawSql": self.sql,
            "refId": self.name,
        }


class Query(Builder[Dataquery]):
    """queries/NAME.sql, with what is to be filled in."""

    def __init__(self, name: str, *, series: bool = False, **fill: str) -> None:
        self._query = ClickHouseQuery(name, queries.text(name, **fill), series=series)

    def build(self) -> Dataquery:
        return self._query

    def to_json(self) -> dict[str, object]:
        return self._query.to_json()


@dataclass(frozen=True)
class Limit:
    """What an alert allows. more: more than that is bad, else less."""

    alert: str
    value: float
    more: bool
    says: str

    def steps(self) -> list[dashboard.Threshold]:
        """Colours from below."""
        high, low = _WORST_FIRST if self.more else _WORST_FIRST[::-1]
        return [dashboard.Threshold(None, low), dashboard.Threshold(self.value, high)]


def definition(alert: str) -> Definition:
    """The definition of an alert, by name."""
    return _DEFINITIONS[alert]


def limit(alert: str) -> Limit:
    """The threshold of an alert that compares with a fixed value."""
    found = _DEFINITIONS[alert]
    if found.kind not in {Kind.SHARE, Kind.ABOVE}:
        raise ValueError(f"the threshold of {alert} is no value of its own, but {found.kind.value}")
    shown = percent(found.threshold) if found.kind is Kind.SHARE else number(found.threshold)
    return Limit(alert, found.threshold, True, f"The alert {alert} ({found.severity}) allows {shown}.")


def compared(alert: str) -> str:
    """What an alert says that compares with the time before: no line of its own."""
    found = _DEFINITIONS[alert]
    words = {Kind.RATIO_BELOW: "less than", Kind.RATIO_ABOVE: "more than"}
    return f"The alert {alert} ({found.severity}) fires at {words[found.kind]} {percent(found.threshold)} of before."


@dataclass(frozen=True)
class Link:
    """To another dashboard, with the time range. row: variables by the column of the row that they take their value of;
    keeps: variables that stay what they are; source: that of the data source, if both have one."""

    title: str
    uid: str
    row: Mapping[str, str]
    keeps: Sequence[str] = ()
    source: str = "clickhouse"

    def url(self) -> str:
        """As Grafana fills it in."""
        variables = [f"${{{name}:queryparam}}" for name in (self.source, *self.keeps) if name]
        variables += [f"var-{name}=${{__data.fields.{column}:percentencode}}" for name, column in self.row.items()]
        return f"/d/{self.uid}?" + "&".join(["${__url_time_range}", *variables])


@dataclass(frozen=True)
class Field:
    """A column of a table, or one of several values. hidden: for links or for other columns; wrapped: over lines.
    colours: of texts that it may hold. heat: a cell of a heat-map, from green to red at the limit, or at the most there
    is."""

    unit: str
    limit: Limit | None = None
    links: Sequence[Link] = ()
    hidden: bool = False
    width: int | None = None
    decimals: int | None = None
    colours: Sequence[tuple[str, str]] = ()
    heat: bool = False
    wrapped: bool = False

    def properties(self, name: str, *, cells: bool) -> list[dashboard.DynamicConfigValue]:
        """As overrides of one field."""
        found: dict[str, object] = {"unit": self.unit}
        if self.decimals is not None:
            found["decimals"] = self.decimals
        if self.heat:
            found |= {"custom.cellOptions": {"type": "color-background"}, "color": {"mode": _HOTTER}, "min": 0}
            found |= {"max": self.limit.value} if self.limit else {}
        elif self.limit is not None:
            found["thresholds"] = dashboard.ThresholdsConfig(dashboard.ThresholdsMode.ABSOLUTE, self.limit.steps())
            if cells:
                found["custom.cellOptions"] = {"type": "color-text"}
        if self.colours:
            shown = {text: {"color": colour, "index": at} for at, (text, colour) in enumerate(self.colours)}
            found |= {"mappings": [{"type": "value", "options": shown}], "custom.cellOptions": {"type": "color-text"}}
        if self.links:
            found["links"] = [{"title": link.title, "url": link.url()} for link in self.links]
        if self.hidden:
            found |= {"custom.hidden": True, "custom.hideFrom.viz": True}  # the latter since Grafana 12
        if self.wrapped:
            found["custom.wrapText"] = True
        if cells and self.unit == "string" and self.width is None:
            found["custom.filterable"] = True
        width = self.width or (_width(name) if cells and self.unit != "string" else None)
        if width is not None:
            found["custom.width"] = width
        return [dashboard.DynamicConfigValue(id_, value) for id_, value in found.items()]


def _width(name: str) -> int:
    """Of a column of numbers: that of its name. What is left is for texts."""
    return max(_NARROW, 24 + 8 * len(name))


SHARE: Final = Field("percentunit", decimals=1)
COUNT: Final = Field("short")
MEAN: Final = Field("short", decimals=1)
TEXT: Final = Field("string")
MS: Final = Field("ms", decimals=0)
TIME: Final = Field("dateTimeAsIso", width=165)


def shares(alert: str) -> Field:
    """A share with the limit of an alert."""
    return Field("percentunit", limit(alert), decimals=1)


def described(text: str, limits: Sequence[Limit | None]) -> str:
    """A description, with what the alerts allow whose limits are shown."""
    return " ".join([text, *(each.says for each in limits if each is not None)])


def lines(
    title: str,
    description: str,
    query: Target,
    unit: str,
    *,
    legend: str = "",
    bound: Limit | None = None,
    width: int = 8,
    height: int = 8,
    stacked: bool = False,
    most: float | None = None,
) -> Series:
    """A time series a value of the label that `legend` names; without one the query says it. All begin at zero."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(described(description, [bound]))
        .datasource(SOURCE)
        .with_target(query)
        .unit(unit)
        .min(0)
        .interval(_SHORTEST)
        .span(width)
        .height(height)
        .line_width(1)
        .fill_opacity(60 if stacked else 0)
        .show_points(common.VisibilityMode.AUTO)
        .span_nulls(False)
        .tooltip(common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING))
        .legend(
            common_builders.VizLegendOptions()
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
            .show_legend(True)
            .calcs([])
        )
    )  # fmt: skip
    if legend:
        panel.display_name(legend)
    if stacked:
        panel.stacking(common_builders.StackingConfig().mode(common.StackingMode.NORMAL))
    if most is not None:
        panel.max(most)
    if bound is not None:
        panel.thresholds(builders.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(bound.steps()))
        panel.thresholds_style(
            common_builders.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED)
        )
        panel.axis_soft_max(bound.value * 1.5)  # the line is in sight, also where all is well
    elif unit == "percentunit":
        panel.axis_soft_max(_SOFT_MAX)
    return panel


def heat(
    title: str,
    description: str,
    query: Query,
    unit: str,
    *,
    legend: str,
    links: Sequence[Link] = (),
    most: float | None = None,
    width: int = 24,
    height: int = 10,
) -> heatmap.Panel:
    """A heat-map over time, a row a value of the label that `legend` names; the hottest is `most` or more, else the
    most there is. links: of a row; they take labels where those of tables take columns."""
    colours = (
        heatmap.HeatmapColorOptions()
        .mode(heat_models.HeatmapColorMode.SCHEME)
        .scheme("Oranges")
        .fill("dark-orange")
        .scale(heat_models.HeatmapColorScale.LINEAR)
        .exponent(1)
        .steps(64)
        .min(0)
    )
    urls = [link.url().replace("__data.fields", "__field.labels") for link in links]
    leads = [{"title": link.title, "url": url} for link, url in zip(links, urls, strict=True)]
    return (
        heatmap.Panel()
        .title(title)
        .description(description)
        .datasource(SOURCE)
        .with_target(query)
        .unit(unit)
        .display_name(legend)
        .interval(_SHORTEST)
        .span(width)
        .height(height)
        .max_data_points(60)  # cells of a minute where an hour is shown: of fewer requests little could be told
        .calculate(False)
        .cell_gap(1)
        .filter_values(heatmap.FilterValueRange().le(-1))  # cells of 0 are shown, too: else they would look like none
        .cell_values(heatmap.CellValues().unit(unit))
        .color(colours if most is None else colours.max(most))
        .tooltip(heatmap.HeatmapTooltip().mode(common.TooltipDisplayMode.SINGLE).show_color_scale(True))
        .show_legend()
        .override_by_field_type("number", [dashboard.DynamicConfigValue("links", leads)])
    )


Framed = TypeVar("Framed", stat.Panel, table.Panel)


def _framed(
    panel: Framed, title: str, description: str, query: Target, fields: Mapping[str, Field], width: int, height: int
) -> Framed:
    """What panels of fields have in common; unit is that of fields which say none."""
    return (
        panel.title(title)
        .description(described(description, [field.limit for field in fields.values()]))
        .datasource(SOURCE)
        .with_target(query)
        .unit("short")
        .no_value(_NOTHING)
        .span(width)
        .height(height)
    )


def values(
    title: str, description: str, query: Target, fields: Mapping[str, Field], *, width: int = 24, height: int = 4
) -> stat.Panel:
    """A row of numbers, one a column of the one row that the query gives; other columns than `fields` are not shown."""
    shown = "|".join(fields)
    panel = (
        _framed(stat.Panel(), title, description, query, fields, width, height)
        .thresholds(
            builders.ThresholdsConfig()
            .mode(dashboard.ThresholdsMode.ABSOLUTE)
            .steps([dashboard.Threshold(None, "text")])
        )
        .graph_mode(common.BigValueGraphMode.NONE)
        .color_mode(common.BigValueColorMode.VALUE)
        .text_mode(common.BigValueTextMode.VALUE_AND_NAME)
        .text(common_builders.VizTextDisplayOptions().title_size(_NAME_SIZE).value_size(_VALUE_SIZE))
        .reduce_options(
            common_builders.ReduceDataOptions().calcs(["lastNotNull"]).fields(f"/^({shown})$/").values(False)
        )
    )
    for name, field in fields.items():
        panel.override_by_name(name, field.properties(name, cells=False))
    return panel


def rows(
    title: str,
    description: str,
    query: Target,
    fields: Mapping[str, Field],
    *,
    width: int = 24,
    height: int = 9,
    nothing: str = "",
) -> table.Panel:
    """A table. fields: all of its columns, in the order of the query; nothing: what it says without rows."""
    panel = (
        _framed(table.Panel(), title, description, query, fields, width, height)
        .min_width(_NARROW)
        .cell_height(common.TableCellHeight.SM)
        .show_header(True)
    )
    for name, field in fields.items():
        empty = [dashboard.DynamicConfigValue("noValue", _NOTHING)] if nothing else []
        panel.override_by_name(name, [*field.properties(name, cells=True), *empty])
    if nothing:
        panel.no_value(nothing)
    return panel


def _listed(name: str, label: str, description: str, query: str) -> builders.QueryVariable:
    return (
        builders.QueryVariable(name)
        .label(label)
        .description(description)
        .datasource(SOURCE)
        .query(Query(query).to_json())
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.DISABLED)
        .allow_custom_value(True)  # an alert may name what the time shown does not have any more
    )


def any_of(name: str, label: str, description: str) -> builders.QueryVariable:
    """Of queries/variables_NAME.sql any number; at first all."""
    everything = dashboard.VariableOption(True, ["All"], ["$__all"])
    return _listed(name, label, description, f"variables_{name}").multi(True).include_all(True).current(everything)


def source() -> builders.DatasourceVariable:
    """Which data source; at first the one that is provisioned."""
    provisioned = dashboard.VariableOption(True, "rectrace-clickhouse", "rectrace-clickhouse")
    return (
        builders.DatasourceVariable("clickhouse")
        .label("ClickHouse")
        .description("The data source of which rectrace's database is the default one.")
        .type(PLUGIN)
        .current(provisioned)
    )


def placement() -> builders.QueryVariable:
    return any_of("placement", "Placement", "Where recommendations are shown; without one all of them.")


def segment() -> builders.QueryVariable:
    total = dashboard.VariableOption(True, ALL_REQUESTS, ALL_REQUESTS)
    found = _listed("segment", "Segment", "Requests of one country, device, experiment arm.", "variables_segment")
    return found.multi(False).include_all(False).current(total)


def status() -> builders.CustomVariable:
    everything = dashboard.VariableOption(True, ["All"], ["$__all"])
    return (
        builders.CustomVariable("status")
        .label("Status")
        .description("What is wrong with a request; without one all of them.")
        .values(",".join(STATUSES))
        .multi(True)
        .include_all(True)
        .current(everything)
    )


def one_of(name: str, label: str, description: str, listed: Sequence[str]) -> builders.CustomVariable:
    """One of what is listed; at first the first."""
    first = dashboard.VariableOption(True, listed[0], listed[0])
    made = builders.CustomVariable(name).label(label).description(description).values(",".join(listed))
    return made.multi(False).include_all(False).current(first)


def written(name: str, label: str, description: str) -> builders.TextBoxVariable:
    """What people write or paste; at first nothing."""
    nothing = dashboard.VariableOption(True, "", "")
    return builders.TextBoxVariable(name).label(label).description(description).default_value("").current(nothing)


def _annotation(name: str, colour: str, query: str) -> builders.AnnotationQuery:
    return builders.AnnotationQuery().name(name).datasource(SOURCE).enable(True).icon_color(colour).target(Query(query))


@dataclass(frozen=True)
class Reads:
    """A data source: the variable that chooses it, and what it marks in time."""

    source: builders.DatasourceVariable
    marks: Sequence[builders.AnnotationQuery]


def _clickhouse() -> Reads:
    marks = (("Alerts", "red"), ("Deploys", "blue"), ("Experiments", "purple"))
    return Reads(source(), [_annotation(name, colour, f"annotations_{name.lower()}") for name, colour in marks])


def board(
    uid: str,
    title: str,
    description: str,
    variables: Sequence[Builder[dashboard.VariableModel]],
    panels: Sequence[Builder[dashboard.Panel] | str],
    read: Reads | None = None,
) -> Board:
    """A dashboard of the panels from left to right and down; their ids count from 1. A string is a heading over those
    that follow. The first variable is that of the data source. read: ClickHouse, if not told otherwise."""
    read = read or _clickhouse()
    made = (
        builders.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([TAG])
        .readonly()
        .timezone("utc")
        .time("now-1h", "now")
        .refresh("30s")
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .variables([read.source, *variables])
        .link(
            builders.DashboardLink("rectrace")
            .type(dashboard.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .include_vars(True)
            .keep_time(True)
        )
    )
    for mark in read.marks:
        made.annotation(mark)
    for panel in panels:
        if isinstance(panel, str):
            made.with_row(builders.Row(panel))
        else:
            made.with_panel(panel)
    built = made.build()
    for number_, each in enumerate(built.panels or [], 1):
        each.id_val = number_
    return built
