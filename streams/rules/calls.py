"""Calls in `when`: functions of a closed list, aggregates, and what their arguments must be."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from sqlglot import exp

from schemas.rule_problems import nearest
from streams.rules import functions
from streams.rules.fields import Type, Where
from streams.rules.functions import BOOLEAN
from streams.rules.grammar import Mistake
from streams.rules.patterns import complaint
from streams.rules.tree import Aggregate, Call, Constant, Tree, Value

UNITS: Final = ("second", "minute", "hour", "day")
Levels = list[exp.Expr] | None  # of quantile(0.9)(x)


class Calls(ABC):
    """Reads calls; `tree` reads everything, and is language.Reader's."""

    def __init__(self, text: str, where: Where) -> None:
        self.text = text
        self.where: Where = where
        self.inside = ""  # the name of the aggregate that we are in

    @abstractmethod
    def tree(self, node: exp.Expr) -> Tree:
        """The tree of any node."""

    def call(self, node: exp.Anonymous | exp.AnonymousAggFunc) -> Tree:
        """name(...)"""
        name, arguments = node.name.lower(), node.expressions
        if name in functions.SPECIAL:
            return self._special(name, arguments, node)
        if name in functions.SCALARS:
            return self._plain(functions.SCALARS[name], arguments, node)
        if self._aggregate_name(name) is not None:
            return self._aggregated(name, arguments, None, node)
        raise self.wrong(node, f"unknown function {node.name!r}{nearest(node.name, functions.names())}")

    def aggregate(self, node: exp.AnonymousAggFunc | exp.ParameterizedAgg) -> Tree:
        """avg(x), countIf(x), quantile(0.9)(x)"""
        if isinstance(node, exp.ParameterizedAgg):
            return self._aggregated(node.name.lower(), node.args["params"], node.expressions, node)
        return self.call(node)

    def _special(self, name: str, arguments: list[exp.Expr], node: exp.Expr) -> Tree:
        if name == "if":
            name = "multiif"
        if name == "multiif":
            if len(arguments) < 3 or len(arguments) % 2 == 0:
                raise self.wrong(node, "takes conditions and values in turn, and a value for the rest")
            conditions = [self.typed(each, BOOLEAN, "multiIf") for each in arguments[:-1:2]]
            return self.chosen(conditions, [*arguments[1:-1:2], arguments[-1]], node)
        if len(arguments) < 1 or (name in ("ifnull", "nullif") and len(arguments) != 2):
            raise self.wrong(node, f"{shown(node)} takes {'two values' if name != 'coalesce' else 'values'}")
        values = tuple(self.alike(arguments, node))
        if name == "nullif":
            same = self.compared("=", values[0], values[1], node)
            return Call("case", (same, Constant(None, values[0].type), values[0]), values[0].type)
        if name in ("least", "greatest") and values[0].type != "number":
            raise self.wrong(node, f"{name} takes numbers")
        return Call("coalesce" if name == "ifnull" else name, values, values[0].type)

    def chosen(self, conditions: Sequence[Tree], results: Sequence[exp.Expr | None], node: exp.Expr) -> Tree:
        values = self.alike(results, node)
        pairs = [part for pair in zip(conditions, values[:-1], strict=True) for part in pair]
        return Call("case", (*pairs, values[-1]), values[0].type)

    def alike(self, nodes: Sequence[exp.Expr | None], around: exp.Expr) -> list[Tree]:
        """Trees of one type; NULL, or nothing, is of the type of the others."""
        read = [None if node is None or isinstance(node, exp.Null) else self.tree(node) for node in nodes]
        types = dict.fromkeys(tree.type for tree in read if tree is not None)
        if len(types) != 1:
            said = " and ".join(types) or "NULL alone"
            raise self.wrong(around, f"must give values of one type, not {said}")
        kind = next(iter(types))
        return [Constant(None, kind) if tree is None else tree for tree in read]

    def _plain(self, function: functions.Function, arguments: list[exp.Expr], node: exp.Expr) -> Tree:
        wanted = list(function.parameters)
        if function.repeats:
            wanted += [wanted[-1]] * (len(arguments) - len(wanted))
        if not len(wanted) - function.optional <= len(arguments) <= len(wanted):
            few = len(function.parameters) - function.optional
            raise self.wrong(node, f"takes {few}{' or more' if function.repeats else ''} values, not {len(arguments)}")
        read = []
        for argument, parameter in zip(arguments, wanted, strict=False):
            read.append(self.constant(argument) if parameter.constant else self.tree(argument))
            if read[-1].type not in parameter.types:
                said = " or ".join(sorted(parameter.types))
                raise self.wrong(argument, f"{shown(node)} takes a {said} here, not a {read[-1].type}")
        made = Call(function.name, tuple(read), function.result)
        return _CHECKS[function.name](self, made, node) if function.name in _CHECKS else made

    def _aggregate_name(self, name: str) -> tuple[str, bool] | None:
        """The aggregate that is meant, and whether with a condition."""
        for suffix in ("", "if"):
            stem = name.removesuffix(suffix) if suffix else name
            stem = functions.ALIASES.get(stem, stem)
            if stem in functions.AGGREGATES and (not suffix or name.endswith(suffix)):
                return stem, bool(suffix)
        return None

    def _aggregated(self, name: str, arguments: list[exp.Expr], levels: Levels, node: exp.Expr) -> Tree:
        found = self._aggregate_name(name)
        if found is None:
            raise self.wrong(node, f"unknown function {node.name!r}{nearest(node.name, functions.names())}")
        if self.where != "slate":
            raise self.wrong(node, f"{node.name} is over the items of a slate: only scope slate has them")
        if self.inside:
            raise self.wrong(node, f"{node.name} within {self.inside}: one aggregate cannot be in another")
        function, conditional = found
        self.inside = node.name
        arguments = list(arguments)
        condition = self.typed(arguments.pop(), BOOLEAN, node.name) if conditional and arguments else None
        if conditional and condition is None:
            raise self.wrong(node, f"{node.name} takes a condition as its last value")
        if function == "count" and arguments and isinstance(arguments[0], exp.Distinct):
            function, arguments = "uniq", list(arguments[0].expressions)
        over = self._over(function, arguments, conditional, node)
        self.inside = ""
        result = functions.AGGREGATES[function][1]
        kind: Type = "time" if over is not None and over.type == "time" and function in ("min", "max") else result
        return Aggregate(function, over, condition, self._level(name, function, levels, node), kind)

    def _over(self, function: str, arguments: list[exp.Expr], conditional: bool, node: exp.Expr) -> Tree | None:
        """What an aggregate is over; None: the items themselves."""
        if function == "count" and (not arguments or isinstance(arguments[0], exp.Star)):
            return None
        if len(arguments) != 1:
            raise self.wrong(node, f"{node.name} takes one value{' and a condition' if conditional else ''}")
        return self.typed(arguments[0], functions.AGGREGATES[function][0], node.name)

    def _level(self, name: str, function: str, levels: Levels, node: exp.Expr) -> float:
        if function != "quantile":
            if levels:
                raise self.wrong(node, f"{node.name} has no parameter")
            return 0.0
        if name.startswith("median") or not levels:
            return 0.5
        level = self.constant(levels[0])
        if len(levels) != 1 or not isinstance(level.value, float) or not 0 <= level.value <= 1:
            raise self.wrong(node, "the level of quantile must be a number from 0 to 1")
        return level.value

    def typed(self, node: exp.Expr, types: frozenset[Type], by: str) -> Tree:
        tree = self.tree(node)
        if tree.type not in types:
            raise self.wrong(node, f"{by} takes a {' or '.join(sorted(types))}, not a {tree.type}")
        return tree

    def constant(self, node: exp.Expr) -> Constant:
        tree = self.tree(node)
        if not isinstance(tree, Constant):
            raise self.wrong(node, "must be a value that stands here, not one that is computed")
        return tree

    def pattern(self, made: Call, node: exp.Expr) -> Tree:
        """match(text, 'pattern')"""
        pattern = made.arguments[1]
        if isinstance(pattern, Constant) and (wrong := complaint(str(pattern.value))):
            raise self.wrong(node, f"not a pattern: {wrong}")
        return made

    def searched(self, made: Call, node: exp.Expr) -> Tree:
        """position(text, 'what'), splitByChar(',', text)"""
        sought = made.arguments[0 if made.function == "splitbychar" else 1]
        if not isinstance(sought, Constant):
            raise TypeError(made.function)
        if made.function == "splitbychar" and len(str(sought.value)) != 1:
            raise self.wrong(node, "splitByChar takes one character")
        if not sought.value:
            raise self.wrong(node, f"{shown(node)} cannot look for an empty text")
        return made

    def unit(self, made: Call, node: exp.Expr) -> Tree:
        """dateDiff('day', from, to)"""
        unit = made.arguments[0]
        if isinstance(unit, Constant) and unit.value not in UNITS:
            raise self.wrong(node, f"the unit must be one of {', '.join(UNITS)}")
        return made

    def moment(self, made: Call, node: exp.Expr) -> Tree:
        """toDateTime('2026-06-01 00:00:00')"""
        given = made.arguments[0]
        try:
            at = datetime.fromisoformat(str(given.value)) if isinstance(given, Constant) else None
        except ValueError:
            at = None
        if at is None:
            raise self.wrong(node, "expected a time such as toDateTime('2026-06-01 00:00:00'), UTC without a zone")
        value: Value = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
        return Constant(value, "time")

    def digits(self, made: Call, node: exp.Expr) -> Tree:
        """round(x, 2)"""
        if len(made.arguments) == 2:
            given = made.arguments[1]
            if not isinstance(given, Constant) or given.value not in range(16):
                raise self.wrong(node, "round takes 0 to 15 digits")
        return made

    def compared(self, operator: str, left: Tree, right: Tree, node: exp.Expr) -> Tree:
        if left.type != right.type:
            hint = ""
            if {left.type, right.type} == {"number", "text"}:
                hint = "; number(text) makes a number of a text"
            elif "time" in (left.type, right.type) and "text" in (left.type, right.type):
                hint = "; toDateTime('2026-06-01 00:00:00') is a time"
            raise self.wrong(node, f"{operator} compares a {left.type} with a {right.type}{hint}")
        if left.type == "list":
            raise self.wrong(node, "lists do not compare: use has(list, 'value')")
        if left.type == "boolean" and operator not in ("=", "!="):
            raise self.wrong(node, f"{operator} does not compare conditions")
        return Call(operator, (left, right), "boolean")

    def wrong(self, node: exp.Expr, message: str) -> Mistake:
        return Mistake(message, self._offset(node))

    def _offset(self, node: exp.Expr) -> int:
        """Where a node begins: sqlglot keeps that of names, values and some calls."""
        starts = [each.meta["start"] for each in node.walk() if "start" in each.meta]
        first = min(starts, default=0)
        if isinstance(node, exp.AnonymousAggFunc | exp.ParameterizedAgg):  # it stands before what is in it
            return max(self.text.lower().rfind(node.name.lower(), 0, first if starts else None), 0)
        return first


def shown(node: exp.Expr) -> str:
    return (
        node.name
        if isinstance(node, exp.Anonymous | exp.AnonymousAggFunc | exp.ParameterizedAgg)
        else f"{str(node)[:60]!r}"
    )


_CHECKS: Final[dict[str, Callable[[Calls, Call, exp.Expr], Tree]]] = {
    "match": Calls.pattern,
    "position": Calls.searched,
    "splitbychar": Calls.searched,
    "datediff": Calls.unit,
    "todatetime": Calls.moment,
    "round": Calls.digits,
}
