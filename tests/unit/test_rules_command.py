"""`rectrace rules check` and `rectrace rules test`."""

import json
import textwrap
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from rectrace.cli import app
from rectrace.rule_book import starter_pack
from streams.rules.language import read
from streams.rules.tree import fields

GOOD = """\
id: coats
owner: merchandising
scope: item
when: category = 'Outerwear'
message: Coats in summer
examples:
  violates: [{items: [{category: Outerwear}]}]
  passes: [{items: [{category: Swim}]}]
"""
BAD = """\
id: brands
owner: merchandising
scope: slate
when: avg(brnad = 'Acme') > 0.5
message: One brand
"""


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["rules", *words], env={"COLUMNS": None})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "rules.yaml"


def test_check_says_where_the_mistake_is(file: Path) -> None:
    file.write_text(f"{GOOD}---\n{BAD}")
    done = run("check", str(file))
    assert done.exit_code == 1
    assert done.stdout == f"{file}:13:11: rule brands, when: unknown field 'brnad'; did you mean 'brand'?\n"
    done = run("check", str(file), "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout) == {
        "rules": ["coats", "brands"],
        "problems": [
            {
                "rule": "brands", "field": "when", "message": "unknown field 'brnad'; did you mean 'brand'?",
                "file": str(file), "line": 13, "column": 11,
            }
        ],
    }  # fmt: skip


def test_check_of_what_is_right(file: Path) -> None:
    file.write_text(GOOD)
    done = run("check", str(file))
    assert (done.exit_code, done.stdout) == (0, "1 rule, nothing wrong\n")
    assert json.loads(run("check", str(file), "--json").stdout) == {"rules": ["coats"], "problems": []}


def test_folders_and_ids_that_are_there_twice(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD)
    (tmp_path / "b.yml").write_text(GOOD)
    (tmp_path / "c.txt").write_text("no rule")
    done = run("check", str(tmp_path))
    assert done.exit_code == 1
    assert done.stdout == f"{tmp_path}/b.yml:1:5: rule coats, id: is the id of another rule, in {tmp_path}/a.yaml\n"


def test_files_that_are_none(tmp_path: Path, file: Path) -> None:
    assert run("check", str(tmp_path / "none.yaml")).exit_code == 2
    assert run("check").exit_code == 2
    file.write_bytes(b"\xff")
    done = run("check", str(file))
    assert (done.exit_code, done.stdout) == (1, f"{file}:1:1: byte 0 is not UTF-8\n")


def test_test_says_which_example_is_not_as_it_says(file: Path) -> None:
    file.write_text(GOOD.replace("[{category: Swim}]}]", "[{category: Outerwear}]}, {note: bare}]"))
    done = run("test", str(file))
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        f"{file}:8:12: rule coats, examples.passes[0]: was found at fault",
        "1 rule, 3 examples: 1 not judged as they say",
    ]
    told = json.loads(run("test", str(file), "--json").stdout)
    assert told["rules"] == [{"id": "coats", "violates": 1, "passes": 2, "right": False}]
    assert told["wrong"][0]["line"] == 8


def test_test_of_rules_that_cannot_be_read(file: Path) -> None:
    file.write_text(BAD)
    done = run("test", str(file))
    assert done.exit_code == 1
    assert "did you mean 'brand'?" in done.stdout
    assert json.loads(run("test", str(file), "--json").stdout)["problems"][0]["rule"] == "brands"


def test_rules_without_examples_are_named(file: Path) -> None:
    file.write_text(BAD.replace("brnad", "brand"))
    done = run("test", str(file))
    assert (done.exit_code, done.stdout) == (0, "1 rule, 0 examples: all judged as they say\n")
    assert done.stderr == "without examples: brands\n"


def test_the_starter_pack_holds() -> None:
    done = run("test")
    assert done.exit_code == 0
    assert done.stdout.endswith("all judged as they say\n")
    told = json.loads(run("test", "--json").stdout)["rules"]
    assert len(told) >= 15
    assert all(rule["violates"] and rule["passes"] for rule in told)


def test_every_example_of_the_starter_pack_depends_on_its_rule() -> None:
    """A rule that never hits, or always does, fails its examples: so they can fail."""
    from streams.rules.examples import outcomes  # noqa: PLC0415

    for rule in starter_pack().rules:
        for when in ("true", "false"):
            told = outcomes(rule.model_copy(update={"when": when}))
            assert not all(each.right for each in told), textwrap.shorten(rule.id, 80)


def test_fields_that_are_listed_may_be_named() -> None:
    told = json.loads(run("fields", "--json").stdout)
    for field in told["fields"]:
        tree = read(f"{field['name']} is null", "item")
        assert [each.type for each in fields(tree)] == [field["type"]]
    assert {"avg", "countIf", "topShare", "startsWith", "dateDiff", "if"} <= set(told["functions"])
    done = run("fields")
    assert done.exit_code == 0
    assert "in_catalog (boolean)" in done.stdout
