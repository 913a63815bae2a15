"""Servers of the Prometheus family on loopback: each says at /-/ready when it is."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from rectrace.local.ports import LOOPBACK
from rectrace.local.probes import http_answers
from rectrace.local.processes import Child, start


class Running:
    """`with start_...(...) as running:` stops it at the end."""

    def __init__(self, child: Child, port: int) -> None:
        self.child = child
        self.port = port
        self.url = f"http://{LOOPBACK}:{port}"

    def stop(self) -> None:
        """SIGTERM; what it must keep it saves."""
        self.child.stop()

    def __enter__(self: "R") -> "R":
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()


R = TypeVar("R", bound=Running)


def start_ready(server: type[R], name: str, command: Sequence[str], port: int, directory: Path, patience: float) -> R:
    """Start it on 127.0.0.1:port and wait until it is ready, for `patience` seconds at most; its output is in
    `directory`. Raises LocalError, with the end of that."""
    child = start(name, [*command, f"--web.listen-address={LOOPBACK}:{port}"], directory / f"{name}.log")
    running = server(child, port)
    try:
        child.wait_ready(lambda: http_answers(f"{running.url}/-/ready"), patience)
    except BaseException:
        child.kill()
        raise
    return running
