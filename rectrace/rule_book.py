"""Rules from files, and the starter pack: all that can be used, and everything that is wrong with the rest."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from schemas.rule_files import load_rules
from schemas.rule_problems import Problem, RulesInvalid
from schemas.rules import Rule
from streams.rules.reading import check

SUFFIXES = (".yaml", ".yml")


@dataclass
class Book:
    """Rules in the order of their files, and what is wrong."""

    rules: list[Rule] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def add(self, text: str, file: str) -> None:
        """The rules of one more text; an id that is there already is a problem."""
        try:
            found = load_rules(text, file)
        except RulesInvalid as invalid:
            self.problems += invalid.problems
            return
        known = {rule.id: rule for rule in self.rules}
        for rule in found:
            if rule.id in known and rule.place and (first := known[rule.id].place):
                mark, message = rule.place.mark(("id",)), f"is the id of another rule, in {first.file}"
                self.problems.append(Problem(rule.id, "id", message, file, mark.line, mark.column))
        self.problems += check(found)
        self.rules += found


def read_book(paths: Iterable[Path]) -> Book:
    """The rules of these files, and of all YAML files in these folders. Raises OSError."""
    book = Book()
    for path in (each for given in paths for each in _files(given)):
        try:
            book.add(path.read_text("utf-8"), str(path))
        except UnicodeDecodeError as error:
            book.problems.append(Problem("", "", f"byte {error.start} is not UTF-8", str(path), 1, 1))
    return book


def starter_pack() -> Book:
    """The rules that come with rectrace."""
    book = Book()
    for file in sorted(files("rectrace.rules").iterdir(), key=lambda each: each.name):
        if file.name.endswith(SUFFIXES):
            book.add(file.read_text("utf-8"), f"rectrace/rules/{file.name}")
    return book


def _files(path: Path) -> list[Path]:
    return sorted(each for each in path.iterdir() if each.suffix in SUFFIXES) if path.is_dir() else [path]
