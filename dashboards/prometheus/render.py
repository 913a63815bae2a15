"""Writes the rules, Alertmanager's configuration and the runbook: `python -m dashboards.prometheus.render --help`."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from dashboards.prometheus.alertmanager import configuration
from dashboards.prometheus.alerts import ALERTS
from dashboards.prometheus.model import RUNBOOK, Deployment
from dashboards.prometheus.recordings import recordings
from dashboards.prometheus.runbook import runbook
from schemas.alerts import SEVERITIES

HERE: Final = Path(__file__).parent
RULES: Final = "rules.yml"
ALERTMANAGER: Final = "alertmanager.yml"
INTERVAL: Final = "15s"
_HEADER: Final = "# Written by `python -m dashboards.prometheus.render` from the code beside it: change that.\n"
_LEAST_MEMORY: Final = 16_000_000  # as the setting has it


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    """Expressions of several lines as blocks."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def rules(deployment: Deployment) -> dict[str, Any]:
    """The rule file, in one group: alerts read what has just been recorded."""
    recorded = [recording.rendered() for recording in recordings(deployment)]
    alerts = [alert.rendered(deployment) for alert in ALERTS]
    return {"groups": [{"name": "rectrace", "interval": INTERVAL, "rules": [*recorded, *alerts]}]}


def files(deployment: Deployment, webhooks: Mapping[str, str]) -> dict[str, str]:
    """What is written, by name."""
    return {
        RULES: _yaml(rules(deployment)),
        ALERTMANAGER: _yaml(configuration(webhooks)),
        RUNBOOK: runbook(deployment),
    }


def _yaml(content: Mapping[str, Any]) -> str:
    return f"{_HEADER}{yaml.dump(dict(content), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)}"


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc or set(text) & set(" \t\n?#"):
        raise argparse.ArgumentTypeError(f"must be http://... or https://..., without ? and #, not {text!r}")
    return text.rstrip("/")


def _memory(text: str) -> int:
    if not text.isdecimal() or int(text) < _LEAST_MEMORY:
        raise argparse.ArgumentTypeError(f"must be bytes, at least {_LEAST_MEMORY}, not {text!r}")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the files; those in the repository, where no directory is named."""
    standard = Deployment()
    parser = argparse.ArgumentParser("python -m dashboards.prometheus.render", description=__doc__)
    parser.add_argument("--out", type=Path, default=HERE, help="directory")
    parser.add_argument("--grafana", type=_url, default=standard.grafana, help="its URL, for links")
    parser.add_argument("--runbook", type=_url, help=f"URL at which {RUNBOOK} is, for links")
    parser.add_argument("--memory", type=_memory, default=standard.memory, help="the workers' RECTRACE_JOIN__MEMORY")
    for severity in reversed(SEVERITIES):
        parser.add_argument(f"--{severity}", type=_url, help="webhook that is told of such alerts")
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    webhooks = {severity: getattr(given, severity) or "" for severity in SEVERITIES}
    deployment = Deployment(given.grafana, given.runbook or standard.runbook, given.memory)
    for name, text in files(deployment, webhooks).items():
        (given.out / name).write_text(text)


if __name__ == "__main__":
    main()
