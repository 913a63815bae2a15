"""Prometheus Alertmanager on loopback, where its program is on the machine: Debian's or the project's own."""

import shutil
from pathlib import Path

from rectrace.local.errors import LocalError
from rectrace.local.ports import start_on
from rectrace.local.ready import Running, start_ready

PROGRAMS = ("prometheus-alertmanager", "alertmanager")
READY_SECONDS = 20


class RunningAlertmanager(Running):
    """When it is stopped it saves silences and what it has notified of."""


def missing() -> str | None:
    """Why there is none, and how to get it."""
    if _program():
        return None
    return "needs Alertmanager: apt-get install prometheus-alertmanager, or put `alertmanager` on the PATH"


def start_alertmanager(port: int, directory: Path, config: str) -> RunningAlertmanager:
    """Start it on 127.0.0.1:port (0: a free one) with this configuration (YAML) and wait until it is ready.

    Data, configuration and output stay in `directory`. Raises LocalError, with the end of the output.
    """
    program = _program()
    if program is None:
        raise LocalError(f"{missing()}")
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "alertmanager.yml").write_text(config)
    command = [program, f"--config.file={directory / 'alertmanager.yml'}", f"--storage.path={directory / 'data'}"]
    command += ["--cluster.listen-address="]  # alone: no cluster port
    return start_on(
        port,
        "",
        lambda chosen: start_ready(RunningAlertmanager, "alertmanager", command, chosen, directory, READY_SECONDS),
    )


def _program() -> str | None:
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)
