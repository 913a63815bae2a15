"""What kind of statement is it, and where does the data of an INSERT begin?"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rectrace.local.chdb_server.failure import failure

_TOKEN = re.compile(
    rb"""'(?:[^'\\]|\\.|'')*' | `(?:[^`\\]|\\.)*` | "(?:[^"\\]|\\.)*" | --[^\n]* | /\*.*?\*/ | \w+ | \s+ | .""",
    re.DOTALL | re.VERBOSE,
)
# The rest of the FORMAT line; the data begins on the next one and is taken byte for byte.
_LINE_END = re.compile(rb"[ \t\f]*\r?\n?")
_FORMAT_AT_END = re.compile(rb"\bFORMAT\s+(\w+)\s*(?:SETTINGS\b[^;]*)?;?\s*$", re.IGNORECASE)
_USE = re.compile(rb"\s*USE\s+(?:`([^`]+)`|\"([^\"]+)\"|(\w+))", re.IGNORECASE)
_READS = frozenset(b"SELECT WITH FROM VALUES".split())
_SHOWS = frozenset(b"SHOW DESC DESCRIBE EXPLAIN EXISTS CHECK KILL BACKUP RESTORE".split())


@dataclass(frozen=True)
class Insert:
    """An INSERT that carries its data: `head` is the statement without its FORMAT or VALUES."""

    head: str
    format: str
    data: bytes


@dataclass(frozen=True)
class Statement:
    """Any other statement."""

    sql: str
    format: str | None  # as its FORMAT clause says
    reads: bool  # a SELECT, whose result may be streamed
    has_result: bool
    uses: str | None  # the database of a USE


@dataclass(frozen=True)
class _Token:
    word: bytes  # upper case
    begin: int
    end: int


def parse(sql: bytes) -> Insert | Statement:
    """Raises Failure (code 62) for a second statement, as a server does over HTTP."""
    if insert := _insert(sql):
        return insert
    _refuse_second(sql)
    first = next((found[0].upper() for found in _meaningful(sql) if found[0] != b"("), b"")
    reads = first in _READS and not any(token.word == b"INSERT" for token in _tokens(sql))
    found = _FORMAT_AT_END.search(sql)
    use = _USE.match(sql)
    return Statement(
        sql=_text(sql),
        format=found[1].decode() if found else None,
        reads=reads,
        has_result=reads or first in _SHOWS,
        uses=_text(use[1] or use[2] or use[3]) if use else None,
    )


def _meaningful(sql: bytes) -> Iterator[re.Match[bytes]]:
    """All tokens but white space and comments."""
    for found in _TOKEN.finditer(sql):
        if not found[0].isspace() and found[0][:2] not in (b"--", b"/*"):
            yield found


def _tokens(sql: bytes) -> Iterator[_Token]:
    """The tokens that mean something, without what stands in parentheses (the opening one is there)."""
    depth = 0
    for found in _meaningful(sql):
        word = found[0]
        if word == b")":
            depth -= 1
        elif depth == 0:
            yield _Token(word.upper(), *found.span())
        depth += word == b"("


def _insert(sql: bytes) -> Insert | None:
    tokens = _tokens(sql)
    if next(tokens, _Token(b"", 0, 0)).word != b"INSERT":
        return None
    target = next((token for token in tokens if token.word not in (b"INTO", b"TABLE", b"FUNCTION")), None)
    if target is None:
        return None
    named = True  # just behind a part of the target's name: a dot goes on with it
    for token in tokens:
        if named and token.word == b".":
            next(tokens, None)
            continue
        named = False
        if token.word in (b"SELECT", b"WITH", b"FROM", b"WATCH"):
            return None
        if token.word == b"VALUES":
            return Insert(_text(sql[: token.begin]), "Values", sql[token.end :])
        if token.word == b"FORMAT" and (name := next(tokens, None)):
            begin = _LINE_END.match(sql, name.end)
            return Insert(
                _text(sql[: token.begin]), _text(sql[name.begin : name.end]), sql[begin.end() if begin else 0 :]
            )
    return None


def _refuse_second(sql: bytes) -> None:
    ended = False
    for found in _meaningful(sql):
        word = found[0]
        if ended and word != b";":
            at = f"failed at position {found.start() + 1}: {_text(word)}"
            raise failure(62, f"Syntax error (Multi-statements are not allowed): {at}", "SYNTAX_ERROR")
        ended = ended or word == b";"


def _text(sql: bytes) -> str:
    try:
        return sql.decode()
    except UnicodeDecodeError as error:
        raise failure(62, f"Syntax error: byte {error.start} of the query is not UTF-8", "SYNTAX_ERROR") from None
