"""JSON Schema of everything that travels, for producers in other languages; committed in schemas/json/v1."""

import json
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from schemas.catalog import CatalogItem
from schemas.documents import write as write_all
from schemas.events import ANY_EVENT, MODELS
from schemas.interactions import Interaction
from schemas.rules import Rule

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
COMMITTED: Final = Path(__file__).parent / "json" / "v1"


def documents() -> dict[str, dict[str, Any]]:
    """One schema by name: each stage, `event` (any of them), `interaction`, `catalog` and `rule`."""
    kinds: dict[str, TypeAdapter[Any]] = {
        **{stage: TypeAdapter(model) for stage, model in MODELS.items()},
        "event": ANY_EVENT,
        "interaction": TypeAdapter(Interaction),
        "catalog": TypeAdapter(CatalogItem),
        "rule": TypeAdapter(Rule),
    }
    return {name: {"$schema": DIALECT, **kind.json_schema(mode="validation")} for name, kind in kinds.items()}


def write(folder: Path) -> list[Path]:
    """Write one file a document, remove those of documents that are gone, and return the files."""
    return write_all(folder, {name: text(document) for name, document in documents().items()}, "*.json")


def text(document: dict[str, Any]) -> str:
    """A document as it is committed."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
