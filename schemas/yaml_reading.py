"""YAML files that people write, as plain data with the line and column of every part."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import yaml
from pydantic_core import ErrorDetails

from schemas.rule_problems import Mark, Problem, nearest

Path = tuple[str | int, ...]

MAX_NODES: Final = 200_000  # aliases of aliases may stand for more than any machine holds


class _Loader(yaml.SafeLoader):  # type: ignore[misc] # without types
    """Scalars as JSON has them: `no` is a country and 2026-06-01 a text."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - the base class has it so


for _tag, _pattern, _first in (
    ("null", r"~|null|", ["~", "n", ""]),
    ("bool", r"true|false", ["t", "f"]),
    ("int", r"[-+]?[0-9]+", list("-+0123456789")),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", list("-+.0123456789")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"), _first)


class YamlReading:
    """One file on its way to what it describes."""

    problem: type[Problem] = Problem

    def __init__(self, text: str, file: str) -> None:
        self.text, self.file = text, file
        self.problems: list[Problem] = []
        self._left = MAX_NODES

    def nodes(self) -> Iterator[yaml.Node]:
        """One an entry: documents, or the elements of lists."""
        try:
            for document in yaml.compose_all(self.text, _Loader):
                if isinstance(document, yaml.SequenceNode):
                    yield from document.value
                elif document is not None and document.tag != "tag:yaml.org,2002:null":
                    yield document
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self.say(
                "", "", " ".join(filter(None, (error.context, error.problem))),
                Mark(mark.line + 1, mark.column + 1) if mark else Mark(1, 1),
            )  # fmt: skip
        except yaml.YAMLError as error:
            self.say("", "", " ".join(str(error).split()), Mark(1, 1))
        except RecursionError:
            self.say("", "", "nested too deeply", Mark(1, 1))

    def entry(self, node: yaml.Node, expected: str) -> tuple[dict[str, Any], dict[Path, Mark]] | None:
        """An entry as plain data, and where its parts stand; None, and a problem, if it is none. expected: in words."""
        if not isinstance(node, yaml.MappingNode):
            self.say("", "", f"expected {expected}", self.mark(node))
            return None
        marks: dict[Path, Mark] = {}
        try:
            return self.data(node, (), marks), marks
        except RecursionError:
            self.say("", "", "nested too deeply", self.mark(node))
            return None

    def data(self, node: yaml.Node, path: Path, marks: dict[Path, Mark]) -> Any:
        """A node as plain data; where its parts stand is added to `marks`. Raises RecursionError."""
        self._left -= 1
        if self._left < 0:
            raise RecursionError
        marks.setdefault(path, self.mark(node))
        if isinstance(node, yaml.SequenceNode):
            return [self.data(each, (*path, number), marks) for number, each in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, marks)
        return self._scalar(node)

    def mark(self, node: yaml.Node) -> Mark:
        """Where a node begins."""
        return Mark(node.start_mark.line + 1, node.start_mark.column + 1)

    def say(self, name: str, field: str, message: str, mark: Mark) -> None:
        """One more problem; name: the id of the entry."""
        self.problems.append(self.problem(name, field, message, self.file, mark.line, mark.column))

    def _mapping(self, node: yaml.MappingNode, path: Path, marks: dict[Path, Mark]) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.say("", dotted(path), "expected a name before the colon", self.mark(key))
                continue
            if key.value in data:
                self.say("", dotted((*path, key.value)), "is there twice", self.mark(key))
            data[key.value] = self.data(value, (*path, key.value), marks)
            marks[(*path, key.value, "$key")] = self.mark(key)
        return data

    def _scalar(self, node: yaml.Node) -> Any:
        kind, value = node.tag.rpartition(":")[2], node.value
        if kind == "null":
            return None
        if kind == "bool":
            return value == "true"
        try:
            return int(value) if kind == "int" else float(value) if kind == "float" else value
        except ValueError:
            return value


def told(detail: ErrorDetails, fields: Callable[[Path], Sequence[str]]) -> tuple[Path, str]:
    """The path and the words of one of pydantic's errors. fields: the names that there are where a path leads."""
    path, kind = tuple(detail["loc"]), detail["type"]
    given = detail.get("ctx", {})
    if "field" in given:
        return (*path, given["field"]), detail["msg"]
    if kind == "extra_forbidden":
        return (*path, "$key"), f"unknown field{nearest(str(path[-1]), fields(path))}"
    if kind == "missing":
        return path, "required field is missing"
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input ").replace("should", "must")
    return path, message[:1].lower() + message[1:]


def dotted(path: Path) -> str:
    """fires.share, examples.violates[0].items[1]"""
    steps = [step for step in path if step != "$key"]
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).lstrip(".")
