"""Reframing of Native blocks, on blocks written by hand."""

import pytest

from rectrace.local.chdb_server.failure import Failure
from rectrace.local.chdb_server.native import BLOCK_INFO, reframe

INTEGERS = b"\x01\x02" + b"\x01n\x06UInt16" + b"\x01\x00\x02\x00"
STRINGS = b"\x02\x01" + b"\x01s\x06String" + b"\x03abc" + b"\x01t\x10Nullable(String)" + b"\x01\x00"
EMPTY = b"\x01\x00" + b"\x01a\x0dArray(String)"


def test_block_info_stands_before_each_block() -> None:
    for blocks in ([INTEGERS], [INTEGERS, STRINGS, INTEGERS], [EMPTY, STRINGS]):
        framed = b"".join(BLOCK_INFO + block for block in blocks)
        assert reframe(b"".join(blocks), 54405, one_block=False) == framed
    assert reframe(STRINGS, 54405, one_block=True) == BLOCK_INFO + STRINGS


def test_a_flag_stands_behind_each_column_s_header() -> None:
    flagged = b"\x02\x01" + b"\x01s\x06String\x00" + b"\x03abc" + b"\x01t\x10Nullable(String)\x00" + b"\x01\x00"
    assert reframe(STRINGS, 54460, one_block=True) == BLOCK_INFO + flagged
    assert reframe(EMPTY, 54460, one_block=True) == BLOCK_INFO + EMPTY + b"\x00"


def test_revision_0_and_nothing_stay_as_they_are() -> None:
    assert reframe(b"anything", 0, one_block=False) == b"anything"
    assert reframe(b"", 54460, one_block=False) == b""


def test_a_type_that_cannot_be_walked_is_named() -> None:
    with pytest.raises(Failure, match="No JSON in Native") as caught:
        reframe(b"\x01\x01" + b"\x01j\x04JSON" + b"\x00" * 20, 54460, one_block=False)
    assert (caught.value.code, caught.value.status) == (48, 501)
