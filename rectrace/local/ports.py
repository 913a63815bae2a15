"""Ports on the loopback interface."""

import random
import socket
from collections.abc import Callable
from typing import TypeVar

from rectrace.local.errors import LocalError, PortInUse

LOOPBACK = "127.0.0.1"
CANDIDATES = range(20_000, 32_000)
ATTEMPTS = 20

Started = TypeVar("Started")


def free_port() -> int:
    """A port that nobody used a moment ago. Another process may still take it first.

    Below the range that the kernel gives to outgoing connections: from that range a client that tries to reconnect
    could be given the very port, while its server restarts, and be connected to itself.
    """
    for _ in range(ATTEMPTS):
        port = random.choice(CANDIDATES)  # noqa: S311 - nothing secret
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
        return port
    raise LocalError(f"found no free port on {LOOPBACK} in {ATTEMPTS} attempts")


def claim(port: int, option: str = "") -> int:
    """The port itself if it can be bound now, or a free one for 0. Raises PortInUse, which names `option`."""
    if port == 0:
        return free_port()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT can be bound
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            raise PortInUse(f"{LOOPBACK}:{port}", option) from None
    return port


def start_on(port: int, option: str, start: Callable[[int], Started]) -> Started:
    """Start a server on the port, or on a free one for 0: on another if somebody took the free one in between."""
    for _ in range(ATTEMPTS):
        try:
            return start(claim(port, option))
        except PortInUse:
            if port:
                raise
    raise LocalError(f"found no free port on {LOOPBACK} in {ATTEMPTS} attempts")
