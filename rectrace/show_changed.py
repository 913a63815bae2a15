"""What changed, for the terminal: the headline, what explains it, what deviates, what to look at."""

from collections import Counter
from collections.abc import Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from rectrace.changed_facts import Cause
from rectrace.changed_story import Asked, ChangedStory, commands, headline, interval, moved, says, sentences, value
from rectrace.terminal import BAD, DIM, GOOD, WIDE, Visible, number, table
from streams.detect.suspects import Deviation

MOST_CAUSES, MOST_DEVIATIONS, MOST_OF_ONE, MOST_MOVED = 3, 12, 3, 5


def changed(told: ChangedStory, width: int) -> RenderableType:
    """What changed, and why."""
    parts: list[RenderableType] = [_head(told), *sentences(told)]
    if told.now and told.before:
        parts += ["", _metric(told)]
    if told.causes:
        parts += ["", *(_cause(each, told.asked) for each in told.causes[:MOST_CAUSES])]
    if told.deviations:
        parts += ["", _deviations(told, told.deviations, "deviates, in pipeline order", width)]
    if told.of_bad:
        parts += ["", _deviations(told, told.of_bad, f"in {told.asked.metric.says}", width)]
    if told.mix.moved:
        parts += ["", *_mix(told)]
    if told.examples:
        parts += ["", Text("look at", "bold"), *(f"  {each}" for each in commands(told))]
    return Visible(*parts)


def _head(told: ChangedStory) -> Text:
    head = Text(headline(told), BAD if told.changed else "bold")
    asked = told.asked
    head.append(f"\n{_span(asked)} UTC, against {_span(asked, then=True)}", DIM)
    if told.sealed_until is None:
        head.append("\nnothing is sealed yet: counts come 10 to 25 s after the first requests", BAD)
    elif told.behind:
        head.append(f"\nsealed until {told.sealed_until:%Y-%m-%d %H:%M:%S}: what came later is not counted yet", BAD)
    return head


def _span(asked: Asked, *, then: bool = False) -> str:
    start, end = (asked.then_since, asked.then_until) if then else (asked.since, asked.until)
    day = f"{start:%Y-%m-%d} " if not then or start.date() != asked.since.date() else ""
    return f"{day}{start:%H:%M:%S} to {f'{end:%Y-%m-%d} ' if end.date() != start.date() else ''}{end:%H:%M:%S}"


def _metric(told: ChangedStory) -> Table:
    metric = told.asked.metric
    counted, bounded = metric.kind in ("share", "mean"), metric.kind in ("share", "count")
    made = table(metric.name, "#>value", *(["#>of"] if counted else []), *(["#>95 % interval"] if bounded else []))
    for when, amount in (("now", told.now), ("before", told.before)):
        if amount:
            of = [f"{amount.part:,.0f} / {amount.whole:,.0f}"] if counted else []
            made.add_row(when, value(metric, amount), *of, *([interval(metric, amount)] if bounded else []))
    return made


def _cause(cause: Cause, asked: Asked) -> Table:
    made = table(cause.dimension, "#>explains", "#>requests", "#>before", "#>now")
    for each in cause.slices:
        before, now = (_value(asked, held) for held in (each.before, each.now))
        made.add_row(each.element, f"{each.ep:.0%}", number(each.requests), before, now)
    return made


def _value(asked: Asked, held: float) -> str:
    if asked.metric.kind in ("count", "mean"):
        return number(held, 2 if asked.metric.kind == "mean" else 0)
    return f"{held:.1%}{' slow' if asked.metric.kind == 'latency' else ''}"


def _deviations(told: ChangedStory, found: Sequence[Deviation], title: str, width: int) -> Table:
    wide = width >= WIDE
    made = table(title, "what", *(["placements"] if wide else []))
    of_component: Counter[str] = Counter()
    for each in found:
        of_component[each.component] += 1
        if of_component[each.component] > MOST_OF_ONE or made.row_count == MOST_DEVIATIONS:
            continue
        at = "all" if len(each.placements) == len(told.placements) > 1 else ", ".join(each.placements)
        suspect = told.suspect
        first = suspect and (each.stage, each.component) == (suspect.stage, suspect.component)
        name = Text(f"{each.stage}/{each.component}", BAD if first else "")
        made.add_row(name, says(each) if wide else f"{says(each)}; {at}", *([at] if wide else []))
    return made


def _mix(told: ChangedStory) -> list[RenderableType]:
    mix = told.mix
    where = f" in {mix.segment}" if mix.segment else ""
    head = Text(f"how candidates are lost{where}", "bold").append(f"  Jensen-Shannon {mix.bits:.3f} bits", DIM)
    lines = [Text("  " + moved(each), "" if each.now > each.before else GOOD) for each in mix.moved[:MOST_MOVED]]
    return [head, *lines]
