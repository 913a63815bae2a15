"""Rules as people write them: YAML files with several documents, or a list, each error with its line and column."""

import bisect
import re
from collections.abc import Iterator
from typing import Final

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from schemas.rule_examples import Example, ItemExample, StageExample
from schemas.rule_problems import Mark, Place, RulesInvalid
from schemas.rules import Action, Active, Fires, Rule
from schemas.yaml_reading import Path, YamlReading, dotted, told

_MODELS: Final[dict[str, type[BaseModel]]] = {
    "fires": Fires, "active": Active, "action": Action, "violates": Example, "passes": Example, "items": ItemExample,
    "stages": StageExample,
}  # fmt: skip
_ESCAPES: Final = {"x": 4, "u": 6, "U": 10}  # characters of an escape in double quotes; of all others 2


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


class _Reading(YamlReading):
    """One file on its way to rules."""

    def __init__(self, text: str, file: str) -> None:
        super().__init__(text, file)
        self._lines = [0, *(found.end() for found in re.finditer(r"\r\n|\r|\n", text))]

    def rule(self, node: yaml.Node) -> Rule | None:
        """The rule of a node, or None and its problems."""
        before = len(self.problems)
        if (entry := self.entry(node, "a rule: id, owner, scope, when, message")) is None:
            return None
        data, marks = entry
        name = data.get("id") if isinstance(data.get("id"), str) else ""
        place = Place(self.file, marks, self._when(node))
        if len(self.problems) > before:
            return None
        try:
            return Rule.model_validate(data).placed(place)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                path, message = _told(detail)
                self.say(name or "", dotted(path), message, place.mark(path))
            return None

    def same_ids(self, rules: list[Rule]) -> None:
        """An id that two rules have is a problem of the second."""
        seen: dict[str, Rule] = {}
        for rule in rules:
            first = seen.setdefault(rule.id, rule)
            if first is not rule and rule.place and first.place:
                line = first.place.mark(("id",)).line
                self.say(rule.id, "id", f"is the id of another rule, in line {line}", rule.place.mark(("id",)))

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
            at = self.text.find("\n", at, end) + 1 or end
        elif node.style:
            at, end = at + 1, end - 1
        while at < end:
            step = 1
            if node.style == "'" and self.text.startswith("''", at):
                step = 2
            elif node.style == '"' and self.text[at] == "\\":
                step = _ESCAPES.get(self.text[at + 1], 2)
            if not (self.text[at].isspace() or (step == 2 and self.text[at + 1] in "ntr \n")):
                yield at
            at += step


def _told(detail: ErrorDetails) -> tuple[Path, str]:
    path = tuple(detail["loc"])
    if detail["type"] == "string_pattern_mismatch" and path[:2] == ("fires", "group_by"):
        return path, "may be placement, served_by, segments.NAME or experiments.NAME"
    return told(detail, _fields)


def _fields(path: Path) -> list[str]:
    """The fields that there are where the last step of the path is none."""
    names = [step for step in path[:-1] if isinstance(step, str)]
    model: type[BaseModel] | None = _MODELS.get(names[-1]) if names else Rule
    return [] if model is None else [each.alias or name for name, each in model.model_fields.items()]
