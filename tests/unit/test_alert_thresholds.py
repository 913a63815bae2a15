"""Thresholds from a file: what counts where, and what is refused by name."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from rectrace.alerting import thresholds
from rectrace.settings import Alerts, Settings, SettingsError
from streams.alerts.definitions import BUILT_IN
from streams.alerts.thresholds import BadThresholds, Thresholds

EMPTY, SOURCE = (next(each for each in BUILT_IN if each.name == name) for name in ("EmptyResponses", "SourceEmpty"))
FILE = """\
EmptyResponses:
  threshold: 0.01
  placements:
    followed: {threshold: 0.65, severity: ticket}
SourceEmpty:
  min_total: 200
  placements:
    cart: {threshold: 0.7}
  components:
    new_arrivals: {threshold: 0.9}
    cart/new_arrivals: {enabled: false}
"""


def known(text: str = FILE) -> Thresholds:
    return Thresholds("alerts.yaml", yaml.safe_load(text))


def test_the_most_particular_one_counts() -> None:
    given = known()
    assert given.of(EMPTY, "home") is not None
    empty = {place: given.of(EMPTY, place) for place in ("home", "followed")}
    assert [(each.threshold, each.severity) for each in empty.values() if each] == [(0.01, "page"), (0.65, "ticket")]
    sources = [("home", "ann"), ("cart", "ann"), ("home", "new_arrivals"), ("cart", "new_arrivals")]
    found = [given.of(SOURCE, *where) for where in sources]
    assert [each and (each.threshold, each.min_total) for each in found] == [(0.5, 200), (0.7, 200), (0.9, 200), None]


def test_without_a_file_all_is_as_shipped() -> None:
    assert Thresholds().of(EMPTY, "home") is EMPTY
    assert Thresholds("alerts.yaml", None).of(EMPTY) is EMPTY


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("EmptyResponse: {}", "alerts.yaml: EmptyResponse is no alert; did you mean EmptyResponses?"),
        ("Qwertz: {}", "alerts.yaml: Qwertz is no alert; there are EmptyResponses, "),
        ("- a", "alerts.yaml: must hold thresholds by the name of the alert: EmptyResponses, "),
        ("EmptyResponses: 5", "alerts.yaml: EmptyResponses is 5: must be a valid dictionary"),
        (
            "EmptyResponses: {treshold: 1}",
            "alerts.yaml: EmptyResponses.treshold is no field; known are enabled, severity",
        ),
        (
            "EmptyResponses: {threshold: many}",
            "alerts.yaml: EmptyResponses.threshold is 'many': must be a valid number",
        ),
        ("EmptyResponses: {threshold: .nan}", "EmptyResponses.threshold is nan: must be"),
        ("EmptyResponses: {threshold: 2}", "alerts.yaml: EmptyResponses.threshold is 2: it is a share, from 0 to 1"),
        ("BudgetBurn: {objective: 1}", "alerts.yaml: BudgetBurn.objective is 1: must be less than 1"),
        (
            "EmptyResponses: {placements: {home: {objective: 0.9}}}",
            "EmptyResponses.placements.home.objective: only alerts on error budgets have one",
        ),
        ("EmptyResponses: {severity: loud}", "EmptyResponses.severity is 'loud': must be 'page', 'ticket' or 'info'"),
        ("EmptyResponses: {of: 1}", "alerts.yaml: EmptyResponses: alert EmptyResponses: needed 2 must be from 1 to of"),
        (
            "SourceEmpty: {components: {ann: {threshold: -1}}}",
            "alerts.yaml: SourceEmpty.components.ann.threshold is -1: must be greater than or equal to 0",
        ),
        (
            "SourceEmpty: {components: {cart/ann: {threshold: 3}}}",
            "SourceEmpty.components.cart/ann.threshold is 3",
        ),
        (
            "SourceEmpty: {placements: {home: {needed: 9}}}",
            "SourceEmpty.placements.home: alert SourceEmpty: needed 9",
        ),
    ],
)
def test_what_is_wrong_is_named(text: str, told: str) -> None:
    with pytest.raises(BadThresholds) as refused:
        known(text)
    assert told in str(refused.value)


def test_all_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(BadThresholds) as refused:
        known("Nothing: {}\nEmptyResponses: {of: x, quiet: 0}")
    assert str(refused.value).count("\n") == 2


def settings(**alerts: Any) -> Settings:
    return Settings(alerts=Alerts(**alerts))


def test_the_file_of_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "alerts.yaml"
    file.write_text(FILE)
    found = thresholds(settings(thresholds=str(file))).of(EMPTY, "followed")
    assert found is not None
    assert found.threshold == 0.65


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "alerts.thresholds: cannot read '{file}': No such file or directory"),
        (b"a: [", "{file}, line 1, column 5: not YAML: "),
        (b"\xff", "{file}: not YAML in UTF-8: "),
        (b"EmptyResponses: {of: 0}", "{file}: EmptyResponses.of is 0: must be greater than or equal to 1"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, content: bytes | None, told: str) -> None:
    file = tmp_path / "alerts.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError) as refused:
        thresholds(settings(thresholds=str(file)))
    assert told.format(file=file) in str(refused.value)


def test_hold_and_resend_must_fit() -> None:
    with pytest.raises(ValueError, match="hold must be at least twice resend"):
        Alerts(hold=60, resend=60)
