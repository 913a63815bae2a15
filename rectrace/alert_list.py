"""Incidents from what the alert engine has kept: those of now, and those that are over. Pure, but for how they look."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final

from rich.console import RenderableType
from rich.text import Text

from rectrace.terminal import BAD, DIM, GOOD, Visible
from schemas.alerts import SEVERITIES, AlertState, Change, Evaluation
from streams.alerts.text import Links, addresses

_ORDER: Final = ("firing", "pending", "resolved")
_STYLE: Final = {"firing": BAD, "pending": "yellow", "resolved": GOOD}


@dataclass(frozen=True)
class Incident:
    """One alert from its first bad window to its end."""

    status: str  # pending, firing or resolved
    severity: str
    alert: str
    labels: dict[str, str]
    fingerprint: str
    began: datetime
    ended: datetime | None
    told: bool  # whether Alertmanager was told
    inhibited_by: str
    also: list[str]
    summary: str
    description: str
    changed: str  # what changed when it began
    examples: list[str]
    links: dict[str, str]
    why: str  # it ended without having been good again: because
    figures: dict[str, float | None]  # of the newest bad window: bad of total, or value against baseline

    @property
    def name(self) -> str:
        """The alert and where, as `also` and `inhibited_by` name it."""
        return " ".join([self.alert, *(f"{name}={value}" for name, value in self.labels.items())])

    def as_json(self) -> dict[str, Any]:
        """With times as datetimes."""
        return asdict(self)


def incidents(changed: Iterable[Evaluation], newest: Iterable[Evaluation], links: Links) -> list[Incident]:
    """changed: with changes, oldest first; newest: the last of each chain. Firing ones first, then by time."""
    found: dict[tuple[str, int], Incident] = {}
    for evaluation in changed:
        for change in evaluation.changes:
            found[change.state.fingerprint, change.state.began] = _incident(change, links)
    for evaluation in newest:
        for state in evaluation.states:
            found[state.fingerprint, state.began] = _incident(state, links)
    return sorted(found.values(), key=_order)


def _incident(of: Change | AlertState, links: Links) -> Incident:
    state = of.state if isinstance(of, Change) else of
    over = of if isinstance(of, Change) and of.status == "resolved" else None
    return Incident(
        status=of.status,
        severity=state.severity,
        alert=state.alert,
        labels=state.labels,
        fingerprint=state.fingerprint,
        began=datetime.fromtimestamp(state.began, UTC),
        ended=datetime.fromtimestamp(over.ends_at, UTC) if over else None,
        told=state.told,
        inhibited_by=state.inhibited_by,
        also=state.also,
        summary=state.annotations.get("summary", ""),
        description=state.annotations.get("description", ""),
        changed=state.changed,
        examples=state.examples,
        links={name: url for name, url in addresses(state, links).items() if url},
        why=over.why if over else "",
        figures={name: getattr(state, name) for name in ("bad", "total", "value", "baseline", "threshold")},
    )


def _order(incident: Incident) -> tuple[int, int, float]:
    severity = -SEVERITIES.index(incident.severity) if incident.status != "resolved" else 0
    return _ORDER.index(incident.status), severity, -incident.began.timestamp()


def show(found: Sequence[Incident], now: datetime) -> RenderableType:
    """A few lines each; ids are never cut."""
    return Visible(*(_lines(incident, now) for incident in found))


def _lines(incident: Incident, now: datetime) -> Text:
    labels = " ".join(f"{name}={value}" for name, value in incident.labels.items())
    text = Text.assemble((f"{incident.status:<9}", _STYLE[incident.status]), f"{incident.severity:<7}")
    text.append(incident.alert, "bold").append(f"  {labels}" if labels else "")
    text.append(f"\n  {_time(incident, now)}", DIM)
    for line in (incident.summary, incident.changed and f"what changed: {incident.changed}", incident.why):
        text.append(f"\n  {line}" if line else "")
    if incident.status != "resolved" and incident.description:
        text.append(f"\n  {incident.description}", DIM)
    if incident.also:
        text.append(f"\n  also: {', '.join(incident.also)}")
    if incident.examples:
        text.append("\n  for example: ").append(" ".join(incident.examples), "cyan")
    for name, url in incident.links.items():
        text.append(f"\n  {name.removesuffix('_url')}: {url}", DIM)
    return text


def _time(incident: Incident, now: datetime) -> str:
    day = "" if incident.began.date() == now.date() else f"{incident.began:%Y-%m-%d} "
    until = f"to {incident.ended:%H:%M:%S}" if incident.ended else "until now"
    untold = why_untold(incident)
    return f"{day}{incident.began:%H:%M:%S} {until}, {lasted(incident, now)}{untold and f', {untold}'}"


def why_untold(incident: Incident) -> str:
    """Why Alertmanager was not told that it fires; empty if it was, or if it does not fire yet."""
    if incident.status == "pending" or incident.told:
        return ""
    return f"said by {incident.inhibited_by}" if incident.inhibited_by else "nobody was told: seen too late"


def lasted(incident: Incident, now: datetime) -> str:
    """How long it has been, or was."""
    return length(((incident.ended or now) - incident.began).total_seconds())


def length(seconds: float) -> str:
    """A time for people."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
