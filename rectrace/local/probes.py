"""Does a server answer? Asked in its own protocol: a port that accepts connections may not be ready to serve."""

import socket
import struct
import urllib.request

from rectrace.local.ports import LOOPBACK

METADATA, VERSION, CORRELATION = 3, 1, 7


def kafka_answers(port: int, timeout: float = 1) -> bool:
    """True once the broker's metadata lists at least one broker."""
    body = struct.pack(">hhihi", METADATA, VERSION, CORRELATION, -1, 0)  # no client id, no topics
    try:
        with socket.create_connection((LOOPBACK, port), timeout) as connection:
            connection.sendall(struct.pack(">i", len(body)) + body)
            with connection.makefile("rb") as reply:
                size, correlation, brokers = struct.unpack(">iii", reply.read(12))
    except (OSError, struct.error):
        return False
    return bool(size > 8 and correlation == CORRELATION and brokers > 0)


def http_answers(url: str, timeout: float = 1) -> bool:
    """True once the URL answers 200."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as response:  # noqa: S310 - our own http:// URLs
            return bool(response.status == 200)
    except OSError:
        return False
