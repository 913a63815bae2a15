"""Compressed bodies and the wording of errors."""

import gzip
import zlib
from collections.abc import Callable

import lz4.frame
import pytest

from rectrace.local.chdb_server.bodies import choose, compress, decompress
from rectrace.local.chdb_server.failure import Failure


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("lz4", lz4.frame.compress)]
)
def test_all_frames_of_a_body_are_read(encoding: str, pack: Callable[[bytes], bytes]) -> None:
    assert decompress(pack(b"one") + pack(b"") + pack(b"two"), encoding) == b"onetwo"


@pytest.mark.parametrize("encoding", ["zstd", "lz4", "gzip"])
def test_what_is_compressed_comes_back(encoding: str) -> None:
    assert decompress(compress(b"x" * 1000, encoding), encoding) == b"x" * 1000
    for cut in (1, 7):
        with pytest.raises(Failure, match="Cannot decompress") as caught:
            decompress(compress(b"x" * 1000, encoding)[:-cut], encoding)
        assert caught.value.code == 271


def test_an_unknown_encoding_is_named() -> None:
    with pytest.raises(Failure, match="br"):
        decompress(b"", "br")


def test_the_answer_s_encoding() -> None:
    assert choose("gzip, deflate, lz4") == "lz4"
    assert choose("br") is None


@pytest.mark.parametrize(
    ("raised", "told", "code", "status"),
    [
        ("Code: 60. DB::Exception: no t. (UNKNOWN_TABLE)", "Code: 60. DB::Exception: no t. (UNKNOWN_TABLE)", 60, 404),
        ("Streaming query failed: Code: 1. DB::Exception: x", "Code: 1. DB::Exception: x", 1, 500),
        ("Code: 2. DB::Exception: Code: 2. DB::Exception: x", "Code: 2. DB::Exception: x", 2, 500),
        ("what", "Code: 1002. DB::Exception: what (UNKNOWN_EXCEPTION)", 1002, 500),
    ],
)
def test_failures_read_as_a_server_s(raised: str, told: str, code: int, status: int) -> None:
    failure = Failure(raised)
    assert (str(failure), failure.code, failure.status) == (told, code, status)
