"""Rules as people write them: YAML files with several documents, or a list, each error with its line and column."""

import bisect
import re
from collections.abc import Iterator
from typing import Any, Final

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from schemas.rule_examples import Example, ItemExample, StageExample
from schemas.rule_problems import Mark, Place, Problem, RulesInvalid, nearest
from schemas.rules import Action, Active, Fires, Rule

Path = tuple[str | int, ...]

MAX_NODES: Final = 200_000  # aliases of aliases may stand for more than any machine holds
_MODELS: Final[dict[str, type[BaseModel]]] = {
    "fires": Fires, "active": Active, "action": Action, "violates": Example, "passes": Example, "items": ItemExample,
    "stages": StageExample,
}  # fmt: skip
_ESCAPES: Final = {"x": 4, "u": 6, "U": 10}  # characters of an escape in double quotes; of all others 2


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


def load_rules(text: str, file: str) -> list[Rule]:
    """The rules of a YAML text; raises `RulesInvalid` with everything that is wrong, each with file, line and column.

    What `when` says is not looked at: see streams.rules.check, which finds its place in the file by `Rule.place`.
    """
    reading = _Reading(text.removeprefix("\ufeff"), file)
    rules = [reading.rule(node) for node in reading.nodes()]
    found = [rule for rule in rules if rule is not None]
    reading.same_ids(found)
    if reading.problems:
        raise RulesInvalid(reading.problems)
    return found


class _Reading:
    """One file on its way to rules."""

    def __init__(self, text: str, file: str) -> None:
        self._text, self._file = text, file
        self._lines = [0, *(found.end() for found in re.finditer(r"\r\n|\r|\n", text))]
        self._left = MAX_NODES
        self.problems: list[Problem] = []

    def nodes(self) -> Iterator[yaml.Node]:
        """One a rule."""
        try:
            for document in yaml.compose_all(self._text, _Loader):
                if isinstance(document, yaml.SequenceNode):
                    yield from document.value
                elif document is not None and document.tag != "tag:yaml.org,2002:null":
                    yield document
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self._say(
                "", "", " ".join(filter(None, (error.context, error.problem))),
                Mark(mark.line + 1, mark.column + 1) if mark else Mark(1, 1),
            )  # fmt: skip
        except yaml.YAMLError as error:
            self._say("", "", " ".join(str(error).split()), Mark(1, 1))
        except RecursionError:
            self._say("", "", "nested too deeply", Mark(1, 1))

    def rule(self, node: yaml.Node) -> Rule | None:
        """The rule of a node, or None and its problems."""
        if not isinstance(node, yaml.MappingNode):
            self._say("", "", "expected a rule: id, owner, scope, when, message", self._mark(node))
            return None
        marks: dict[Path, Mark] = {}
        before = len(self.problems)
        try:
            data = self._data(node, (), marks)
        except RecursionError:
            self._say("", "", "nested too deeply", self._mark(node))
            return None
        name = data.get("id") if isinstance(data.get("id"), str) else ""
        place = Place(self._file, marks, self._when(node))
        if len(self.problems) > before:
            return None
        try:
            return Rule.model_validate(data).placed(place)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                path, message = _told(detail)
                self._say(name or "", _dotted(path), message, place.mark(path))
            return None

    def same_ids(self, rules: list[Rule]) -> None:
        """An id that two rules have is a problem of the second."""
        seen: dict[str, Rule] = {}
        for rule in rules:
            first = seen.setdefault(rule.id, rule)
            if first is not rule and rule.place and first.place:
                line = first.place.mark(("id",)).line
                self._say(rule.id, "id", f"is the id of another rule, in line {line}", rule.place.mark(("id",)))

    def _data(self, node: yaml.Node, path: Path, marks: dict[Path, Mark]) -> Any:
        self._left -= 1
        if self._left < 0:
            raise RecursionError
        marks.setdefault(path, self._mark(node))
        if isinstance(node, yaml.SequenceNode):
            return [self._data(each, (*path, number), marks) for number, each in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, marks)
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: Path, marks: dict[Path, Mark]) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._say("", _dotted(path), "expected a name before the colon", self._mark(key))
                continue
            if key.value in data:
                self._say("", _dotted((*path, key.value)), "is there twice", self._mark(key))
            data[key.value] = self._data(value, (*path, key.value), marks)
            marks[(*path, key.value, "$key")] = self._mark(key)
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

    def _mark(self, node: yaml.Node) -> Mark:
        return Mark(node.start_mark.line + 1, node.start_mark.column + 1)

    def _when(self, rule: yaml.MappingNode) -> tuple[Mark, ...]:
        """Where each character of `when` stands: its characters that are no blanks follow each other in the file, too,
        however the text is folded, indented and quoted."""
        node = next((value for key, value in rule.value if key.value == "when"), None)
        if not isinstance(node, yaml.ScalarNode):
            return ()
        offsets, last = self._written(node), node.start_mark.index
        marks = []
        for character in node.value:
            last = last if character.isspace() else next(offsets, last)
            line = bisect.bisect_right(self._lines, last)
            marks.append(Mark(line, last - self._lines[line - 1] + 1))
        return tuple(marks)

    def _written(self, node: yaml.ScalarNode) -> Iterator[int]:
        """Offsets of what is no blank in a scalar as it is written."""
        at, end = node.start_mark.index, node.end_mark.index
        if node.style in ("|", ">"):
            at = self._text.find("\n", at, end) + 1 or end
        elif node.style:
            at, end = at + 1, end - 1
        while at < end:
            step = 1
            if node.style == "'" and self._text.startswith("''", at):
                step = 2
            elif node.style == '"' and self._text[at] == "\\":
                step = _ESCAPES.get(self._text[at + 1], 2)
            if not (self._text[at].isspace() or (step == 2 and self._text[at + 1] in "ntr \n")):
                yield at
            at += step

    def _say(self, rule: str, field: str, message: str, mark: Mark) -> None:
        self.problems.append(Problem(rule, field, message, self._file, mark.line, mark.column))


def _told(detail: ErrorDetails) -> tuple[Path, str]:
    """The path and the words of one of pydantic's errors."""
    path, kind = tuple(detail["loc"]), detail["type"]
    given = detail.get("ctx", {})
    if "field" in given:
        return (*path, given["field"]), detail["msg"]
    if kind == "extra_forbidden":
        return (*path, "$key"), f"unknown field{nearest(str(path[-1]), _fields(path))}"
    if kind == "missing":
        return path, "required field is missing"
    if kind == "string_pattern_mismatch" and path[:2] == ("fires", "group_by"):
        return path, "may be placement, served_by, segments.NAME or experiments.NAME"
    message = detail["msg"].removeprefix("Input ").replace("should", "must")
    return path, message[:1].lower() + message[1:]


def _fields(path: Path) -> list[str]:
    """The fields that there are where the last step of the path is none."""
    names = [step for step in path[:-1] if isinstance(step, str)]
    model: type[BaseModel] | None = _MODELS.get(names[-1]) if names else Rule
    return [] if model is None else [each.alias or name for name, each in model.model_fields.items()]


def _dotted(path: Path) -> str:
    """fires.share, examples.violates[0].items[1]"""
    steps = [step for step in path if step != "$key"]
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).lstrip(".")
