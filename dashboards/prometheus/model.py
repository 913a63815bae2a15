"""What a rule is. An alert without severity, figures, runbook or links cannot be made."""

import re
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import quote

from streams.pipeline import PipelinePolicy

Severity = Literal["page", "ticket"]

SERVICE: Final = "rectrace"  # the label by which what the alert engine and what Prometheus says belong together
DASHBOARD: Final = "rectrace-pipeline"  # uid
RUNBOOK: Final = "RUNBOOK.md"
_DURATION: Final = re.compile(r"[1-9]\d*[smh]")
_ALERT: Final = re.compile(r"Rectrace([A-Z][a-z]+)+")
_RECORDING: Final = re.compile(r"rectrace:[a-z_]+:[a-z0-9]+")


class BadRule(ValueError):  # noqa: N818
    """A rule lacks something; says which and what."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """What differs between places. grafana, runbook: base URLs; memory: the workers' RECTRACE_JOIN__MEMORY in bytes."""

    grafana: str = "http://localhost:3000"
    runbook: str = f"dashboards/prometheus/{RUNBOOK}"  # in the repository, until a URL of it is given
    memory: int = PipelinePolicy().memory_bytes


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording rule, named level:metric:operation."""

    name: str
    expr: str
    says: str

    def __post_init__(self) -> None:
        if not _RECORDING.fullmatch(self.name):
            raise BadRule(f"recording rule {self.name}: must be named rectrace:metric:operation")
        if not (self.expr.strip() and self.says.strip()):
            raise BadRule(f"recording rule {self.name}: lacks an expression or what it says")

    def rendered(self) -> dict[str, Any]:
        return {"record": self.name, "expr": self.expr}


@dataclass(frozen=True, slots=True)
class Alert:
    """An alerting rule and its page in the runbook.

    lasts: how long the condition holds before it fires. summary: one sentence with the value in it, as a template of
    Prometheus. look: the first three things. causes: alerts that, while they fire, explain this one and keep it back.
    lingers: how long it goes on after the condition is over, so that what comes of it is still explained.
    """

    name: str
    severity: Severity
    expr: str
    lasts: str
    summary: str
    meaning: str
    look: tuple[str, str, str]
    silence: str  # when that is right
    by: tuple[str, ...] = ()  # labels of the expression
    causes: tuple[str, ...] = ()
    lingers: str = ""

    def __post_init__(self) -> None:
        for wrong, what in (
            (not _ALERT.fullmatch(self.name), "must be named Rectrace and what is wrong"),
            (self.severity not in ("page", "ticket"), f"severity must be page or ticket, not {self.severity!r}"),
            (not _DURATION.fullmatch(self.lasts), f"lasts must be such as 5m, not {self.lasts!r}"),
            (bool(self.lingers) and not _DURATION.fullmatch(self.lingers), f"lingers: {self.lingers!r} is no duration"),
            ("$value" not in self.summary, "its summary lacks the figure"),
            (any(f"$labels.{each}" not in self.summary for each in self.by), "its summary does not name its labels"),
            (len(self.look) != 3, "must say the first three things to look at"),
            (not all(text.strip() for text in (self.expr, self.meaning, self.silence, *self.look)), "lacks a text"),
        ):
            if wrong:
                raise BadRule(f"alert {self.name}: {what}")

    def rendered(self, deployment: Deployment) -> dict[str, Any]:
        """As a rule of Prometheus."""
        return {
            "alert": self.name,
            "expr": self.expr,
            "for": self.lasts,
            **({"keep_firing_for": self.lingers} if self.lingers else {}),
            "labels": {"severity": self.severity, "service": SERVICE},
            "annotations": {
                "summary": self.summary,
                "description": self.look[0],
                "runbook_url": f"{deployment.runbook}#{self.anchor}",
                "dashboard_url": f"{deployment.grafana}/d/{DASHBOARD}?{self._variables()}from=now-3h&to=now",
            },
        }

    @property
    def anchor(self) -> str:
        """Of its heading in the runbook."""
        return quote(self.name.lower())

    def _variables(self) -> str:
        return "".join(f"var-{each}={{{{ $labels.{each} | urlquery }}}}&" for each in self.by)
