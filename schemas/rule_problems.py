"""What is wrong with a rule, and where it stands in its file."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar


@dataclass(frozen=True)
class Mark:
    """A place in a file; line and column from 1 on."""

    line: int
    column: int


@dataclass(frozen=True)
class Place:
    """Where the parts of a rule stand: by path, such as ("fires", "share"); `when` character by character."""

    file: str
    marks: Mapping[tuple[str | int, ...], Mark] = field(default_factory=dict)
    when: tuple[Mark, ...] = ()

    def mark(self, path: tuple[str | int, ...], offset: int | None = None) -> Mark:
        """The nearest known place of that path, or of a character of `when`."""
        if path == ("when",) and offset is not None and self.when:
            return self.when[min(offset, len(self.when) - 1)]
        while path and path not in self.marks:
            path = path[:-1]
        return self.marks.get(path, Mark(1, 1))


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong. line and column in `file`; without a file, in `when`, or 0."""

    rule: str  # its id, or "" where that is what is wrong
    field: str  # "when", "fires.share"
    message: str
    file: str = ""
    line: int = 0
    column: int = 0
    what: ClassVar[str] = "rule"

    def __str__(self) -> str:
        where = ":".join(str(part) for part in (self.file, self.line, self.column) if part) + ": " if self.file else ""
        at = f" (line {self.line}, column {self.column})" if self.line and not self.file else ""
        named = ", ".join(part for part in (f"{self.what} {self.rule}" if self.rule else "", self.field) if part)
        return f"{where}{named}{': ' if named else ''}{self.message}{at}"


class RulesInvalid(ValueError):  # noqa: N818
    """Rules that cannot be used, with every problem found."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'brand'?`, or nothing where nothing is near."""
    lowered = {each.lower(): each for each in known}
    near = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.6)
    return f"; did you mean {lowered[near[0]]!r}?" if near else ""
