"""An alert's evidence window by window, and whether somebody acted on it, as its silences tell. Pure.

An acknowledgement is a silence of exactly one alert, whose comment says so.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from rectrace.alert_list import Incident
from schemas.alerts import AlertState
from sinks.alertmanager import kept_labels
from sinks.silences import RETENTION_DAYS, Matcher, Silence
from streams.alerts.definitions import DEFINITIONS
from streams.alerts.model import Kind
from streams.alerts.rules import ALERT as RULE_VIOLATED
from streams.alerts.text import number, percent, told_labels

ACKNOWLEDGED: Final = "acknowledged: "  # how the comment of an acknowledgement begins
NAMES: Final = tuple(sorted({*(each.name for each in DEFINITIONS), RULE_VIOLATED}))
_KINDS: Final[Mapping[str, Kind]] = {each.name: each.kind for each in DEFINITIONS}
_VERDICTS: Final = {"b": "bad", "h": "in between", "g": "good"}
# Labels that tell alerts of one name apart: one that lacks any is not the one that has it.
_PLACES: Final = ("placement", "stage", "component", "segment")


@dataclass(frozen=True)
class Point:
    """One window. value, bound: of a bad one, what was measured and what is allowed; shares in percent."""

    at: datetime
    verdict: str
    value: float | None = None
    bound: float | None = None
    baseline: float | None = None
    told: str = ""


def kind(alert: str) -> Kind:
    """How an alert compares; those that only a rule defines count."""
    return _KINDS.get(alert, Kind.COUNT)


def unit(alert: str) -> str:
    """Of the values of its points: %, or none that is known."""
    return "%" if kind(alert) is Kind.SHARE else ""


def points(history: Iterable[tuple[int, AlertState]]) -> list[Point]:
    """history: windows (epoch seconds), and what was known after each of them, oldest first."""
    found: dict[int, Point] = {}
    for window, state in history:
        verdicts = dict(state.recent)
        if (verdict := verdicts.get(window)) is None:
            continue
        at = datetime.fromtimestamp(window, UTC)
        found[window] = _bad(at, state) if verdict == "b" else Point(at, _VERDICTS[verdict])
    return list(found.values())


def _bad(at: datetime, state: AlertState) -> Point:
    how = kind(state.alert)
    share = state.bad / state.total * 100 if state.total else None
    value = share if how is Kind.SHARE else state.bad if how is Kind.COUNT else state.value
    bound: float | None = state.threshold * 100 if how is Kind.SHARE else state.threshold
    if how in (Kind.RATIO_ABOVE, Kind.RATIO_BELOW):
        bound = None if state.baseline is None else state.baseline * state.threshold
    if how is Kind.COUNT:  # what is allowed is up to the rule or the objective, and not in here
        bound = None
    figures = {name: getattr(state, name) for name in ("bad", "total", "value", "baseline", "threshold")}
    return Point(at, _VERDICTS["b"], value, bound, state.baseline, evidence(state.alert, figures))


def evidence(alert: str, figures: Mapping[str, float | None]) -> str:
    """The figures of a bad window, in a few words. figures: as an Incident has them."""
    how, value, baseline = kind(alert), figures["value"], figures["baseline"]
    bad, total, threshold = (figures[name] or 0.0 for name in ("bad", "total", "threshold"))
    if how is Kind.SHARE:
        share = f" ({percent(bad / total)})" if total else ""
        return f"{number(bad)} of {number(total)}{share}, allowed are {percent(threshold)}"
    if how is Kind.COUNT:
        return f"{number(bad)} of {number(total)}" if total else number(bad)
    if how is Kind.ABOVE:
        return f"{small(value)}, allowed are {small(threshold)}"
    less = how is Kind.RATIO_BELOW
    of = f", {percent(value / baseline)} of {small(baseline)} before" if value is not None and baseline else ""
    return f"{small(value)}{of}; allowed are {'no less than' if less else 'up to'} {percent(threshold)} of it"


def small(value: float | None) -> str:
    """A number that may be a share: with what matters of it."""
    return number(value) if value is None or value == 0 or abs(value) >= 1 else f"{value:.2g}"


def sent(incident: Incident) -> dict[str, str]:
    """Its labels, as Alertmanager knows them."""
    return kept_labels(told_labels(incident.alert, incident.severity, incident.labels))


def exactly(incident: Incident) -> tuple[Matcher, ...]:
    """Of this very alert, and no other. Its severity may change with the thresholds, and it is still the same."""
    own = {name: value for name, value in sent(incident).items() if name != "severity"}
    lacks = [name for name in _PLACES if name not in own]
    return tuple(Matcher(name, value) for name, value in [*own.items(), *((name, "") for name in lacks)])


def wider(labels: Iterable[str]) -> tuple[Matcher, ...]:
    """Of all alerts of rectrace with these labels, as NAME=VALUE."""
    chosen = (label.partition("=") for label in labels)
    return (Matcher("service", "rectrace"), *(Matcher(name, value) for name, _, value in chosen))


def acknowledges(silence: Silence) -> bool:
    """Whether it says that somebody has seen the alert."""
    return silence.why.startswith(ACKNOWLEDGED)


def in_force(silence: Silence, incident: Incident, now: datetime) -> bool:
    """Whether it held while the alert fired, and of this alert."""
    began, ended = incident.began, incident.ended or now
    return silence.starts <= ended and silence.ends >= began and silence.matches(sent(incident))


def outcome(incident: Incident, silences: Sequence[Silence] | None, now: datetime) -> str:
    """What became of an alert that fired: acted on, ignored, open (told, and fires on), told nobody; not known, of what
    is over for longer than Alertmanager remembers, or where it does not answer. silences: None, if it does not."""
    if silences is not None and any(in_force(each, incident, now) for each in silences):
        return "acted on"
    if not incident.told:
        return "told nobody"
    if silences is None or (incident.ended and now - incident.ended > timedelta(days=RETENTION_DAYS)):
        return "not known"
    return "ignored" if incident.ended else "open"


OUTCOMES: Final = ("acted on", "ignored", "open", "told nobody", "not known")


def tally(
    incidents: Iterable[Incident], silences: Sequence[Silence] | None, now: datetime
) -> dict[tuple[str, str], dict[str, int]]:
    """By alert, and by the rule that it is about (else empty), how often it fired and what became of it; the one that
    fired most first."""
    counts: dict[tuple[str, str], dict[str, int]] = {}
    for incident in incidents:
        if incident.status != "pending":
            key = incident.alert, incident.labels.get("rule", "")
            of = counts.setdefault(key, dict.fromkeys(("fired", *OUTCOMES), 0))
            of["fired"] += 1
            of[outcome(incident, silences, now)] += 1
    return dict(sorted(counts.items(), key=lambda each: (-each[1]["fired"], each[0])))
