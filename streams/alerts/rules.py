"""The signals of rules: whether the requests that a rule found at fault are enough to tell somebody. Pure, but `load`.

A rule fires by the sums of its windows within `fires.within` seconds. Where an alert is pending or firing and its rule
has found nothing, or is disabled, a good signal lets it end.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final, Protocol

from schemas.alerts import AlertState, RuleCounts, RuleHit, Severity, label_name
from streams.alerts.model import Definition, Kind, Signal
from streams.rules.firing import firing

ALERT: Final = "RuleViolated"
EXAMPLES: Final = 5  # request ids
_SUMMARY: Final = "{message} ({bad} of {total} requests{where} within {within} s; rule {rule} of {owner})."
_ADVICE: Final = (
    "`rectrace why` of one of the examples shows where what it served came from, and what moved it. Ask {owner} whether"
    " the rule is right; `rectrace rules list` shows when it changed."
)

Key = tuple[str, tuple[tuple[str, str], ...]]  # rule, labels of its group


class RuleStore(Protocol):
    """Where the counts come from. Blocks; raises `Unavailable`."""

    def rule_counts(self, first: int, last: int) -> RuleCounts:
        """Of the windows from first to last, both inside, and of those before within the rules' own times."""
        ...


class Rules:
    """The source of all signals about rules."""

    def __init__(self, store: RuleStore) -> None:
        self._store = store

    def load(self, first: int, last: int) -> "RuleSignals":
        """As SignalSource says."""
        return RuleSignals(self._store.rule_counts(first, last))


class RuleSignals:
    """Implements `Signals`."""

    def __init__(self, counts: RuleCounts) -> None:
        self._rules = counts.rules
        self._hits: dict[Key, list[RuleHit]] = defaultdict(list)
        for hit in counts.hits:
            self._hits[hit.rule, _labels(hit.group)].append(hit)
        self._examples = counts.examples

    def at(self, window: int, active: Collection[AlertState]) -> Iterator[Signal]:
        """As Signals says."""
        seen: set[Key] = set()
        for key, hits in self._hits.items():
            if signal := self._signal(window, key, hits):
                seen.add(key)
                yield signal
        for state in active:
            labels = {name: value for name, value in state.labels.items() if name not in ("rule", "owner")}
            if state.alert == ALERT and (state.labels["rule"], tuple(labels.items())) not in seen:
                yield Signal(_definition(state.severity), state.labels)

    def _signal(self, window: int, key: Key, hits: Sequence[RuleHit]) -> Signal | None:
        newest = max((hit for hit in hits if hit.window <= window), key=lambda hit: hit.window, default=None)
        rule = self._rules.get(newest.version) if newest else None
        if newest is None or rule is None:
            return None
        within = [hit for hit in hits if window - rule.fires.within < hit.window <= window]
        judged, hit = sum(each.judged for each in within), sum(each.hit for each in within)
        if not within:
            return None
        bad = hit if firing(rule.fires, judged, hit) else 0
        text = {
            "message": rule.message.rstrip("."),
            "within": str(rule.fires.within),
            "where": "".join(f", {name} {value}" for name, value in newest.group.items()),
            "version": newest.version,
            **({"runbook_url": rule.runbook} if rule.runbook else {}),
        }
        labels = {"rule": rule.id, "owner": rule.owner, **dict(key[1])}
        examples = self._shown(newest, within) if bad else ()
        return Signal(_definition(rule.severity), labels, bad, judged, examples=examples, text=text)

    def _shown(self, newest: RuleHit, within: Sequence[RuleHit]) -> tuple[str, ...]:
        windows = {hit.window for hit in within}
        found = (
            each.request_id
            for each in self._examples
            if each.rule == newest.rule and each.window in windows and newest.group.items() <= each.group.items()
        )
        return tuple(dict.fromkeys(found))[:EXAMPLES]


def _definition(severity: Severity) -> Definition:
    """A rule says itself how many are enough: one window in which they are is."""
    return Definition(ALERT, severity, Kind.COUNT, 1, needed=1, of=1, quiet=2, summary=_SUMMARY, todo=_ADVICE)


def _labels(group: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((label_name(name), value) for name, value in group.items())
