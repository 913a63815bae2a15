"""Asks what changed: from questions to sinks/clickhouse/changes.py to the story. For the command, and for alerts."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from rectrace import changed_facts as facts
from rectrace import changed_looks as looks
from rectrace.changed_facts import Amount, Cause, Novelty, Pair
from rectrace.changed_metrics import Metric
from rectrace.changed_story import Asked, ChangedStory, Mix, most_moved
from schemas.pipeline import STAGES
from sinks.clickhouse.changes import Changes, Evidence
from sinks.clickhouse.rows import utc
from streams.detect.mix import divergence, moves
from streams.detect.suspects import Deviation, deviations

Row = Mapping[str, Any]
EXAMPLES: Final = 5
FEW: Final = 100  # requests that showed it before: fewer are no time to compare with
TRACED: Final = 3  # new versions whose requests are looked at


@dataclass(frozen=True)
class _Measured:
    """The metric by segment and placement."""

    segments: dict[str, Pair]
    placements: dict[str, Pair]
    before: Amount | None
    now: Amount | None
    requests: tuple[float, float]


@dataclass(frozen=True)
class _Read:
    """What else is compared: rows of stages, of fates (in one segment, or empty for all) and of unavailable items."""

    stages: Sequence[Row] = ()
    segment: str = ""
    fates: Sequence[Row] = ()
    guard: Sequence[Row] = ()


def ask(changes: Changes, metric: Metric, order: Sequence[str] = STAGES, *, examples: bool = True) -> ChangedStory:
    """What changed between the two times of `changes`. order: the placement's stages or components, in pipeline order.
    examples: whether to look for requests that show it.

    Raises Unavailable when ClickHouse cannot answer.
    """
    seals, measured = changes.seals(), _measure(changes, metric)
    comparable = measured.before is not None and measured.now is not None
    differs = comparable and facts.changed(metric, measured.segments[""])
    causes = facts.causes(metric, measured.segments, measured.placements) if differs else []
    read = _Read(changes.stages(), *_fates(changes, causes), changes.guard()) if comparable else _Read()
    story = ChangedStory(
        asked=Asked(metric, changes.placement, **changes.times.parameters),
        sealed_until=utc(seals["sealed"]) if seals["sealed"] else None,
        incomplete=seals["incomplete_now"],
        before=measured.before,
        now=measured.now,
        changed=differs,
        causes=tuple(causes),
        deviations=tuple(_deviations(changes, metric, read, measured, order)) if comparable else (),
        of_bad=tuple(_of_bad(changes, metric, causes, measured, read, order)) if differs else (),
        mix=_mix(read, measured),
        novelties=tuple(_novelties(changes, measured, read.stages)) if comparable else (),
        placements=tuple(sorted(measured.placements)),
        examples=(),
    )
    if story.quiet or not examples:
        return story
    return replace(story, examples=tuple(_examples(changes, story, read.guard)))


def _measure(changes: Changes, metric: Metric) -> _Measured:
    by_segment, by_placement = changes.segments("segment"), changes.segments("placement")
    limit = facts.slow_limit(by_segment) if metric.kind == "latency" else math.inf
    if metric.whole == "candidacies":
        counted = replace(metric, part=lambda row: 0.0, whole="requests")
        segments = _chosen(changes.chosen("segment"), metric, facts.pairs(by_segment, counted, limit))
        placements = _chosen(changes.chosen("placement"), metric, facts.pairs(by_placement, counted, limit))
    else:
        segments = facts.pairs(by_segment, metric, limit)
        placements = facts.pairs(by_placement, metric, limit)
    total = segments.get("", Pair())
    sides = [
        _amount(metric, side, [row for row in by_segment if row["element"] == "" and row["is_now"] == number])
        for number, side in enumerate(total)
    ]
    return _Measured(segments, placements, sides[0], sides[1], (total.before.requests, total.now.requests))


def _chosen(rows: Sequence[Row], metric: Metric, requests: Mapping[str, Pair]) -> dict[str, Pair]:
    return facts.with_requests(facts.pairs(rows, metric, math.inf), requests)


def _amount(metric: Metric, side: facts.Sums, rows: Sequence[Row]) -> Amount | None:
    if not side.requests:
        return None
    made = facts.amount(metric, side)
    return replace(made, value=facts.p95(rows[0]), interval=None) if metric.kind == "latency" else made


def _fates(changes: Changes, causes: Sequence[Cause]) -> tuple[str, Sequence[Row]]:
    """In the segment that explains the change, where outcomes are kept for it; else of all."""
    if causes and len(causes[0].slices) == 1 and (rows := changes.fates(causes[0].names)):
        return causes[0].names, rows
    return "", changes.fates()


def _deviations(
    changes: Changes, metric: Metric, read: _Read, measured: _Measured, order: Sequence[str]
) -> list[Deviation]:
    requests = looks.requests_of(read.stages)
    part = _part(measured, read.segment)
    within = {
        placement: [count * share for count, share in zip(both, part, strict=True)]
        for placement, both in requests.items()
    }
    most = max((sum(both) for both in requests.values()), default=0.0)
    all_looks = [
        *looks.stage_looks(read.stages),
        *looks.fate_looks(read.fates, within),
        *looks.guard_looks(read.guard),
        *looks.score_looks(read.fates, within, looks.last_scorers(read.stages)),
        *looks.rule_looks(changes.rules(most)),
    ]
    return deviations(all_looks, looks.places(read.stages, order), first=metric.shows)


def _of_bad(
    changes: Changes, metric: Metric, causes: Sequence[Cause], measured: _Measured, read: _Read, order: Sequence[str]
) -> list[Deviation]:
    """What deviates in the requests that show the change: in the sums of all requests a small segment is lost. They are
    compared with those that showed the same before, where there were some, else with all before."""
    total = measured.segments[""]
    if not metric.statuses or total.now.share.value <= total.before.share.value or not metric.more_is_worse:
        return []
    bad = max(total.now.part, total.before.part)
    all_before = total.before.part < FEW
    requests = max(total.before.requests if all_before else 0.0, bad)
    rows = _at(changes, causes).bad(metric.statuses, _where(causes), all_before=all_before, requests=requests)
    return deviations(looks.bad_looks(rows), looks.places(read.stages, order), first=metric.shows)


def _part(measured: _Measured, segment: str) -> list[float]:
    """The share of the requests that are in a segment, before and now."""
    pair = measured.segments.get(segment, Pair())
    return [side.requests / whole if whole else 0.0 for side, whole in zip(pair, measured.requests, strict=True)]


def _mix(read: _Read, measured: _Measured) -> Mix:
    before, now = looks.removals(read.fates)
    shares = zip(_part(measured, read.segment), measured.requests, strict=True)
    n_before, n_now = (share * whole for share, whole in shares)
    return Mix(read.segment, divergence(before, now), most_moved(moves(before, now, n_before, n_now)))


def _novelties(changes: Changes, measured: _Measured, stages: Sequence[Row]) -> Iterator[Novelty]:
    for number, each in enumerate(facts.novelties(measured.segments, stages)):
        traced = each.component and each.appeared and number < TRACED
        rows = changes.version(each.component, each.name, max(measured.requests)) if traced else []
        yield replace(each, within=facts.within(rows))


def _examples(changes: Changes, story: ChangedStory, guard: Sequence[Row]) -> list[str]:
    """Requests that show as much as possible of what was found: the best first, then those that show less."""
    held: dict[str, None] = {}
    if story.suspect and story.suspect.signal == "guard":
        shown = [row["examples"] for row in guard if row["is_now"] and row["fate"] == "served"]
        held |= dict.fromkeys(request_id for examples in shown for request_id in examples)
    at = _at(changes, story.causes)
    for evidence in _evidence(story):
        held |= dict.fromkeys(at.examples(evidence, EXAMPLES))
        if len(held) >= EXAMPLES:
            break
    return list(held)[:EXAMPLES]


def _at(changes: Changes, causes: Sequence[Cause]) -> Changes:
    """At the placement that explains the change, if one does."""
    one = causes and causes[0].dimension == "placement" and len(causes[0].slices) == 1
    return replace(changes, placement=causes[0].slices[0].element) if one else changes


def _evidence(story: ChangedStory) -> Iterator[Evidence]:
    metric, where = story.asked.metric, _where(story.causes)
    shows = [_shows(each) for each in story.deviations if each.stage != "response"][:2]
    shows += [
        Evidence(component=each.component, version=each.name)
        for each in story.novelties
        if each.component and each.appeared
    ]
    if story.changed:
        base = replace(where, statuses=metric.statuses, slowest=metric.kind == "latency")
        yield from (_both(base, each) for each in shows)
        yield base
        yield replace(base, segment=None, arm=None)
    yield from (_both(where, each) for each in shows)
    yield from shows
    yield Evidence()


def _where(causes: Sequence[Cause]) -> Evidence:
    if not causes or len(causes[0].slices) != 1:
        return Evidence()
    name, element = causes[0].dimension, causes[0].slices[0].element
    if element in (facts.NONE, "other") or name == "placement":
        return Evidence()
    if name.startswith("experiment."):
        return Evidence(arm=(name.removeprefix("experiment."), element))
    return Evidence(segment=(name, element))


def _shows(each: Deviation) -> Evidence:
    if each.signal == "dropped" and each.now > each.before:
        return Evidence(component=each.component, reason=each.what)
    if each.signal in ("adjusted", "delta"):
        return Evidence(rule=each.what.partition(" ")[2])
    if each.signal == "duration":
        return Evidence(slowest=True)
    return Evidence(component=each.component) if each.signal in ("failed", "empty", "candidates") else Evidence()


def _both(base: Evidence, more: Evidence) -> Evidence:
    """What shows all that either shows."""
    given = {name: held for name, held in vars(more).items() if held}
    return replace(base, **given)
