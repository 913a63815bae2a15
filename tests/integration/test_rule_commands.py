"""`rectrace rules publish`, `list`, `diff` and `disable`, through the broker and a worker."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.service import Service, eventually

RULES = """\
id: coats
owner: merchandising
severity: page
scope: item
when: category = 'coat'
message: Coats in June
---
id: slow
owner: ranking
scope: trace
when: total_ms > 500
message: Slow
"""


@pytest.fixture
def service(broker: str, clickhouse: str, tmp_path: Path) -> Iterator[Service]:
    with Service(broker, clickhouse, tmp_path) as running:
        running.start_ready()
        yield running


def listed(service: Service, *more: str) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in json.loads(service.ask("rules", "list", "--json", *more))}


def test_rules_are_published_compared_listed_and_disabled(service: Service, tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(RULES)
    assert (
        service.ask("rules", "publish", str(file), "--dry-run").splitlines()[-1] == "would publish 2, 0 of 2 unchanged"
    )
    told = service.ask("rules", "publish", str(file), "--by", "ann", "--note", "summer sale")
    assert told.splitlines() == ["new      coats", "new      slow", "published 2, 0 of 2 unchanged"]
    eventually(lambda: len(listed(service)) == 2, lambda: f"two rules in force: {listed(service)}")
    coats = listed(service)["coats"]
    assert (coats["by"], coats["note"], coats["severity"], coats["hit"]) == ("ann", "summer sale", "page", 0)
    assert "coats" in service.ask("rules", "list")

    assert service.ask("rules", "publish", str(file)).splitlines() == ["published 0, 2 of 2 unchanged"]
    file.write_text(RULES.replace("500", "900"))
    changed = service.ask("rules", "diff", str(file), code=1)
    assert "-when: total_ms > 500" in changed
    assert "+when: total_ms > 900" in changed
    assert "1 differ, 1 are the same" in changed
    assert service.ask("rules", "publish", str(file)).splitlines()[0] == "changed  slow"
    eventually(lambda: "900" in listed(service)["slow"]["rule"], lambda: f"the new version: {listed(service)}")
    assert service.ask("rules", "diff", str(file)).splitlines() == ["0 differ, 2 are the same"]

    assert service.ask("rules", "disable", "slow", "--note", "noise") == "disabled slow\n"
    eventually(lambda: set(listed(service)) == {"coats"}, lambda: f"only coats: {listed(service)}")
    assert listed(service, "--all")["slow"]["note"] == "noise"
    compared = json.loads(service.ask("rules", "diff", str(file), "--json", code=1))
    assert {each["id"]: each["what"] for each in compared} == {"coats": "same", "slow": "enabled"}


def test_what_is_wrong_is_not_published_and_says_where(service: Service, tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(RULES.replace("category = 'coat'", "catgory = 'coat'"))
    told = service.ask("rules", "publish", str(file), code=1)
    assert f"{file}:5:7: rule coats, when: unknown field 'catgory'; did you mean 'category'?" in told
    assert "no rule 'coat' is in force" in service.ask("rules", "disable", "coat", code=1)
    assert listed(service) == {}
