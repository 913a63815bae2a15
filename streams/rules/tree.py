"""What a `when` means, once it is understood: a tree of typed nodes, all known, all checked.

Equal trees are equal values, so that rules share what they have in common.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from streams.rules.fields import NAMED, Field, Type

Value = bool | float | str | datetime | None


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that stands in the text; None: NULL."""

    value: Value
    type: Type


@dataclass(frozen=True, slots=True)
class Call:
    """A function or operator over its arguments."""

    function: str
    arguments: tuple["Tree", ...]
    type: Type


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Over the served items of a request: of `argument`, where `condition` is true."""

    function: str
    argument: "Tree | None"  # None: count()
    condition: "Tree | None"
    level: float  # of a quantile
    type: Type


Tree = Field | Constant | Call | Aggregate

LOGIC: Final = frozenset({"and", "or", "not"})
_PLAIN: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+\Z", re.ASCII)
_INFIX: Final = frozenset(
    {"and", "or", "=", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "||", "like", "ilike"}
)


def parts(tree: Tree) -> tuple[Tree, ...]:
    """The trees directly below."""
    if isinstance(tree, Call):
        return tree.arguments
    if isinstance(tree, Aggregate):
        return tuple(part for part in (tree.argument, tree.condition) if part is not None)
    return ()


def walk(tree: Tree) -> Iterator[Tree]:
    """The tree and all below it, in the order in which they are written."""
    yield tree
    for part in parts(tree):
        yield from walk(part)


def fields(tree: Tree) -> list[Field]:
    """The fields it names, each once."""
    return list(dict.fromkeys(node for node in walk(tree) if isinstance(node, Field)))


def aggregates(tree: Tree) -> list[Aggregate]:
    """The aggregates in it, each once."""
    return list(dict.fromkeys(node for node in walk(tree) if isinstance(node, Aggregate)))


def constant(tree: Tree) -> bool:
    """Whether it is the same for every row."""
    return isinstance(tree, Constant) or (isinstance(tree, Call) and all(map(constant, tree.arguments)))


def text(tree: Tree) -> str:
    """SQL for people to read."""
    if isinstance(tree, Field):
        return (
            f"{tree.group}[{_literal(tree.key)}]" if tree.group in NAMED and not _PLAIN.match(tree.name) else tree.name
        )
    if isinstance(tree, Constant):
        return _literal(tree.value)
    if isinstance(tree, Aggregate):
        return _aggregate(tree)
    written = [f"({text(each)})" if _binds_less(each) else text(each) for each in tree.arguments]
    if tree.function in _INFIX:
        return f" {tree.function.upper() if tree.function.isalpha() else tree.function} ".join(written)
    if tree.function == "in":
        return f"{written[0]} IN ({', '.join(written[1:])})"
    if tree.function == "negate":
        return f"-({text(tree.arguments[0])})"
    name = "multiIf" if tree.function == "case" else tree.function
    return f"{name}({', '.join(text(each) for each in tree.arguments)})"


def _aggregate(tree: Aggregate) -> str:
    name = tree.function + ("If" if tree.condition is not None else "")
    level = f"({tree.level:g})" if tree.function == "quantile" else ""
    return f"{name}{level}({', '.join(text(part) for part in parts(tree))})"


def _binds_less(tree: Tree) -> bool:
    return isinstance(tree, Call) and tree.function in _INFIX


def _literal(value: Value) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "NULL"}[value]
    if isinstance(value, float):
        return repr(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime):
        return f"toDateTime('{value:%Y-%m-%d %H:%M:%S.%f}')"
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"
