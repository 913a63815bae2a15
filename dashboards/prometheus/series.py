"""Which series Prometheus has of rectrace, and with which labels; and what an expression asks for that is not there."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.metrics import MetricWrapperBase

from dashboards.prometheus.alerts import ALERTS
from dashboards.prometheus.model import SERVICE, Deployment
from dashboards.prometheus.recordings import OF_JOB, recordings
from streams.live import LiveMetrics
from streams.metrics import LIVE, PROCESS, Metrics

Series = Mapping[str, frozenset[str]]

_SAMPLES: Final = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}
_TARGET: Final = frozenset({"job", "instance"})  # what a scrape adds
_OF_SERVICE: Final = f'service="{SERVICE}"'

_GROUPED: Final = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_BY: Final = re.compile(r"\bby\s*\(([^)]*)\)")
_OUTERMOST: Final = re.compile(r"\w+(?: by \(([^)]*)\))? ?\(")
_SELECTED: Final = re.compile(r"([a-zA-Z_:][\w:]*)\s*\{([^}]*)\}")
_NAMELESS: Final = re.compile(r"(?<![\w:\s])\s*\{")
_LABEL: Final = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
_LEFT_OUT: Final = re.compile(r'"(?:[^"\\]|\\.)*"|\{[^}]*\}|\[[^\]]*\]|\$\w+|\b\d\w*')
_WORD: Final = re.compile(r"(?<![\w:])([a-zA-Z_:][\w:]*)\b(?!\s*\()")
_WORDS: Final = frozenset({"and", "or", "unless", "offset", "bool"})


@cache
def exported() -> Series:
    """Every series that a worker serves, with its own labels."""
    metrics = [each for each in vars(Metrics(CollectorRegistry())).values() if isinstance(each, MetricWrapperBase)]
    families = [(family, frozenset(each._labelnames)) for each in metrics for family in each.describe()]
    live = {family.name: family for family in LiveMetrics().collect()}
    families += [(live[each.name], frozenset(each.labels)) for each in LIVE]
    found = {name: labels for family, own in families for name, labels in _samples(family, own)}
    return MappingProxyType(found | dict.fromkeys(PROCESS, frozenset()))


@cache
def known() -> Series:
    """Every series that a query may ask for: of workers, recorded, and Prometheus' own."""
    found = {name: labels | _TARGET for name, labels in exported().items()}
    found |= {recording.name: result_labels(recording.expr) for recording in recordings(Deployment())}
    alerts = frozenset({"alertname", "severity", "service"}.union(*(alert.by for alert in ALERTS)))
    return MappingProxyType(
        {**found, "up": _TARGET, "ALERTS": alerts | {"alertstate"}, "ALERTS_FOR_STATE": alerts},
    )


def result_labels(expr: str) -> frozenset[str]:
    """The labels of what an aggregation gives, such as each recording rule is."""
    found = _OUTERMOST.match(expr)
    return frozenset(_names(found[1] or "")) if found else frozenset()


def problems(expr: str) -> Iterator[str]:
    """A line for each series that Prometheus does not have; where it has all, for each label that none of them has, and
    each that is asked for of any job."""
    every, asked = known(), _asked(expr)
    if missing := sorted(asked - set(every)):
        yield from (f"there is no series {name}" for name in missing)
        return
    if _NAMELESS.search(expr):
        yield "it asks for series without a name"
    for name, matchers in _SELECTED.findall(expr):
        for label in sorted(set(_LABEL.findall(matchers)) - every[name]):
            yield f"{name} has no label {label}"
    labels = frozenset({"le"}).union(*(every[name] for name in asked))
    for names in _GROUPED.findall(expr):
        for label in sorted(set(_names(names)) - labels):
            yield f"nothing in it has a label {label}"
    for name in sorted(asked):
        needed = _OF_SERVICE if name.startswith("ALERTS") else OF_JOB if every[name] >= _TARGET else ""
        if any(needed not in matchers for matchers in re.findall(rf"(?<![\w:]){name}\b(?!:)(\s*{{[^}}]*}})?", expr)):
            yield f"{name} is asked for without {needed}"


def given_labels(expr: str) -> frozenset[str]:
    """The labels that what an expression gives may have: those that it groups by, else those of its series."""
    grouped = [label for names in _BY.findall(expr) for label in _names(names)]
    return frozenset(grouped).union(
        *(known().get(name, frozenset()) for name in _asked(expr) if ":" in name or not grouped)
    )


def _asked(expr: str) -> set[str]:
    return set(_WORD.findall(_LEFT_OUT.sub(" ", _GROUPED.sub(" ", expr)))) - _WORDS


def _names(text: str) -> list[str]:
    return [name for each in text.split(",") if (name := each.strip())]


def _samples(family: Metric, labels: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    for suffix in _SAMPLES[family.type]:
        yield family.name + suffix, labels | ({"le"} if suffix == "_bucket" else set())
