"""Native blocks as each client's protocol revision wants them.

The engine writes Native at revision 0. A server asked with client_protocol_version=N puts a block info before each
block and, from 54454 on, a "custom serialization" flag behind each column's header. clickhouse-connect asks for 54405,
clickhouse-go for 54460. The flag's place needs the end of each column's body, so bodies are walked; JSON, Dynamic,
Variant and aggregate states are not.
"""

import re

from rectrace.local.chdb_server.failure import failure

CUSTOM_SERIALIZATION = 54454
BLOCK_INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"  # not an overflow block, bucket -1, end

_WIDTHS = {
    1: "UInt8 Int8 Bool Enum8 Nothing",
    2: "UInt16 Int16 Enum16 Date BFloat16",
    4: "UInt32 Int32 Float32 Date32 DateTime Time IPv4",
    8: "UInt64 Int64 Float64 DateTime64 Time64",
    16: "UInt128 Int128 UUID IPv6 Point",
    32: "UInt256 Int256",
}
_WIDTH = {name: width for width, names in _WIDTHS.items() for name in names.split()}
_DECIMAL_WIDTHS = ((9, 4), (18, 8), (38, 16), (76, 32))  # digits up to, bytes
_ARGUMENT = re.compile(r"'(?:[^'\\]|\\.)*'|`[^`]*`|.")
_ELEMENT_NAME = re.compile(r"^(?:`[^`]*`|\w+)\s+(?=\w)")


def reframe(data: bytes, revision: int, one_block: bool) -> bytes:
    """Blocks at revision 0 -> blocks at `revision`. one_block: the caller knows that `data` is one."""
    if not revision or not data:
        return data
    flag = b"\x00" if revision >= CUSTOM_SERIALIZATION else b""
    if one_block and not flag:
        return BLOCK_INFO + data
    out: list[bytes] = []
    at = 0
    while at < len(data):
        at = _block(data, at, flag, out)
    return b"".join(out)


def _block(data: bytes, begin: int, flag: bytes, out: list[bytes]) -> int:
    columns, at = _varint(data, begin)
    rows, at = _varint(data, at)
    out += BLOCK_INFO, data[begin:at]
    for _ in range(columns):
        begin = at
        size, at = _varint(data, at)  # the name
        size, head = _varint(data, at + size)  # the type
        kind, head = data[head : head + size].decode(), head + size
        prefix = 8 * kind.count("LowCardinality(") if rows else 0  # each one writes its version first
        at = _skip(data, head + prefix, kind, rows)
        out += data[begin:head], flag, data[head:at]
    return at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return value, at


def _number(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 8], "little")


def _arguments(text: str) -> list[str]:
    """The comma-separated arguments of a type, without the names of tuple elements."""
    parts, depth = [""], 0
    for piece in _ARGUMENT.findall(text):
        depth += (piece == "(") - (piece == ")")
        if piece == "," and not depth:
            parts.append("")
        else:
            parts[-1] += piece
    return [_ELEMENT_NAME.sub("", part.strip()) for part in parts]


def _skip(data: bytes, at: int, kind: str, rows: int) -> int:
    """Where the body of a column of this type that begins at `at` ends."""
    name, _, inner = kind.partition("(")
    inner = inner[:-1]
    if name in _WIDTH or name.startswith("Interval"):
        return at + _WIDTH.get(name, 8) * rows
    if name == "FixedString":
        return at + int(inner) * rows
    if name == "Decimal":
        digits = int(inner.split(",")[0])
        return at + next(width for most, width in _DECIMAL_WIDTHS if digits <= most) * rows
    if name == "String":
        return _skip_strings(data, at, rows)
    if name == "Nullable":
        return _skip(data, at + rows, inner, rows)
    if name in ("Array", "Map", "Nested"):
        inner = inner if name == "Array" else f"Tuple({inner})"
        return _skip(data, at + 8 * rows, inner, _number(data, at + 8 * rows - 8)) if rows else at
    if name in ("Tuple", "SimpleAggregateFunction"):
        for part in _arguments(inner)[-1 if name[0] == "S" else 0 :]:
            at = _skip(data, at, part, rows)
        return at
    if name == "LowCardinality":
        return _skip_low_cardinality(data, at, inner) if rows else at
    raise failure(48, f"No {name} in Native for this client", "NOT_IMPLEMENTED")


def _skip_strings(data: bytes, at: int, rows: int) -> int:
    for _ in range(rows):
        size, at = _varint(data, at)
        at += size
    return at


def _skip_low_cardinality(data: bytes, at: int, inner: str) -> int:
    width, keys = 1 << (_number(data, at) & 255), _number(data, at + 8)
    at = _skip(data, at + 16, inner[9:-1] if inner.startswith("Nullable(") else inner, keys)
    return at + 8 + width * _number(data, at)
