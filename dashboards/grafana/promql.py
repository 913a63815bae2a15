"""What Grafana and its Prometheus data source make of an expression: expand.py for PromQL."""

import re
from typing import Final

from dashboards.grafana.expand import ALL, NotUnderstood, Shown, Value

_USED: Final = re.compile(r"\$(\w+)")
_SPECIAL: Final = re.compile(r"[$^*{}\[\]'+?.()|]")


def expand(expr: str, shown: Shown, scrape: int = 15) -> str:
    """The expression as Prometheus gets it. scrape: seconds from one scrape to the next. Raises NotUnderstood."""
    return _USED.sub(lambda found: _filled(found[1], shown, scrape), expr)


def _filled(name: str, shown: Shown, scrape: int) -> str:
    if name == "__rate_interval":
        return f"{max(shown.interval + scrape, 4 * scrape)}s"
    if name not in shown.variables:
        raise NotUnderstood(f"there is no variable {name}")
    return _matching(shown.variables[name])


def _matching(value: Value) -> str:
    """Of a variable that takes any number of values, whose All is everything: for =~, within quotes."""
    chosen = [value] if isinstance(value, str) else list(value)
    if chosen == [ALL]:
        return ".*"
    escaped = [_SPECIAL.sub(r"\\\\\g<0>", each.replace("\\", "\\\\\\\\")) for each in chosen]
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"
