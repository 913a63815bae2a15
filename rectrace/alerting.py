"""The alert engine from settings."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from clickhouse_connect.driver.client import Client

from rectrace import changed, database, different
from rectrace.changed_metrics import METRICS
from rectrace.changed_story import ChangedStory, headline
from rectrace.settings import Settings, SettingsError, read_yaml
from schemas.alerts import AlertState
from schemas.parts import WINDOW_S
from schemas.rules import Rule
from sinks.alertmanager import Alertmanager
from sinks.clickhouse.alerts import ClickHouseAlerts
from sinks.clickhouse.changes import Changes, Times
from sinks.clickhouse.different import Different
from sinks.clickhouse.reader import Reader
from sinks.clickhouse.slices import Within
from sinks.clickhouse.wrong_calls import WrongCalls
from streams.alerts.budgets import Budgets
from streams.alerts.components import Components
from streams.alerts.distribution_definitions import REASON_MIX_SHIFT, SCORE_DRIFT
from streams.alerts.distributions import NOW_S, Distributions
from streams.alerts.engine import AlertPolicy, Engine
from streams.alerts.experiments import Experiments
from streams.alerts.rules import ALERT as RULE_VIOLATED
from streams.alerts.rules import Rules
from streams.alerts.segments import Segments
from streams.alerts.signals import BuiltIn
from streams.alerts.slot_definitions import COMPONENT_WORSE
from streams.alerts.text import Links
from streams.alerts.thresholds import BadThresholds, Thresholds
from streams.alerts.weeks import Weeks
from streams.metrics import Metrics

# What tells of an alert, as `rectrace changed` does.
_METRICS: Final = {
    "EmptyResponses": "empty", "ShortResponses": "short", "FallbackResponses": "fallback", "NoResponse": "no_response",
    "StageFailing": "failed", "SourceEmpty": "yield", "IncompleteTraces": "incomplete", "ComponentSilent": "incomplete",
    "EventsMissing": "incomplete", "LatencyHigh": "latency", "LatencyShift": "latency", "StageLatencyShift": "latency",
    "TrafficCollapse": "requests", "ScoreDrift": "yield", "ReasonMixShift": "yield",
}  # fmt: skip
# And of a rule over whole requests, by a field that it reads; of a rule over what was served, how much that was.
_OF_RULES: Final = {
    "failed": "failed", "served_by": "fallback", "missing": "incomplete", "total_ms": "latency",
    "responded": "no_response", "n_out": "yield",
}  # fmt: skip
_LEAST: Final = timedelta(seconds=60)  # that are compared where less does not tell
_DISTRIBUTIONS: Final = {SCORE_DRIFT.name, REASON_MIX_SHIFT.name}  # began some time in the half hour that is judged


def explainer(settings: Settings, client: Client, store: ClickHouseAlerts) -> Callable[[AlertState, int], str]:
    """The first line of `rectrace changed` for an alert: since it began, against as long a time before; where so little
    traffic names no suspect, of the last minute, which began sound. Of distributions for the half hour judged. For a
    component that is worse in few of its calls, what is different about those requests."""

    def explain(state: AlertState, window: int) -> str:
        if state.alert == COMPONENT_WORSE.name:
            return of_calls(state, window)
        name = _METRICS.get(state.alert) or state.labels.get("metric", "")
        if state.alert == RULE_VIOLATED:
            rules = store.rules(window, window).values()
            name = next((metric_of(rule) for rule in rules if rule.id == state.labels["rule"]), "short")
        if name not in METRICS:
            return ""
        until, began = (datetime.fromtimestamp(at, UTC) for at in (window + WINDOW_S, state.began))
        judged = until - began
        lengths = [timedelta(seconds=NOW_S)] if state.alert in _DISTRIBUTIONS else [judged, max(judged, _LEAST)]
        stories = []
        for length in dict.fromkeys(lengths):
            stories.append(ask(name, until, length, state.labels.get("placement", "")))
            if stories[-1].suspect:
                return headline(stories[-1])
        return next((headline(story) for story in stories if story.changed or story.new_version), "")

    def of_calls(state: AlertState, window: int) -> str:
        reader = Reader(client, settings.database, database.journey(settings))
        until = datetime.fromtimestamp(window + WINDOW_S, UTC)
        length = until - datetime.fromtimestamp(state.began, UTC)
        labels = state.labels
        bad = WrongCalls(labels["metric"], labels["stage"], labels["component"])
        within = Within(labels["placement"])
        asked = Different(reader, settings.database, Times.ending(until, length, length), bad, within)
        counts = asked.counts()
        if min(counts) < different.FEW:
            return ""
        read = asked.values(*counts)
        told = different.differences(read.bad, read.rest, read.rows, read.places).beside(bad.component)
        return different.sentence(told, "these requests") if told.sure else ""

    @lru_cache(maxsize=64)  # one fault has many alerts, which ask the same of a window
    def ask(metric: str, until: datetime, length: timedelta, placement: str) -> ChangedStory:
        changes = Changes(client, settings.database, Times.ending(until, length, length), until, placement)
        return changed.ask(changes, METRICS[metric], database.order(settings, placement), examples=False)

    return explain


def metric_of(rule: Rule) -> str:
    """The metric of `rectrace changed` that tells why a rule is violated."""
    words = re.findall(r"\w+", rule.when) if rule.scope == "trace" else ()
    return next((_OF_RULES[word] for word in words if word in _OF_RULES), "short")


def engine(settings: Settings, client: Client, metrics: Metrics) -> Engine:
    """Raises SettingsError for a file of thresholds that cannot be used."""
    alerts = settings.alerts
    store = ClickHouseAlerts(client, settings.database)
    known = thresholds(settings)
    targets = [Alertmanager(url, alerts.timeout) for url in alerts.alertmanager]
    return Engine(
        store=store,
        sources=[
            BuiltIn(store, known),
            Rules(store),
            Distributions(store.distributions, known),
            Experiments(store.distributions, known, settings.experiments),
            Budgets(store.trends, known),
            Segments(store.trends, known),
            Components(store.trends, known),
            Weeks(store.trends, known),
        ],
        targets={target.name: target for target in targets},
        thresholds=known,
        metrics=metrics,
        policy=AlertPolicy(alerts.late, alerts.hold, alerts.resend),
        explain=explainer(settings, client, store),
        links=Links(alerts.console, alerts.grafana, alerts.runbooks),
    )


def thresholds(settings: Settings) -> Thresholds:
    """The defaults, with what the file of the settings says beside them."""
    file = settings.alerts.thresholds
    if not file:
        return Thresholds()
    try:
        return Thresholds(file, read_yaml(file, "alerts.thresholds"))
    except BadThresholds as error:
        raise SettingsError(str(error)) from None
