"""Prometheus Alertmanager on loopback, where its program is on the machine: Debian's or the project's own."""

import shutil
from pathlib import Path

from rectrace.local.errors import LocalError
from rectrace.local.ports import LOOPBACK, start_on
from rectrace.local.probes import http_answers
from rectrace.local.processes import Child, start

PROGRAMS = ("prometheus-alertmanager", "alertmanager")
READY_SECONDS = 20


class RunningAlertmanager:
    """`with start_alertmanager(...) as running:` stops it at the end."""

    def __init__(self, child: Child, port: int) -> None:
        self.child = child
        self.port = port
        self.url = f"http://{LOOPBACK}:{port}"

    def stop(self) -> None:
        """SIGTERM; it saves silences and what it has notified of."""
        self.child.stop()

    def __enter__(self) -> "RunningAlertmanager":
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()


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
    return start_on(port, "", lambda chosen: _start(program, chosen, directory))


def _start(program: str, port: int, directory: Path) -> RunningAlertmanager:
    command = [program, f"--config.file={directory / 'alertmanager.yml'}", f"--storage.path={directory / 'data'}"]
    command += [f"--web.listen-address={LOOPBACK}:{port}", "--cluster.listen-address="]  # alone: no cluster port
    child = start("alertmanager", command, directory / "alertmanager.log")
    running = RunningAlertmanager(child, port)
    try:
        child.wait_ready(lambda: http_answers(f"{running.url}/-/ready"), READY_SECONDS)
    except BaseException:
        child.kill()
        raise
    return running


def _program() -> str | None:
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)
