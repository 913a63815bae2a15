"""What people read: one sentence with the figures, what to do first, where to look. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from string import Formatter
from typing import Any, Final
from urllib.parse import quote, urlencode

from schemas.alerts import AlertState, Notification
from schemas.parts import WINDOW_S
from streams.alerts.measures import MEASURES
from streams.alerts.model import Kind, Signal

BEFORE_S: Final = 600  # links show so much of the time before
_STATUS: Final = {
    "EmptyResponses": "empty", "ShortResponses": "short", "FallbackResponses": "fallback", "NoResponse": "no_response",
    "LatencyHigh": "slow", "IncompleteTraces": "incomplete", "EventsMissing": "incomplete",
    "ComponentSilent": "incomplete", "StageFailing": "error",
}  # fmt: skip
# What is wrong with calls (zero_out, degenerate) is no status of a request.
_OF_METRIC: Final = {**{name: name for name in MEASURES}, "failed": "error"}
# Where to look in Grafana, where it is not the funnel of a component or the overview; and what each can be asked for.
_DASHBOARDS: Final = {
    "IngestLag": "rectrace-pipeline", "SegmentWorse": "rectrace-segments", "ScoreDrift": "rectrace-scores",
    "ScoresDegenerate": "rectrace-scores", "SampleRatioMismatch": "rectrace-experiments",
    "RuleViolated": "rectrace-rules", "RulePressure": "rectrace-rules",
}  # fmt: skip
_ARM: Final = "experiment."
_VARIABLES: Final = {
    "rectrace-overview": ("placement", "segment"), "rectrace-funnel": ("placement", "stage", "component"),
    "rectrace-segments": ("placement",), "rectrace-scores": ("placement", "scorer"),
    "rectrace-experiments": ("experiment",), "rectrace-rules": ("placement", "rule"), "rectrace-pipeline": (),
}  # fmt: skip


@dataclass(frozen=True)
class Links:
    """Where things are; an empty base URL makes no link."""

    console: str = ""
    grafana: str = ""
    runbooks: str = ""


class _Lenient(Formatter):
    """Leaves out what is not known: a template must never keep an alert from being sent."""

    def get_field(self, field_name: str, args: Any, kwargs: Any) -> Any:
        return kwargs.get(field_name, ""), field_name


def describe(signal: Signal, state: AlertState) -> dict[str, str]:
    """summary and description, from the definition's templates."""
    definition = signal.definition
    baseline = signal.baseline if state.frozen is None else state.frozen
    share = signal.bad / signal.total if signal.total else 0.0
    names = {
        "alert": definition.name,
        "bad": number(signal.bad),
        "total": number(signal.total),
        "share": percent(share),
        "value": number(signal.value),
        "baseline": number(baseline),
        "threshold": percent(definition.threshold) if definition.kind is Kind.SHARE else number(definition.threshold),
        "ratio": percent(signal.value / baseline) if signal.value is not None and baseline else "",
        **signal.labels,
        **signal.text,
    }
    told = {"summary": _fill(definition.summary, names), "description": _fill(definition.todo, names)}
    return {name: text for name, text in told.items() if text} | {
        name: text for name, text in signal.text.items() if name in {"runbook_url", "owner"}
    }


def notification(state: AlertState, links: Links, ends_at: int, why: str = "") -> Notification:
    """The alert as it is told to Alertmanager: labels that never change while it fires, and what people read."""
    labels = told_labels(state.alert, state.severity, state.labels)
    annotations = dict(state.annotations)
    if state.also:
        annotations["also"] = ", ".join(state.also)
    if state.changed:
        annotations["changed"] = state.changed
    if state.examples:
        annotations["examples"] = " ".join(state.examples)
    if why:
        annotations["resolved"] = why
    annotations |= {name: url for name, url in addresses(state, links).items() if url}
    link = annotations.get("alert_url", "")
    return Notification(state.fingerprint, labels, annotations, state.began, ends_at, link)


def told_labels(alert: str, severity: str, own: Mapping[str, str]) -> dict[str, str]:
    """The labels of an alert as it is told. own: those that tell it from others of its name."""
    return {"alertname": alert, "severity": severity, "service": "rectrace", **own}


def addresses(state: AlertState, links: Links) -> dict[str, str]:
    """Annotations that are links, around the time at which the alert began; empty where there is no base URL."""
    since, until = state.began - BEFORE_S, max(state.recent[-1][0], state.began) + WINDOW_S
    period = {"from": _rfc3339(since), "to": _rfc3339(until)}
    asked = {"placement": state.labels.get("placement", ""), "status": _status(state), **_whose(state.labels)}
    wanted = {name: value for name, value in asked.items() if value}
    uid = _dashboard(state)
    labels = {**state.labels, "scorer": state.labels.get("component", "")}
    variables = {f"var-{name}": labels[name] for name in _VARIABLES[uid] if labels.get(name)}
    shown = f"{uid}?{urlencode({**variables, 'from': since * 1000, 'to': until * 1000})}"
    return {
        "runbook_url": state.annotations.get("runbook_url", "")
        or (f"{links.runbooks}/{quote(state.alert)}" if links.runbooks else ""),
        "alert_url": f"{links.console}/alerts/{state.fingerprint}" if links.console else "",
        "requests_url": f"{links.console}/requests?{urlencode({**wanted, **period})}" if links.console else "",
        "dashboard_url": f"{links.grafana}/d/{shown}" if links.grafana else "",
    }


def _dashboard(state: AlertState) -> str:
    """uid of the one that shows where to look."""
    at = "rectrace-funnel" if "component" in state.labels else "rectrace-overview"
    return _DASHBOARDS.get(state.alert, at)


def _whose(labels: Mapping[str, str]) -> dict[str, str]:
    """Requests of a segment, of an arm of an experiment or at fault by a rule, as the console asks for them."""
    segment, rule = labels.get("segment", ""), labels.get("rule", "")
    arm = segment.removeprefix(_ARM) if segment.startswith(_ARM) else ""
    return {"segment": "" if arm else segment, "arm": arm, "rule": rule if "owner" in labels else ""}


def _status(state: AlertState) -> str:
    return _STATUS.get(state.alert, "") or _OF_METRIC.get(state.labels.get("metric", ""), "")


def percent(share: float) -> str:
    """With one digit after the point where it is small."""
    return f"{share:.1%}" if share < 0.0995 else f"{share:.0%}"


def number(value: float | None) -> str:
    """Whole, or with one digit where it is small."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 100 else f"{value:,.1f}"


def _fill(template: str, names: Mapping[str, str]) -> str:
    try:
        filled = _Lenient().vformat(template, (), dict(names))
    except ValueError:  # a brace too many
        filled = template
    return " ".join(filled.split())


def _rfc3339(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
