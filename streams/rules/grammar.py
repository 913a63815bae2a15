"""The grammar of `when`: ClickHouse's, of which only expressions are used, and what cannot be parsed told plainly."""

import logging
from typing import Any, ClassVar, Final

import sqlglot
from sqlglot import exp
from sqlglot.dialects.clickhouse import ClickHouse
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ParseError, SqlglotError

_CONTEXT: Final = 20_000  # characters before an error that sqlglot tells: all of them
_WORDS: Final = frozenset(
    [
        "AND",
        "BETWEEN",
        "CASE",
        "DISTINCT",
        "ELSE",
        "END",
        "FALSE",
        "ILIKE",
        "IN",
        "IS",
        "LIKE",
        "NOT",
        "NULL",
        "OR",
        "SELECT",
        "THEN",
        "TRUE",
        "WHEN",
    ]
)

logging.getLogger("sqlglot").setLevel(logging.ERROR)  # it warns of statements, which we refuse


class Mistake(ValueError):  # noqa: N818
    """What is wrong with a text; offset: the character where, from 0 on."""

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset


class _Dialect(Dialect):
    """ClickHouse's grammar with no function known: each call is read by us."""

    class Tokenizer(ClickHouse.Tokenizer):
        """ClickHouse's signs, and of its words only ours: or f(all(x)) would be read as f(ALL (x))."""

        KEYWORDS: ClassVar[dict[str, Any]] = {
            word: token
            for word, token in ClickHouse.Tokenizer.KEYWORDS.items()
            if word in _WORDS or not word[:1].isalpha()
        }

    class Parser(ClickHouse.Parser):  # type: ignore[misc,valid-type] # chosen at run time
        """Calls as they are written."""

        FUNCTIONS: ClassVar[dict[str, Any]] = {}
        FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {}
        NO_PAREN_FUNCTIONS: ClassVar[dict[Any, Any]] = {}


def parse(text: str) -> exp.Expr:
    """The syntax tree of one condition. Raises `Mistake`."""
    try:
        parsed = sqlglot.parse(text, dialect=_Dialect, error_message_context=_CONTEXT)
    except ParseError as error:
        told = error.errors[0]
        raise Mistake(_said(told), min(len(told.get("start_context") or ""), len(text))) from None
    except SqlglotError as error:
        raise Mistake("a quote that is not closed" if _open_quote(text) else str(error).splitlines()[0]) from None
    if len(parsed) != 1 or parsed[0] is None:
        raise Mistake("must be one condition" if parsed[:1] != [None] else "is empty")
    return parsed[0]


def _said(told: dict[str, Any]) -> str:
    found, description = told.get("highlight") or "", str(told.get("description"))
    if description.startswith("Required keyword"):
        return f"something is missing after {found!r}"
    if description.startswith("Expecting"):
        return f"{description[0].lower()}{description[1:]} after {found!r}"
    return f"cannot be read from {found!r} on"


def _open_quote(text: str) -> bool:
    return any(text.count(quote) % 2 for quote in "'\"`")
