"""What dashboards of Prometheus are made of: parts.py's panels on the expressions of queries/pipeline.py."""

import re
import warnings
from collections.abc import Mapping
from typing import Final

from dashboards.grafana import parts
from dashboards.grafana.parts import Field, Limit, Reads
from dashboards.prometheus.alerts import ALERTS
from dashboards.prometheus.render import INTERVAL
from dashboards.queries.pipeline import EXPRESSIONS

with warnings.catch_warnings():  # as in parts.py
    warnings.simplefilter("ignore", DeprecationWarning)
    from grafana_foundation_sdk.builders import common as common_builders
    from grafana_foundation_sdk.builders import dashboard as builders
    from grafana_foundation_sdk.builders import stat, table
    from grafana_foundation_sdk.models import common, dashboard, prometheus

PLUGIN: Final = "prometheus"
SOURCE: Final = common.DataSourceRef(PLUGIN, f"${{{PLUGIN}}}")
_ALERTS: Final = {alert.name: alert for alert in ALERTS}


class Measure(parts.Target):
    """An expression of queries/pipeline.py, by name. legend: what its lines are called, `{{label}}` filled in. instant:
    only as of the end of the time shown; rows: as a table of that."""

    def __init__(self, name: str, legend: str = "", *, instant: bool = False, rows: bool = False) -> None:
        self._query = prometheus.Dataquery(
            datasource=SOURCE,
            editor_mode=prometheus.QueryEditorMode.CODE,
            expr=EXPRESSIONS[name],
            format_val=prometheus.PromQueryFormat.TABLE if rows else prometheus.PromQueryFormat.TIME_SERIES,
            instant=instant,
            legend_format=legend or None,
            range_val=not instant,
            ref_id=name,
        )

    def build(self) -> prometheus.Dataquery:
        return self._query


def limit(alert: str, threshold: float, shown: str) -> Limit:
    """A threshold of thresholds.py, which the alert compares with. Raises ValueError if it does not."""
    found = _ALERTS[alert]
    compares = re.search(rf"([<>]) {threshold}(?![\d.])", found.expr)
    if not compares:
        raise ValueError(f"{alert} does not compare with {threshold}")
    more = compares[1] == ">"
    verb = "allows" if more else "wants at least"
    return Limit(alert, threshold, more, f"The alert {alert} ({found.severity}) {verb} {shown}.")


def lines(
    title: str,
    description: str,
    lines_: Mapping[str, str],
    unit: str,
    *,
    bound: Limit | None = None,
    width: int = 8,
    most: float | None = None,
) -> parts.Series:
    """A time series of expressions by name, each with its legend."""
    first, *others = (Measure(name, legend) for name, legend in lines_.items())
    panel = parts.lines(title, description, first, unit, bound=bound, width=width, most=most)
    for query in others:
        panel.with_target(query)
    return panel.datasource(SOURCE).interval(INTERVAL)


def values(title: str, description: str, fields: Mapping[str, tuple[str, Field]]) -> stat.Panel:
    """A row of numbers as of now: the expression of each and how it is shown, by what it is called."""
    first, *others = (Measure(name, called, instant=True) for called, (name, _) in fields.items())
    panel = parts.values(title, description, first, {called: field for called, (_, field) in fields.items()})
    for query in others:
        panel.with_target(query)
    return panel.datasource(SOURCE)


def rows(title: str, description: str, name: str, fields: Mapping[str, tuple[str, Field]]) -> table.Panel:
    """A table of what an expression gives now: the label of each column (`Value`: the value) and how it is shown. Its
    rows are in the order of the first one."""
    labels = [label for label, _ in fields.values()]
    shaped = {
        "excludeByName": {"Time": True},
        "indexByName": {label: place for place, label in enumerate(labels)},
        "renameByName": {label: column for column, (label, _) in fields.items()},
    }
    query = Measure(name, instant=True, rows=True)
    panel = parts.rows(title, description, query, {column: field for column, (_, field) in fields.items()}, height=7)
    panel.datasource(SOURCE).sort_by([common_builders.TableSortByFieldState().display_name(next(iter(fields)))])
    return panel.with_transformation(dashboard.DataTransformerConfig("organize", options=shaped))


def label(name: str, title: str, description: str, query: str) -> builders.QueryVariable:
    """Any number of the values of a label; at first all, those too that are gone."""
    everything = dashboard.VariableOption(True, ["All"], ["$__all"])
    return (
        builders.QueryVariable(name)
        .label(title)
        .description(description)
        .datasource(SOURCE)
        .query({"qryType": 1, "query": EXPRESSIONS[query], "refId": query})
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.NUMERICAL_ASC)
        .allow_custom_value(True)  # an alert may name what the time shown does not have any more
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(everything)
    )


def reads() -> Reads:
    """The Prometheus that is provisioned, unless another one is chosen. It marks alerts about rectrace, and starts."""
    source = (
        builders.DatasourceVariable(PLUGIN)
        .label("Prometheus")
        .description("The data source that scrapes the workers and evaluates rectrace's rules.")
        .type(PLUGIN)
        .current(dashboard.VariableOption(True, "rectrace-prometheus", "rectrace-prometheus"))
    )
    alerts = _annotation("Alerts about rectrace", "red", "annotation_alerts")
    starts = _annotation("Workers start", "blue", "annotation_starts").use_value_for_time(True)
    return Reads(
        source,
        [
            alerts.tag_keys("severity")
            .title_format("{{alertname}}")
            .text_format("{{instance}} {{topic}} {{partition}} {{state}} {{target}}"),
            starts.title_format("A worker starts").text_format("{{instance}}"),
        ],
    )


def _annotation(name: str, colour: str, query: str) -> builders.AnnotationQuery:
    made = builders.AnnotationQuery().name(name).datasource(SOURCE).enable(True).icon_color(colour)
    return made.target(Measure(query))
