"""Compressed request and response bodies."""

import gzip
import sys
import zlib
from collections.abc import Callable
from typing import Any

import lz4.frame

from rectrace.local.chdb_server.failure import failure

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_DECOMPRESSORS: dict[str, Callable[[], Any]] = {
    "gzip": lambda: zlib.decompressobj(31),
    "deflate": zlib.decompressobj,
    "lz4": lz4.frame.LZ4FrameDecompressor,
    "zstd": zstd.ZstdDecompressor,
}
_COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "zstd": lambda data: zstd.compress(data, 1),
    "lz4": lz4.frame.compress,
    "gzip": lambda data: gzip.compress(data, 1),
}


def decompress(data: bytes, encoding: str) -> bytes:
    """A whole request body. Clients send one frame per block, so frames are read until none is left."""
    if encoding not in _DECOMPRESSORS:
        raise failure(48, f"Unknown Content-Encoding {encoding}", "NOT_IMPLEMENTED")
    parts = []
    try:
        while data:
            frame = _DECOMPRESSORS[encoding]()
            parts.append(frame.decompress(data))
            if not frame.eof:
                raise EOFError("the last frame is truncated")
            data = frame.unused_data
    except Exception as error:
        text = f"Cannot decompress the {encoding} request body: {error}"
        raise failure(271, text, "CANNOT_DECOMPRESS") from error
    return b"".join(parts)


def choose(accepted: str) -> str | None:
    """The encoding to answer with, of an Accept-Encoding header."""
    return next((name for name in _COMPRESSORS if name in accepted), None)


def compress(data: bytes, encoding: str) -> bytes:
    """One frame: clients read a response as one."""
    return _COMPRESSORS[encoding](data)
