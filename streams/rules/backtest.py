"""What rules would have done: the judge over history, batch by batch, and what came of it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from schemas.rules import Rule
from streams.rules.firing import episodes
from streams.rules.frames import PAIRS
from streams.rules.judge import Judge, Verdict

WEEK: Final = 7 * 86_400.0
EXAMPLES: Final = 5
SEGMENTS: Final = 5
FEW: Final = 3  # hits of a segment below which its share says nothing
LIFT: Final = 1.25  # times the share of all that a segment's must be to be worth telling
LABELLED: Final = ("placement", "segments", "experiments")  # columns that requests are told apart by


@dataclass(frozen=True)
class Slice:
    """The requests of one segment, such as country=DE."""

    segment: str
    judged: int
    hit: int

    @property
    def share(self) -> float:
        """Of those judged."""
        return self.hit / self.judged if self.judged else 0.0


@dataclass(frozen=True)
class Found:
    """What one rule would have done."""

    rule: Rule
    judged: int  # requests
    hit: int  # requests
    violations: int  # items, in scope item; else requests
    fired: int  # times that it would have begun to fire, over all groups
    firing_s: int  # seconds in which a group fired
    a_week: float  # times it would begin to fire in a week like this time
    segments: Sequence[Slice]  # those with the most hits beyond the rule's own share, most first
    examples: Sequence[str]  # request ids, newest first
    failed: str = ""  # why it could not be judged

    @property
    def share(self) -> float:
        """Of requests."""
        return self.hit / self.judged if self.judged else 0.0


@dataclass
class _Sum:
    """What is known of one rule so far."""

    violations: int = 0
    windows: dict[tuple[str, ...], list[tuple[int, int, int]]] = field(default_factory=lambda: defaultdict(list))
    judged: Counter[str] = field(default_factory=Counter)  # by segment
    hit: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)


class Backtest:
    """Add batches in the order of time, then ask what was found."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._judge = Judge(rules)
        self._sums = {rule.id: _Sum() for rule in self._judge.rules}
        self.failed = dict(self._judge.failed)
        self.requests = 0

    @property
    def columns(self) -> list[str]:
        """The columns of `frames.TRACES` that batches must have."""
        return list(dict.fromkeys([*self._judge.columns, *LABELLED]))

    @property
    def needs_catalog(self) -> bool:
        """Whether any rule needs the catalogue."""
        return self._judge.needs_catalog

    def add(self, traces: pl.DataFrame, catalog: pl.DataFrame) -> None:
        """One more batch, as `Judge.judge` takes it; no window may be in two."""
        verdict = self._judge.judge(traces, catalog, by_window=True)
        self.failed |= verdict.failed
        self.requests += traces.height
        self._add_counts(verdict)
        self._add_hits(verdict)
        self._add_segments(verdict, traces)

    def found(self, seconds: float) -> list[Found]:
        """One entry a rule; seconds: how long a time was looked at."""
        return [self._found(rule, self._sums[rule.id], seconds) for rule in self._judge.rules]

    def _add_counts(self, verdict: Verdict) -> None:
        for row in verdict.counts.iter_rows(named=True):
            group = tuple(pair["value"] for pair in row["group"])
            windows = self._sums[row["rule_id"]].windows[group]
            windows.append((int(row["window"].timestamp()), row["judged"], row["hit"]))

    def _add_hits(self, verdict: Verdict) -> None:
        newest = pl.col("request_id").sort_by("at", descending=True).unique(maintain_order=True).head(EXAMPLES)
        grouped = verdict.hits.group_by("rule_id").agg(pl.len().alias("violations"), newest.alias("examples"))
        for name, violations, examples in grouped.iter_rows():
            known = self._sums[name]
            known.violations += violations
            known.examples = [*examples, *known.examples][:EXAMPLES]

    def _add_segments(self, verdict: Verdict, traces: pl.DataFrame) -> None:
        labels = segments(traces)
        everywhere: dict[tuple[object, ...], Mapping[str, int]] = {}
        for rule in self._judge.rules:
            key = (rule.scope == "trace", rule.active.since_ms, rule.active.until_ms)
            if key not in everywhere:
                everywhere[key] = _counted(labels.join(_judged(traces, rule), on="request_id", how="semi"))
            self._sums[rule.id].judged.update(everywhere[key])
        hits = verdict.hits.select("rule_id", "request_id").unique().join(labels, on="request_id")
        for (name,), rows in hits.partition_by("rule_id", as_dict=True).items():
            self._sums[str(name)].hit.update(_counted(rows))

    def _found(self, rule: Rule, known: _Sum, seconds: float) -> Found:
        counts = [count for windows in known.windows.values() for count in windows]
        judged, hit = sum(each[1] for each in counts), sum(each[2] for each in counts)
        spans = [span for windows in known.windows.values() for span in episodes(rule.fires, windows)]
        return Found(
            rule=rule,
            judged=judged,
            hit=hit,
            violations=known.violations,
            fired=len(spans),
            firing_s=sum(end - start for start, end in spans),
            a_week=len(spans) * WEEK / seconds,
            segments=_worst(known, hit / judged if judged else 0.0),
            examples=known.examples,
            failed=self.failed.get(rule.id, ""),
        )


def segments(traces: pl.DataFrame) -> pl.DataFrame:
    """A row a request and segment of it: request_id, segment (name=value; experiments as experiment.name=value)."""
    placed = traces.select("request_id", ("placement=" + pl.col("placement").cast(pl.String)).alias("segment"))
    parts = [placed]
    for column, prefix in (("segments", ""), ("experiments", "experiment.")):
        pairs = (
            traces.select("request_id", pl.col(column).cast(PAIRS)).explode(column).drop_nulls(column).unnest(column)
        )
        named = pl.concat_str(pl.lit(prefix), "key", pl.lit("="), "value").alias("segment")
        parts.append(pairs.select("request_id", named))
    return pl.concat(parts)


def _judged(traces: pl.DataFrame, rule: Rule) -> pl.DataFrame:
    """The requests that a rule judges."""
    since, until, at = rule.active.since_ms, rule.active.until_ms, pl.col("at").dt.epoch("ms")
    conditions = [pl.col("responded") | (rule.scope == "trace")]
    conditions += [] if since is None else [at >= since]
    conditions += [] if until is None else [at < until]
    return traces.select("request_id", "at", "responded").filter(*conditions)


def _counted(labels: pl.DataFrame) -> dict[str, int]:
    return dict(labels.group_by("segment").len().iter_rows())


def _worst(known: _Sum, share: float) -> list[Slice]:
    """Segments that have clearly more than their part of the hits, those with the most beyond it first."""
    slices = [Slice(segment, judged, known.hit[segment]) for segment, judged in known.judged.items()]
    telling = [each for each in slices if each.hit >= FEW and each.share >= LIFT * share]
    return sorted(telling, key=lambda each: (share * each.judged - each.hit, each.segment))[:SEGMENTS]
