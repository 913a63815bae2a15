"""Prometheus on loopback, and its tools, where they are on the machine: Debian's or the project's own."""

import shutil
from pathlib import Path

from rectrace.local.errors import LocalError
from rectrace.local.ports import LOOPBACK, start_on
from rectrace.local.probes import http_answers
from rectrace.local.processes import Child, start

PROGRAMS = ("prometheus", "promtool", "amtool")
READY_SECONDS = 30


class RunningPrometheus:
    """`with start_prometheus(...) as running:` stops it at the end."""

    def __init__(self, child: Child, port: int) -> None:
        self.child = child
        self.port = port
        self.url = f"http://{LOOPBACK}:{port}"

    def stop(self) -> None:
        """SIGTERM; what it has scraped stays in its directory."""
        self.child.stop()

    def __enter__(self) -> "RunningPrometheus":
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()


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
    return start_on(port, "", lambda chosen: _start(program, chosen, directory))


def _start(program: str, port: int, directory: Path) -> RunningPrometheus:
    command = [program, f"--config.file={directory / 'prometheus.yml'}", f"--storage.tsdb.path={directory / 'data'}"]
    command += [f"--web.listen-address={LOOPBACK}:{port}"]
    child = start("prometheus", command, directory / "prometheus.log")
    running = RunningPrometheus(child, port)
    try:
        child.wait_ready(lambda: http_answers(f"{running.url}/-/ready"), READY_SECONDS)
    except BaseException:
        child.kill()
        raise
    return running
