"""Alertmanager's configuration: who hears what, in which groups, and what keeps what back."""

from collections.abc import Mapping
from typing import Any, Final

from dashboards.prometheus.alerts import ALERTS
from dashboards.prometheus.model import SERVICE
from dashboards.prometheus.names import CLICKHOUSE_AWAY, DEAD_LETTERS
from schemas.alerts import Severity
from streams.alerts.definitions import INGEST_LAG

GROUP_BY: Final = ("alertname", "stage", "component")  # what is wrong at several placements is one message
# Until the first message of a group, until what joins it is told, and until what goes on is told again.
_TIMES: Final[dict[Severity, tuple[str, str, str]]] = {
    "page": ("10s", "1m", "1h"),
    "ticket": ("1m", "15m", "24h"),
    "info": ("5m", "1h", "72h"),
}
# The engine's alerts that an alert about rectrace explains.
_EXPLAINED: Final = {INGEST_LAG.name: (CLICKHOUSE_AWAY, DEAD_LETTERS)}


def causes() -> dict[str, tuple[str, ...]]:
    """By alert: those that keep it back. Never in a circle: then of two that fire nobody would hear of either."""
    return {alert.name: alert.causes for alert in ALERTS if alert.causes} | _EXPLAINED


def configuration(webhooks: Mapping[str, str]) -> dict[str, Any]:
    """webhooks: a URL by severity; without one, that severity is shown by Alertmanager and sent to nobody."""
    return {
        "route": {
            "receiver": "ticket",  # of what has no severity
            "group_by": list(GROUP_BY),
            **_times("ticket"),
            "routes": [
                {"matchers": [f'severity="{severity}"'], "receiver": severity, **_times(severity)}
                for severity in _TIMES
            ],
        },
        "inhibit_rules": [
            {
                "source_matchers": [f'service="{SERVICE}"', f'alertname=~"{"|".join(sources)}"'],
                "target_matchers": [f'service="{SERVICE}"', f'alertname="{target}"'],
            }
            for target, sources in causes().items()
        ],
        "receivers": [_receiver(severity, webhooks.get(severity, "")) for severity in _TIMES],
    }


def _times(severity: Severity) -> dict[str, str]:
    return dict(zip(("group_wait", "group_interval", "repeat_interval"), _TIMES[severity], strict=True))


def _receiver(severity: str, url: str) -> dict[str, Any]:
    hooks = {"webhook_configs": [{"url": url, "send_resolved": True}]}
    return {"name": severity, **(hooks if url else {})}
