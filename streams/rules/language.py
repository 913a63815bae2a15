"""From the text of `when` to a checked tree.

SQL expressions in ClickHouse's manner over the fields of a scope (fields.py) and a closed list of functions
(functions.py). No statement, no subquery, no other table can be written: what is not listed here is refused.

Numbers are double precision. NULL is three-valued logic, as in SQL. Text and numbers are never compared.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any, Final

from sqlglot import exp

from streams.rules.calls import Calls, shown
from streams.rules.fields import NAMED, Type, Unknown, Where, resolve
from streams.rules.functions import BOOLEAN, NUMBER, SCALAR, TEXT
from streams.rules.grammar import Mistake, parse
from streams.rules.tree import Call, Constant, Tree

__all__ = ["Mistake", "read"]

MAX_NODES: Final = 2_000
MAX_DEPTH: Final = 50


def read(text: str, where: Where) -> Tree:
    """The tree of a condition. Raises `Mistake`."""
    try:
        tree = Reader(text, where).tree(parse(text))
    except RecursionError:
        raise Mistake("nested too deeply") from None
    if tree.type != "boolean":
        raise Mistake(f"must be a condition, and is a {tree.type}")
    return tree


class Reader(Calls):
    """One text on its way to a tree."""

    def __init__(self, text: str, where: Where) -> None:
        super().__init__(text, where)
        self._nodes = self._depth = 0

    def tree(self, node: exp.Expr) -> Tree:
        """The tree of a node."""
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise Mistake(f"more than {MAX_NODES} parts; make several rules of it")
        if self._depth >= MAX_DEPTH:
            raise self.wrong(node, "nested too deeply")
        self._depth += 1
        made = self._read(node)
        self._depth -= 1
        return made

    def _read(self, node: exp.Expr) -> Tree:
        for kind, reader in _READERS:
            if isinstance(node, kind):
                return reader(self, node)
        raise self.wrong(node, f"{shown(node)} is not part of the language of rules")

    def column(self, node: exp.Column) -> Tree:
        """A field."""
        names = [part for part in node.parts if isinstance(part, exp.Identifier)]
        if len(names) != len(node.parts):
            raise self.wrong(node, f"unknown field {str(node)!r}")
        return self._field(tuple(part.name for part in names), node)

    def bracket(self, node: exp.Bracket) -> Tree:
        """segments['age band']"""
        keys, group = node.expressions, node.this
        if not (isinstance(group, exp.Column) and group.name in NAMED and len(group.parts) == 1):
            raise self.wrong(node, f"only {', '.join(NAMED)} have names in brackets")
        if len(keys) != 1 or not (isinstance(keys[0], exp.Literal) and keys[0].is_string):
            raise self.wrong(node, f"expected a name: {group.name}['name']")
        return self._field((group.name, keys[0].name), node)

    def _field(self, path: tuple[str, ...], node: exp.Expr) -> Tree:
        try:
            return resolve(path, self.where, bool(self.inside))
        except Unknown as error:
            raise self.wrong(node, str(error.args[0])) from None

    def literal(self, node: exp.Literal) -> Tree:
        """A number or a text."""
        if node.is_string:
            return Constant(node.name, "text")
        number = float(node.name)
        if not math.isfinite(number):
            raise self.wrong(node, f"{node.name} is too large a number")
        return Constant(number, "number")

    def boolean(self, node: exp.Boolean) -> Tree:
        """true, false"""
        return Constant(bool(node.this), "boolean")

    def null(self, node: exp.Null) -> Tree:
        """NULL where a value of any type may stand: the callers that allow it do not come here."""
        raise self.wrong(node, "NULL compares with nothing: write IS NULL or IS NOT NULL")

    def paren(self, node: exp.Paren) -> Tree:
        """( )"""
        return self.tree(node.this)

    def logic(self, node: exp.Connector | exp.Not) -> Tree:
        """and, or, not; a chain of one connector is one call."""
        if isinstance(node, exp.Not):
            return self._call("not", [node.this], [BOOLEAN], "boolean")
        return self._call(node.key, list(node.flatten()), None, "boolean", BOOLEAN)

    def compare(self, node: exp.Binary) -> Tree:
        """=, !=, <, <=, >, >="""
        left, right = self.tree(node.this), self.tree(node.expression)
        return self.compared(_COMPARISONS[type(node)], left, right, node)

    def between(self, node: exp.Between) -> Tree:
        """x BETWEEN low AND high, both included"""
        value = self.tree(node.this)
        low = self.compared(">=", value, self.tree(node.args["low"]), node)
        return Call("and", (low, self.compared("<=", value, self.tree(node.args["high"]), node)), "boolean")

    def among(self, node: exp.In) -> Tree:
        """x IN ('a', 'b')"""
        if node.args.get("query") is not None or node.args.get("field") is not None or not node.expressions:
            raise self.wrong(node, "IN takes a list of values in brackets, and nothing else")
        value = self.typed(node.this, SCALAR, "IN")
        choices = [self.constant(each) for each in node.expressions]
        for choice, part in zip(choices, node.expressions, strict=True):
            if choice.type != value.type:
                raise self.wrong(part, f"IN compares a {value.type} with a {choice.type}")
        return Call("in", (value, *dict.fromkeys(choices)), "boolean")

    def is_(self, node: exp.Is) -> Tree:
        """IS NULL, IS TRUE, IS FALSE; a NOT is around it."""
        if isinstance(node.expression, exp.Null):
            return Call("isnull", (self.tree(node.this),), "boolean")
        if isinstance(node.expression, exp.Boolean):
            value = self.typed(node.this, BOOLEAN, "IS")
            same = Call("=", (value, self.tree(node.expression)), "boolean")
            return Call("coalesce", (same, Constant(value=False, type="boolean")), "boolean")
        raise self.wrong(node, "IS takes NULL, NOT NULL, TRUE or FALSE")

    def like(self, node: exp.Like | exp.ILike) -> Tree:
        """LIKE, ILIKE: % is any text, _ one character, a backslash takes the meaning away."""
        pattern = self.constant(node.expression)
        if pattern.type != "text":
            raise self.wrong(node.expression, "LIKE takes a pattern in quotes")
        made = Call(node.key, (self.typed(node.this, TEXT, node.key.upper()), pattern), "boolean")
        return Call("not", (made,), "boolean") if node.args.get("negate") else made

    def arithmetic(self, node: exp.Binary) -> Tree:
        """+ - * / %"""
        return self._call(_ARITHMETIC[type(node)], [node.this, node.expression], None, "number", NUMBER)

    def negative(self, node: exp.Neg) -> Tree:
        """-x"""
        value = self.typed(node.this, NUMBER, "-")
        if isinstance(value, Constant) and isinstance(value.value, float):
            return Constant(-value.value, "number")
        return Call("negate", (value,), "number")

    def joined(self, node: exp.DPipe) -> Tree:
        """a || b"""
        return self._call("concat", [node.this, node.expression], None, "text", TEXT)

    def case(self, node: exp.Case) -> Tree:
        """CASE WHEN, CASE x WHEN"""
        conditions, results = [], []
        for branch in node.args["ifs"]:
            if node.this is not None:
                conditions.append(self.compared("=", self.tree(node.this), self.tree(branch.this), branch))
            else:
                conditions.append(self.typed(branch.this, BOOLEAN, "WHEN"))
            results.append(branch.args["true"])
        return self.chosen(conditions, [*results, node.args.get("default")], node)

    def if_(self, node: exp.If) -> Tree:
        """if(condition, then, else)"""
        condition = self.typed(node.this, BOOLEAN, "if")
        return self.chosen([condition], [node.args["true"], node.args.get("false")], node)

    def _call(
        self,
        function: str,
        nodes: list[exp.Expr],
        types: Iterable[frozenset[Type]] | None,
        result: Type,
        of: frozenset[Type] = SCALAR,
    ) -> Call:
        wanted = list(types) if types is not None else [of] * len(nodes)
        read = [self.typed(node, each, function.upper()) for node, each in zip(nodes, wanted, strict=True)]
        return Call(function, tuple(read), result)


_COMPARISONS: Final[dict[type[exp.Expr], str]] = {
    exp.EQ: "=", exp.NEQ: "!=", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=",
}  # fmt: skip  # fmt: skip
_ARITHMETIC: Final[dict[type[exp.Expr], str]] = {
    exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%",
}  # fmt: skip  # fmt: skip
_READERS: Final[tuple[tuple[Any, Callable[[Reader, Any], Tree]], ...]] = (
    (exp.Column, Reader.column),
    (exp.Bracket, Reader.bracket),
    (exp.Literal, Reader.literal),
    (exp.Boolean, Reader.boolean),
    (exp.Null, Reader.null),
    (exp.Paren, Reader.paren),
    ((exp.And, exp.Or, exp.Not), Reader.logic),
    (tuple(_COMPARISONS), Reader.compare),
    (exp.Between, Reader.between),
    (exp.In, Reader.among),
    (exp.Is, Reader.is_),
    ((exp.Like, exp.ILike), Reader.like),
    (tuple(_ARITHMETIC), Reader.arithmetic),
    (exp.Neg, Reader.negative),
    (exp.DPipe, Reader.joined),
    (exp.Case, Reader.case),
    (exp.If, Reader.if_),
    ((exp.AnonymousAggFunc, exp.ParameterizedAgg), Reader.aggregate),
    (exp.Anonymous, Reader.call),
)
