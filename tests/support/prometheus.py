"""A running Prometheus in tests: rules that need no patience, and what it answers."""

import json
import re
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from dashboards.prometheus import render
from rectrace.local.prometheus import RunningPrometheus


def hurried_rules(directory: Path) -> None:
    """Rendered into the directory: evaluated each second, and alerts fire at once."""
    render.main(["--out", str(directory)])
    rules = directory / render.RULES
    rules.write_text(re.sub(r"interval: \w+", "interval: 1s", re.sub(r"for: \w+", "for: 0s", rules.read_text())))


def ask(running: RunningPrometheus, path: str, **parameters: str | float) -> Any:
    """What it answers at /api/v1/path."""
    url = f"{running.url}/api/v1/{path}"
    with urllib.request.urlopen(f"{url}?{urlencode(parameters)}" if parameters else url, timeout=10) as answer:
        return json.loads(answer.read())["data"]
