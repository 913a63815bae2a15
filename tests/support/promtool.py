"""`promtool test rules` on the rendered rules, at 15 s from one sample to the next."""

import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

STEP: Final = 15  # seconds
SAMPLES: Final = 240  # an hour
FAULT: Final = 80  # the sample with which a fault begins: after 20 minutes
LAST: Final = FAULT - 1

Series = Mapping[str, str]  # a series, and its samples in promtool's notation


def steady(value: float) -> str:
    """The same all the time."""
    return f"{value:g}x{SAMPLES}"


def rising(by: float, start: float = 0) -> str:
    """By so much a sample."""
    return f"{start:g}{by:+g}x{SAMPLES}"


def then(before: str, after: str) -> str:
    """before up to the fault, and what comes with it."""
    return f"{before}x{LAST} {after}x{SAMPLES - FAULT}"


def gone(before: str) -> str:
    """Nothing more from the fault on, as of a target that does not answer."""
    return f"{before}x{LAST} stale"


@dataclass(frozen=True)
class Fires:
    """What is expected of one alert at a time in seconds; labels None: that it does not fire."""

    alert: str
    at: int
    labels: Mapping[str, str] | None = None
    annotations: Mapping[str, str] | None = None

    def rendered(self) -> dict[str, Any]:
        expected = [] if self.labels is None else [{"exp_labels": self.labels, "exp_annotations": self.annotations}]
        return {"alertname": self.alert, "eval_time": f"{self.at}s", "exp_alerts": expected}


@dataclass(frozen=True)
class Firing:
    """Which alerts fire at a time in seconds, all of them, and how many of each."""

    at: int
    alerts: Mapping[str, int]

    def rendered(self) -> dict[str, Any]:
        samples = [{"labels": f'{{alertname="{name}"}}', "value": count} for name, count in self.alerts.items()]
        return {
            "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
            "eval_time": f"{self.at}s",
            "exp_samples": samples,
        }


@dataclass(frozen=True)
class Gives:
    """What an expression gives at a time in seconds: values by labels, as Prometheus writes them."""

    at: int
    expr: str
    values: Mapping[str, float]

    def rendered(self) -> dict[str, Any]:
        samples = [{"labels": labels, "value": value} for labels, value in self.values.items()]
        return {"expr": self.expr, "eval_time": f"{self.at}s", "exp_samples": samples}


def check(rules: Path, series: Series, expected: Iterable[Fires | Firing | Gives], directory: Path) -> None:
    """Run one unit test; what promtool says is in the assertion."""
    wanted = list(expected)
    test = {
        "interval": f"{STEP}s",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [each.rendered() for each in wanted if isinstance(each, Fires)],
        "promql_expr_test": [each.rendered() for each in wanted if not isinstance(each, Fires)],
    }
    content = {"rule_files": [str(rules.resolve())], "evaluation_interval": f"{STEP}s", "tests": [test]}
    file = directory / "test.yml"
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    done = run("promtool", "test", "rules", str(file))
    assert done.returncode == 0, done.stdout + done.stderr


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Its output and exit code."""
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
