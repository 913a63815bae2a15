"""Golden examples of every version stay valid; the committed JSON Schema is that of the models."""

from pathlib import Path

import pytest

from schemas.catalog import decode_catalog
from schemas.envelope import decode
from schemas.events import MODELS
from schemas.exact import check, exact
from schemas.golden import examples
from schemas.interactions import decode_interaction
from schemas.json_schema import COMMITTED, documents, text, write
from schemas.pipeline import STAGES

NAMES = sorted(f"{kind}.{form}" for kind in (*STAGES, "interaction", "catalog") for form in ("full", "minimal"))
KEYED = b"sku-2"  # what the catalogue's examples are about


def test_there_are_two_of_every_kind() -> None:
    assert sorted(examples()) == NAMES
    with pytest.raises(LookupError, match="v0"):
        examples("v0")


@pytest.mark.parametrize("stage", STAGES)
def test_both_paths_take_them(stage: str) -> None:
    for form in ("minimal", "full"):
        raw = examples()[f"{stage}.{form}"]
        assert decode(raw).stage == exact(raw).stage == check(raw).stage == stage


@pytest.mark.parametrize("stage", STAGES)
def test_the_full_one_has_every_field_that_the_stage_is_about(stage: str) -> None:
    event = check(examples()[f"{stage}.full"])
    own = set(MODELS[stage].model_fields) - set(MODELS["cutoff"].model_fields) - {"n_unique"}
    assert {name for name in own if getattr(event, name) is None} == set()
    assert None not in (event.version, event.attempt, event.seq, event.duration_ms, event.status)


def test_feedback_examples_become_rows() -> None:
    assert decode_interaction(examples()["interaction.full"], 0).kind == "purchase"
    assert decode_interaction(examples()["interaction.minimal"], 0).position is None
    assert decode_catalog(KEYED, examples()["catalog.full"], 0).attributes["sizes"] == '["S","M"]'
    assert decode_catalog(KEYED, examples()["catalog.minimal"], 0).title == "Rain jacket"


def test_the_committed_json_schema_is_that_of_the_models(tmp_path: Path) -> None:
    (tmp_path / "gone.json").write_text("{}")
    written = {file.name: file.read_text(encoding="utf-8") for file in write(tmp_path)}
    assert {file.name for file in tmp_path.iterdir()} == set(written)
    committed = {file.name: file.read_text(encoding="utf-8") for file in COMMITTED.iterdir()}
    assert written == committed, "run `rectrace schema --write schemas/json/v1`"


def test_a_schema_requires_what_the_wire_does() -> None:
    wire = ["schema_version", "request_id", "ts", "stage", "component"]
    assert documents()["scoring"]["required"] == wire
    assert documents()["request"]["required"] == [*wire, "placement", "k"]
    assert documents()["response"]["required"] == [*wire, "items"]
    assert documents()["interaction"]["required"] == ["request_id", "item", "kind", "ts"]
    assert "required" not in documents()["catalog"]
    assert len(documents()["event"]["oneOf"]) == len(STAGES)
    assert text(documents()["request"]).endswith("}\n")
