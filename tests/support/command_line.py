"""Commands run in this process, and what they print compared with golden files: GOLDEN_WRITE=1 writes them again."""

import json
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


def check_text(words: Sequence[str], env: Mapping[str, str], file: Path) -> None:
    """What the command prints is what the golden file holds."""
    done = run(words, env)
    assert (done.exit_code, done.stderr) == (0, "")
    compare(file, done.stdout)


def check_narrow(words: Sequence[str], env: Mapping[str, str], file: Path) -> None:
    """The same on a terminal of 80 columns, in which all of it must fit."""
    done = run(words, {**env, **A_TERMINAL})
    assert (done.exit_code, done.stderr) == (0, "")
    assert all(len(line) <= 80 for line in done.stdout.splitlines())
    compare(file, done.stdout)


def check_json(words: Sequence[str], env: Mapping[str, str], file: Path) -> None:
    """The same as JSON."""
    done = run([*words, "--json"], env)
    assert (done.exit_code, done.stderr) == (0, "")
    json.loads(done.stdout)
    compare(file, done.stdout)
