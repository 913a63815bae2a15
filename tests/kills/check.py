"""Compares ClickHouse with the truth, one trace and one sealed count at a time."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from clickhouse_connect.driver.client import Client

from tests.kills.truth import (
    Cell,
    Identity,
    Trace,
    Truth,
    outcome_counts,
    pressure_counts,
    rule_counts,
    rule_pressure_counts,
    segment_counts,
    stage_counts,
)

Query = Callable[[str], Sequence[Sequence[Any]]]
Seen = dict[Identity, tuple[int, int, list[str], dict[str, list[str]]]]  # record time, hash, items, dropped


@dataclass
class Findings:
    """What is not as it must be. Events: lost, doubled. Requests: thinned, wrong. And counts that differ."""

    lost: int = 0  # in the topic and not in landing
    invented: int = 0  # in landing and not in the topic
    doubled: int = 0  # requests with more than one trace, and stages that stand twice in one
    thinned: int = 0  # requests without all of their stages
    wrong: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.lost or self.invented or self.doubled or self.thinned or self.wrong)

    def __str__(self) -> str:
        head = f"{self.lost} lost, {self.invented} invented, {self.doubled} doubled, {self.thinned} thinned"
        return "\n  ".join([f"{head}, {len(self.wrong)} wrong", *self.wrong[:12]])


def unfinished(client: Client, database: str, truth: Truth) -> str | None:
    """Which windows of the truth are not sealed as they should be; None if all are. Cheap."""
    rows = client.query(
        f"SELECT toUnixTimestamp(window), incomplete FROM {database}.visible WHERE rows > 0"
    ).result_rows
    sealed = {int(window) for window, incomplete in rows if not incomplete}
    missing = sorted(truth.windows - sealed)
    return f"windows not sealed whole: {missing}" if missing else None


def compare(client: Client, database: str, truth: Truth) -> Findings:
    """Everything, against everything, up to the first table that is not right: the next ones are made of it."""

    def query(text: str) -> Sequence[Sequence[Any]]:
        return client.query(text.replace("$", f"{database}.")).result_rows

    findings = Findings()
    for check in (_compare_letters, _compare_windows, _compare_landing, _compare_traces):
        check(query, truth, findings)
        if findings:
            return findings
    traces = list(truth.traces.values())
    hits = rule_counts(traces)
    violations: Counter[Cell] = Counter()
    for (window, rule, _, measure), count in hits.items():
        violations[window, rule, measure] += count * (measure == "hit")
    for table, text, due in (
        ("stage_metrics", _STAGES, stage_counts(traces)),
        ("segment_metrics", _SEGMENTS, segment_counts(traces)),
        ("item_outcomes", _OUTCOMES, outcome_counts(traces)),
        ("pressure", _PRESSURE, pressure_counts(traces)),
        ("rule_pressure", _RULE_PRESSURE, rule_pressure_counts(traces)),
        ("rule_hits", _RULE_HITS, hits),
        ("violations", _VIOLATIONS, +violations),
    ):
        _compare_counts(table, query(text), due, findings)
    return findings


def _compare_letters(query: Query, truth: Truth, findings: Findings) -> None:
    if letters := query("SELECT reason, field, message FROM $dead_letters LIMIT 3"):
        findings.wrong.append(f"dead letters: {letters}")


def _compare_landing(query: Query, truth: Truth, findings: Findings) -> None:
    rows = query(
        "SELECT DISTINCT request_id, s.stage, s.component, s.attempt, s.hash FROM $landing ARRAY JOIN stages AS s"
    )
    landed = {
        (str(request), (str(stage), str(component), attempt), digest)
        for request, stage, component, attempt, digest in rows
    }
    published = {(name, *event) for name, trace in truth.traces.items() for event in trace.hashes}
    findings.lost += len(published - landed)
    findings.invented += len(landed - published)
    findings.wrong += [f"lost: {event}" for event in sorted(published - landed)[:3]]
    findings.wrong += [f"invented: {event}" for event in sorted(landed - published)[:3]]


def _compare_traces(query: Query, truth: Truth, findings: Findings) -> None:
    rows = query(
        "SELECT request_id, toUnixTimestamp(window), "
        "arrayMap(s -> (s.stage, s.component, s.attempt, toUnixTimestamp64Milli(s.record_at), s.hash), stages), "
        "stages.items, stages.dropped FROM $traces"
    )
    expected = truth.homed
    seen: set[str] = set()
    for request_id, window, keys, items, dropped in rows:
        if request_id in seen:
            findings.doubled += 1
            findings.wrong.append(f"{request_id}: a second trace, in window {window}")
            continue
        seen.add(request_id)
        if (trace := expected.get(request_id)) is None:
            findings.wrong.append(f"{request_id}: a trace of a request without a request event, in window {window}")
            continue
        identities = [(stage, component, attempt) for stage, component, attempt, _, _ in keys]
        findings.doubled += len(identities) - len(set(identities))
        stages = {
            identity: (key[3], key[4], list(its_items), dict(its_dropped))
            for identity, key, its_items, its_dropped in zip(identities, keys, items, dropped, strict=True)
        }
        findings.thinned += len(stages) < len(trace.stages)
        findings.wrong += _differences(trace, window, stages)
    if missing := expected.keys() - seen:
        findings.thinned += len(missing)
        findings.wrong.append(f"{len(missing)} requests without a trace, such as {sorted(missing)[:3]}")


def _differences(trace: Trace, window: int, seen: Seen) -> Iterator[str]:
    if window != trace.window:
        yield f"{trace.request_id}: in window {window}, its home is {trace.window}"
    for identity, event in trace.stages.items():
        due = (event.record_at, event.hash, event.items, event.dropped)
        if (found := seen.get(identity)) != due:
            yield f"{trace.request_id} {identity}: is {found}, must be {due}"
    for identity in seen.keys() - trace.stages.keys():
        yield f"{trace.request_id} {identity}: nobody published it"


def _compare_windows(query: Query, truth: Truth, findings: Findings) -> None:
    due = Counter({trace.window: 0 for trace in truth.homed.values()})
    due.update(trace.window for trace in truth.homed.values())
    rows = query("SELECT toUnixTimestamp(window), requests, incomplete FROM $visible")
    sealed = {int(window): int(requests) for window, requests, _ in rows if requests}
    if sealed != dict(due):
        findings.wrong.append(f"requests by window: are {sorted(sealed.items())}, must be {sorted(due.items())}")
    findings.wrong += [f"window {window} is sealed incomplete" for window, _, incomplete in rows if incomplete]


def _compare_counts(table: str, rows: Sequence[Sequence[Any]], due: Counter[Cell], findings: Findings) -> None:
    """rows: the cell, then the measures as a map."""
    found: Counter[Cell] = Counter()
    for *cell, measures in rows:
        for name, value in measures.items():
            found[(*cell, name)] += value
    found = +found
    wrong = [cell for cell in found.keys() | due.keys() if found[cell] != due[cell]]
    findings.wrong += [f"{table} {cell}: is {found[cell]}, must be {due[cell]}" for cell in sorted(wrong)[:4]]
    if len(wrong) > 4:
        findings.wrong.append(f"{table}: {len(wrong)} counts differ")


_STAGES = """
SELECT toUnixTimestamp(window), placement, stage, component, version,
    map('n', sum(n), 'n_out', sum(n_out), 'zero_out', sum(zero_out))
FROM $stage_metrics GROUP BY window, placement, stage, component, version
"""
_SEGMENTS = """
SELECT toUnixTimestamp(window), placement, segment, map(
    'requests', sum(requests), 'responded', sum(responded), 'empty', sum(empty), 'short', sum(short),
    'incomplete', sum(incomplete), 'conflicts', sum(conflicts), 'slots', sum(slots), 'served', sum(served)
)
FROM $segment_metrics GROUP BY window, placement, segment
"""
_OUTCOMES = """
SELECT toUnixTimestamp(window), placement, segment, item, map(
    'n', sum(n), 'served', sumIf(n, fate = 'served'), 'position_sum', sumIf(position_sum, fate = 'served')
)
FROM $item_outcomes GROUP BY window, placement, segment, item
"""
_PRESSURE = """
SELECT toUnixTimestamp(window), placement, map(
    'requests', sum(requests), 'judged', sum(judged), 'slots', sum(slots), 'slots_by_rules', sum(slots_by_rules),
    'adjusted', sum(adjusted)
)
FROM $pressure GROUP BY window, placement
"""
_RULE_PRESSURE = """
SELECT toUnixTimestamp(window), placement, rule,
    map('requests', sum(requests), 'boosted', sum(boosted), 'slots', sum(slots))
FROM $rule_pressure GROUP BY window, placement, rule
"""
_RULE_HITS = """
SELECT toUnixTimestamp(window), rule, arrayElement(mapValues(grouped), 1), map('judged', sum(judged), 'hit', sum(hit))
FROM $rule_hits GROUP BY ALL
"""
_VIOLATIONS = """
SELECT toUnixTimestamp(window), rule, map('hit', uniqExact(request_id)) FROM $violations GROUP BY window, rule
"""
