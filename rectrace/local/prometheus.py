"""Prometheus on loopback, and its tools, where they are on the machine: Debian's or the project's own."""

import shutil
from pathlib import Path

from rectrace.local.errors import LocalError
from rectrace.local.ports import start_on
from rectrace.local.ready import Running, start_ready

PROGRAMS = ("prometheus", "promtool", "amtool")
READY_SECONDS = 30


class RunningPrometheus(Running):
    """What it has scraped stays in its directory."""


def missing() -> str | None:
    """Which of the programs are not here, and how to get them."""
    if absent := [name for name in PROGRAMS if not shutil.which(name)]:
        return (
            f"needs {', '.join(absent)}: apt-get install prometheus prometheus-alertmanager, or put the programs on "
            "the PATH"
        )
    return None


def start_prometheus(port: int, directory: Path, config: str) -> RunningPrometheus:
    """Start it on 127.0.0.1:port (0: a free one) with this configuration (YAML) and wait until it is ready.

    Data, configuration and output stay in `directory`, from where files that the configuration names are looked for.
    Raises LocalError, with the end of the output.
    """
    program = shutil.which("prometheus")
    if program is None:
        raise LocalError(f"{missing()}")
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "prometheus.yml").write_text(config)
    command = [program, f"--config.file={directory / 'prometheus.yml'}", f"--storage.tsdb.path={directory / 'data'}"]
    return start_on(
        port,
        "",
        lambda chosen: start_ready(RunningPrometheus, "prometheus", command, chosen, directory, READY_SECONDS),
    )
