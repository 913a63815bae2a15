"""`rectrace rules`: what should hold of what is served."""

import textwrap
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from rectrace.commands.common import (
    AsJson,
    ClickHouse,
    Since,
    Until,
    clear_errors,
    fail,
    load,
    moment,
    print_json,
    span,
)

if TYPE_CHECKING:
    from rectrace.rule_book import Book
    from schemas.rule_problems import Problem
    from schemas.rules import Rule

READING: Final = 300.0  # seconds: reading a batch takes longer than a question may

app = typer.Typer(no_args_is_help=True, help="Rules: what should hold of what is served.")

Files = Annotated[
    list[Path], typer.Argument(metavar="FILES", exists=True, help="YAML files, or folders of them.", show_default=False)
]
SomeFiles = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="[FILES]", exists=True, help="Default: the rules that come with rectrace.", show_default=False
    ),
]


@app.command()
def check(files: Files, as_json: AsJson = False) -> None:
    """Check rules: exit code 1 and file:line:column for everything that is wrong."""
    book = _book(files)
    if as_json:
        print_json({"rules": [rule.id for rule in book.rules], "problems": [_told(each) for each in book.problems]})
    elif not book.problems:
        typer.echo(f"{_count(len(book.rules), 'rule')}, nothing wrong")
    if book.problems:
        if not as_json:
            _print(book.problems)
        raise typer.Exit(1)


@app.command("test")
def run_examples(files: SomeFiles = None, as_json: AsJson = False) -> None:
    """Run the examples of rules: exit code 1 if one is not judged as it says."""
    from streams.rules.examples import outcomes

    book = _book(files)
    if book.problems:
        if as_json:
            print_json({"problems": [_told(each) for each in book.problems]})
        else:
            _print(book.problems)
        raise typer.Exit(1)
    told = [(rule, outcomes(rule)) for rule in book.rules]
    wrong = [_wrong(rule, each) for rule, found in told for each in found if not each.right]
    if as_json:
        print_json(
            {"rules": [_tested(rule.id, found) for rule, found in told], "wrong": [_told(each) for each in wrong]}
        )
    else:
        _print(wrong)
        bare = [rule.id for rule, found in told if not found]
        if bare:
            typer.echo(f"without examples: {', '.join(bare)}", err=True)
        examples = sum(len(found) for _, found in told)
        said = f"{len(wrong)} not judged as they say" if wrong else "all judged as they say"
        typer.echo(f"{_count(len(told), 'rule')}, {_count(examples, 'example')}: {said}")
    if wrong:
        raise typer.Exit(1)


@app.command("fields")
def list_fields(as_json: AsJson = False) -> None:
    """What `when` may name: fields by scope, and functions."""
    from streams.rules import fields, functions

    groups = {
        "of the request, in every scope": fields.REQUEST.values(),
        "of an item, in scope item and within aggregates": fields.ITEM.values(),
    }
    if as_json:
        known = [{"name": each.name, "type": each.type, "of": each.of} for group in groups.values() for each in group]
        print_json({"fields": known, "named": fields.PATTERNS, "functions": functions.names()})
        return
    for title, group in groups.items():
        told = ", ".join(f"{each.name} ({each.type})" for each in group)
        typer.echo(textwrap.fill(f"{title}: {told}", 110, subsequent_indent="  "))
    typer.echo("with any name:")
    for name, meaning in fields.PATTERNS.items():
        typer.echo(f"  {name:45} {meaning}")
    typer.echo(textwrap.fill("functions: " + ", ".join(functions.names()), 110, subsequent_indent="  "))


@app.command()
def backtest(
    files: SomeFiles = None,
    since: Since = "24h",
    until: Until = "",
    as_json: AsJson = False,
    clickhouse: ClickHouse = None,
) -> None:
    """What rules would have done: judge what is sealed, say how often they would have fired, and where."""
    back, end = span(since), moment(until)
    rules = sound(files)
    settings = load(clickhouse=clickhouse)
    from rectrace import backtesting, database, show_rules
    from rectrace.terminal import console
    from sinks.clickhouse.judged import Judged
    from sinks.clickhouse.reader import Period

    with (
        clear_errors(settings),
        database.asking(settings) as reader,
        closing(database.clickhouse(settings, timeout=READING)) as client,
    ):
        judged = Judged(client, settings.database, database.journey(settings))
        history = backtesting.History(reader, judged, settings.database)
        found = history.batches(Period(end - back, end))
        if not found:
            fail(f"no sealed requests in the {since} before {end:%Y-%m-%d %H:%M:%S} UTC")
        with _progress(sum(batch.requests for batch in found)) as tell:
            tested = backtesting.run(history, rules, found, tell)
    first, end = found[0].first, found[-1].end  # of what is there, which may be less than was asked for
    told = (tested.found((end - first).total_seconds()), first, end, tested.requests)
    if as_json:
        print_json(show_rules.backtest_json(*told))
    else:
        console().print(show_rules.backtest(*told))


@contextmanager
def _progress(requests: int) -> Iterator[Callable[[int], None]]:
    """A bar on stderr, if that is a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from rectrace.terminal import console

    err = console(stderr=True)
    silent = not err.is_terminal or err.is_dumb_terminal
    columns = (TextColumn("judging"), BarColumn(), MofNCompleteColumn(), TextColumn("requests"), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=silent) as progress:
        task = progress.add_task("judging", total=requests)
        yield lambda done: progress.advance(task, done)


def sound(files: list[Path] | None) -> "list[Rule]":
    """Rules without anything wrong, or exit code 1 with what is."""
    book = _book(files)
    if book.problems:
        for problem in book.problems:
            typer.echo(str(problem), err=True)
        raise typer.Exit(1)
    return book.rules


def _book(files: list[Path] | None) -> "Book":
    """Wrong usage: a file that cannot be read."""
    from rectrace.rule_book import read_book, starter_pack

    if files is None:
        return starter_pack()
    try:
        return read_book(files)
    except OSError as error:
        raise typer.BadParameter(f"{error.filename}: {error.strerror}", param_hint="FILES") from None


def _wrong(rule: Any, outcome: Any) -> "Problem":
    """An example that is not as it says, with its place."""
    from schemas.rule_problems import Mark, Problem

    kind = "violates" if outcome.violates else "passes"
    field = f"examples.{kind}[{outcome.number - 1}]"
    mark = rule.place.mark(("examples", kind, outcome.number - 1)) if rule.place else Mark(0, 0)
    note = f" ({outcome.note})" if outcome.note else ""
    return Problem(rule.id, field, outcome.why + note, rule.place.file if rule.place else "", mark.line, mark.column)


def _tested(rule: str, found: list[Any]) -> dict[str, Any]:
    return {
        "id": rule,
        "violates": sum(each.violates for each in found),
        "passes": sum(not each.violates for each in found),
        "right": all(each.right for each in found),
    }


def _told(problem: "Problem") -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(problem)


def _print(problems: "list[Problem]") -> None:
    from rectrace.terminal import console

    out = console()
    for problem in problems:
        out.print(str(problem), soft_wrap=True)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
