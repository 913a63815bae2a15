"""A request's journey as SQL: merged traces, one fate a candidate. The seal and `rectrace why` use the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from schemas.pipeline import STAGES
from sinks.clickhouse.queries import literal, sql


@dataclass(frozen=True)
class Journey:
    """How parts become traces and candidates get their fates: everything that depends on beside the rows."""

    orders: Mapping[str, Sequence[str]] = field(default_factory=dict)  # placement: its stages or components, in order
    expected: Mapping[str, Sequence[str]] = field(default_factory=dict)  # placement: components, stages, or both
    outcome_segments: Sequence[str] = ()  # at most three names
    segment_values: int = 50  # values of one segment that keep their name
    slow_ms: float = 1_000.0
    keep_users: int = 100  # one user in so many is kept whole for retention_kept
    retention_all_s: int = 2 * 86_400
    retention_kept_s: int = 30 * 86_400
    near_s: int = 70  # how far from its request a part is looked for: join.max_wait and a window

    def merge(self, source: str, which: str = "max(l.has_request)") -> str:
        """The query of merged traces over `source`, a relation with the columns of landing."""
        return sql(
            "merge",
            source=source,
            which=which,
            order=_by_placement({name: complete(order) for name, order in self.orders.items()}, literal(STAGES)),
            expected=_by_placement(self.expected, "[]::Array(LowCardinality(String))"),
            keep_ms=literal(float(self.slow_ms)),
            keep_users=literal(self.keep_users),
            retention_all=literal(self.retention_all_s),
            retention_kept=literal(self.retention_kept_s),
        )

    def fates(self, traces: str) -> str:
        """The query of one fate a candidate and request over `traces`, a query with the columns of the view."""
        return sql("fates", candidates=self.candidates(traces))

    def candidates(self, traces: str) -> str:
        """The common table expressions of both, up to `candidates`."""
        orders = {name: [step for step in complete(order) if step in STAGES] for name, order in self.orders.items()}
        return sql("candidates", traces=traces, order=_by_placement(orders, literal(STAGES)))


def complete(order: Sequence[str]) -> list[str]:
    """A placement's order with every stage in it: one that it does not name follows the stage that usually comes before
    it, behind the components named there."""
    steps = list(order)
    for number, stage in enumerate(STAGES):
        if stage in steps:
            continue
        at = steps.index(STAGES[number - 1]) + 1 if number else 0
        while number and at < len(steps) and steps[at] not in STAGES:
            at += 1
        steps.insert(at, stage)
    return steps


def _by_placement(values: Mapping[str, Sequence[str]], default: str) -> str:
    """An SQL expression: the array of the row's placement, else the default. '*' replaces the default."""
    rest = literal(list(values["*"])) if values.get("*") else default
    cases = [f"placement = {literal(name)}, {literal(list(array))}" for name, array in values.items() if name != "*"]
    return f"multiIf({', '.join(cases)}, {rest})" if cases else rest
