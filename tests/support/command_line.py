"""Commands run in this process, and what they print compared with golden files: GOLDEN_WRITE=1 writes them again."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from typer.testing import CliRunner, Result

from rectrace.cli import app

A_TERMINAL = {"FORCE_COLOR": "1", "TERM": "dumb"}  # of 80 columns, without colours


def run(words: Sequence[str], env: Mapping[str, str]) -> Result:
    """With nothing of the settings and the terminal that this process has itself."""
    without = [name for name in os.environ if name.startswith("RECTRACE_")] + ["FORCE_COLOR", "COLUMNS", "NO_COLOR"]
    return CliRunner().invoke(app, list(words), env={**dict.fromkeys(without), **env})


def compare(file: Path, printed: str) -> None:
    """With the golden file, line by line; trailing blanks do not count."""
    printed = "".join(f"{line.rstrip()}\n" for line in printed.splitlines())
    if os.environ.get("GOLDEN_WRITE"):
        file.write_text(printed)
    assert printed == file.read_text()
