"""Views of rules for the terminal."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from rectrace.terminal import BAD, DIM, GOOD, Visible
from streams.rules.backtest import Found


def backtest(found: Sequence[Found], since: datetime, until: datetime, requests: int) -> RenderableType:
    """What rules would have done, those that would have fired most first. The first line is the answer."""
    fired = [each for each in found if each.fired]
    pages = sum(each.a_week for each in found if each.rule.severity == "page")
    head = Text.assemble((f"{len(fired)} of {_count(len(found), 'rule')} would have fired", BAD if fired else GOOD))
    head.append(f", {often(pages)} pages a week")
    span = f"{since:%Y-%m-%d %H:%M:%S} to {until:%Y-%m-%d %H:%M:%S} UTC"
    head.append(f"\n{_count(requests, 'sealed request')} from {span}", DIM)
    parts: list[RenderableType] = [head]
    loud = [each for each in found if each.hit or each.failed]
    for each in sorted(loud, key=lambda each: (-each.fired, -each.share, each.rule.id)):
        parts += ["", _found(each)]
    if quiet := [each.rule.id for each in found if not each.hit and not each.failed]:
        parts += ["", Text(f"nothing at fault: {', '.join(quiet)}")]
    return Visible(*parts)


def backtest_json(found: Sequence[Found], since: datetime, until: datetime, requests: int) -> dict[str, Any]:
    """The same for programs."""
    return {"since": since, "until": until, "requests": requests, "rules": [_plain(each) for each in found]}


def _found(each: Found) -> Text:
    rule = each.rule
    told = Text.assemble((rule.id, "bold"), f"  {rule.severity}, {rule.scope}: {rule.message}")
    if each.failed:
        return told.append(f"\n  cannot be judged: {each.failed}", BAD)
    items = f", {_count(each.violations, 'item')}" if rule.scope == "item" else ""
    told.append(f"\n  at fault in {each.hit:,} of {_count(each.judged, 'request')} ({each.share:.1%}){items}; ")
    told.append(firing(each), BAD if each.fired else "")
    if each.segments:
        told.append("\n  most in ", DIM)
        told.append(", ".join(f"{part.segment} {part.share:.1%} of {part.judged:,}" for part in each.segments))
    if each.examples:
        told.append("\n  for example ", DIM).append(" ".join(each.examples))
    return told


def firing(each: Found) -> str:
    """Whether and how often."""
    if not each.fired:
        return "would not have fired"
    times = f"would have fired {_count(each.fired, 'time')}, for {_span(each.firing_s)} in all"
    return f"{times}: {often(each.a_week)} a week"


def _plain(each: Found) -> dict[str, Any]:
    return {
        "id": each.rule.id,
        "severity": each.rule.severity,
        "scope": each.rule.scope,
        "judged": each.judged,
        "hit": each.hit,
        "share": each.share,
        "violations": each.violations,
        "fired": each.fired,
        "firing_s": each.firing_s,
        "a_week": each.a_week,
        "segments": [
            {"segment": part.segment, "judged": part.judged, "hit": part.hit, "share": part.share}
            for part in each.segments
        ],
        "examples": list(each.examples),
        "failed": each.failed or None,
    }


def often(times: float) -> str:
    """A number of times."""
    return f"{times:,.0f}" if times >= 10 or times == int(times) else f"{times:.1f}"


def _span(seconds: int) -> str:
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds / 60:,.0f} min" if seconds < 7_200 else f"{seconds / 3600:,.1f} h"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
