"""The runbook, from the alerts themselves: what each means, what to look at first, how to silence it."""

from collections.abc import Iterator

from dashboards.prometheus.alertmanager import causes
from dashboards.prometheus.alerts import ALERTS
from dashboards.prometheus.model import Alert, Deployment, Recording
from dashboards.prometheus.recordings import recordings

_INTRODUCTION = """\
These are about rectrace itself: they say that it does not run, does not keep up, or that nobody hears it. Alerts about
the recommender come from rectrace's own alert engine (`rectrace alerts list`), through the same Alertmanager. A page
wants somebody now; a ticket wants somebody by day. While an alert fires, those that it explains are kept back.

`WORKER` is the host of a worker, `ALERTMANAGER` the URL of Alertmanager. A silence ends by itself: give it the time
that the work takes."""


def runbook(deployment: Deployment) -> str:
    """Markdown, one chapter an alert; headings are the anchors of the alerts' links."""
    severities = ("page", "ticket")
    lines = ["# Alerts about rectrace itself", "", _INTRODUCTION, "", "| alert | | fires after |", "|---|---|---|"]
    chosen = [alert for severity in severities for alert in ALERTS if alert.severity == severity]
    lines += [f"| [{alert.name}](#{alert.anchor}) | {alert.severity} | {alert.lasts} |" for alert in chosen]
    for alert in chosen:
        lines += ["", *_chapter(alert)]
    lines += ["", "## Recorded series", "", "| series | is |", "|---|---|"]
    lines += [_row(recording) for recording in recordings(deployment)]
    return "\n".join(lines) + "\n"


def _chapter(alert: Alert) -> Iterator[str]:
    yield from (f"## {alert.name}", "", f"**{alert.severity.capitalize()}**, after {alert.lasts} of:", "")
    yield from ("```", alert.expr, "```", "", alert.meaning, "", "Look at:", "")
    for number, look in enumerate(alert.look, 1):
        yield f"{number}. {look}"
    if kept_back := causes().get(alert.name):
        yield from ("", f"Kept back while one of these fires: {', '.join(kept_back)}.")
    matchers = " ".join([f"alertname={alert.name}", *(f"{label}={label.upper()}" for label in alert.by)])
    yield from ("", f"When to silence it: {alert.silence[0].lower()}{alert.silence[1:]}", "", "```")
    yield f'amtool silence add --alertmanager.url=ALERTMANAGER --duration=2h --comment="why" {matchers}'
    yield "```"


def _row(recording: Recording) -> str:
    return f"| `{recording.name}` | {recording.says} |"
