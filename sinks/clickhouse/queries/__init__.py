"""The SQL that the seal, people and the console use: each query once, a file each, `$name` filled in by `sql`.

Only names from our own code and settings are filled in; values of users travel as ClickHouse query parameters.
"""

from functools import cache
from importlib.resources import files
from string import Template
from typing import Final

from schemas.pipeline import CUTTING_STAGES, PARALLEL_STAGES, STAGES


def literal(values: object) -> str:
    """A Python str, number, sequence or mapping as a ClickHouse literal."""
    if isinstance(values, str):
        return "'" + values.replace("\\", "\\\\").replace("'", "\\'") + "'"
    if isinstance(values, (int, float)):
        return repr(values)
    if isinstance(values, (list, tuple)):
        return "[" + ", ".join(map(literal, values)) + "]"
    raise TypeError(f"no ClickHouse literal for {type(values).__name__}")


STAGES_LITERAL: Final = literal(STAGES)
_CONSTANTS: Final = {
    "stages": STAGES_LITERAL,
    "parallel": literal(sorted(PARALLEL_STAGES)),
    "cutting": literal(sorted(CUTTING_STAGES)),
}


@cache
def _template(name: str) -> Template:
    lines = files(__name__).joinpath(f"{name}.sql").read_text("utf-8").splitlines()
    return Template("\n".join(line for line in lines if not line.lstrip().startswith("--")))


def sql(name: str, **fill: str) -> str:
    """The text of queries/NAME.sql with every placeholder filled in; a missing one is a KeyError."""
    return _template(name).substitute(_CONSTANTS, **fill)
