"""Requests chosen by what they say of themselves: `country=DE,device=ios` as text, as SQL and as its parameters.

A comma parts two pairs where NAME= follows it; one within a value has a backslash before it, as a backslash has.
"""

import re
from collections.abc import Iterable
from typing import Final

Pair = tuple[str, str]  # name and value

_BETWEEN: Final = re.compile(r",(?=(?:[^,=\\]|\\.)+=)")
_ESCAPED: Final = re.compile(r"\\([\\,])")
_SPECIAL: Final = re.compile(r"([\\,])")


def pairs(text: str) -> list[Pair]:
    """What a text says. ValueError for a piece that is not NAME=VALUE."""
    found = []
    for piece in _pieces(text) if text else []:
        name, equals, value = piece.partition("=")
        if not (name and equals and value):
            raise ValueError(f"{piece!r} is not NAME=VALUE")
        found.append((_plain(name), _plain(value)))
    return found


def joined(chosen: Iterable[Pair]) -> str:
    """The text that says so."""
    return ",".join(f"{_escaped(name)}={_escaped(value)}" for name, value in chosen)


def condition(column: str, chosen: Iterable[Pair]) -> str:
    """An SQL expression over a map; empty where nothing is chosen. The parameters are those of the same column."""
    return " AND ".join(
        f"{column}[{{{column}_name_{number}:String}}] = {{{column}_value_{number}:String}}"
        for number, _ in enumerate(chosen)
    )


def parameters(column: str, chosen: Iterable[Pair]) -> dict[str, str]:
    """Query parameters of the condition."""
    told: dict[str, str] = {}
    for number, (name, value) in enumerate(chosen):
        told |= {f"{column}_name_{number}": name, f"{column}_value_{number}": value}
    return told


def _pieces(text: str) -> list[str]:
    """Cut where a comma has no backslash before it that is not itself escaped."""
    cuts = [found.start() for found in _BETWEEN.finditer(text) if not _is_escaped(text, found.start())]
    ends = [*cuts, len(text)]
    starts = [0, *(cut + 1 for cut in cuts)]
    return [text[start:end] for start, end in zip(starts, ends, strict=True)]


def _is_escaped(text: str, at: int) -> bool:
    before = text[:at]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)


def _plain(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)
