"""Business logic by rules: the rules that act, compiled once, over the candidates of one request after another.

book = RuleBook(rules)                                     # or RuleFollower(...).book, which follows rectrace.rules
applied = book.apply(candidates, Request(now, placement="home", k=20, segments={"country": "DE"}))
trace.business_logic("rules", applied.items, **applied.fields)
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import compress
from typing import Final

import polars as pl

from rectrace.client.applying import Applied, Arrangement, Conflict, Pick, precedence
from schemas.rules import Rule
from streams.rules.acting import CANDIDATES, Request, compile_items

__all__ = ["CANDIDATES", "Applied", "Conflict", "Request", "RuleBook"]

_FAILURES: Final = (pl.exceptions.PolarsError, pl.exceptions.PanicException)


class RuleBook:
    """The rules that act among these; those that only watch are left out, of one id the last counts.

    Safe to share between threads. rules: in the order in which they have their way. failed: those that cannot be
    compiled and never act, with why. fields: what the conditions are about: a frame of candidates needs no other
    column than these and the score.
    """

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        acting = {rule.id: rule for rule in rules if rule.action is not None}
        self._compiled = compile_items(sorted(acting.values(), key=precedence))
        self.rules: Sequence[Rule] = tuple(self._compiled.rules)
        self.failed = dict(self._compiled.failed)
        named = {field.name for field in self._compiled.fields}
        self.fields = frozenset(named | ({"created_at"} if "age_days" in named else set()))
        self._acting = [(rule, rule.action) for rule in self.rules if rule.action is not None]
        self._times = {rule.id: (rule.active.since_ms, rule.active.until_ms) for rule in self.rules}

    def __len__(self) -> int:
        return len(self.rules)

    def apply(
        self, candidates: pl.DataFrame, request: Request, k: int | None = None, now: datetime | None = None
    ) -> Applied:
        """Apply the rules in force.

        candidates: one row an item, in the order so far; column item, and of `CANDIDATES` what is known (score; what
        the catalogue says; attributes or "attributes.NAME"): the rest is NULL. k: slots, by default the request's; now:
        with zone, by default when the request came. Does not raise: if nothing can be evaluated (columns of a wrong
        type), all rules are in `failed` and the list is as it came.
        """
        items = candidates.get_column("item").cast(pl.String).to_list()
        arrangement = Arrangement(items, _scores(candidates))
        picks, failed = self._picks(candidates, request, _epoch_ms(now or request.at)) if items else ([], {})
        return arrangement.apply(picks, request.k if k is None else k, failed)

    def _picks(self, candidates: pl.DataFrame, request: Request, now_ms: int) -> tuple[list[Pick], dict[str, str]]:
        if not self._acting:
            return [], {}
        if "position" in self.fields and "position" not in candidates.columns:
            candidates = candidates.with_columns(pl.int_range(1, pl.len() + 1).alias("position"))
        try:
            matches, failed = self._compiled.matches(candidates, request)
        except _FAILURES as error:
            return [], dict.fromkeys((rule.id for rule in self.rules), " ".join(str(error).split())[:300])
        rows = range(candidates.height)
        found = {each.name: list(compress(rows, each.to_list())) for each in matches.get_columns() if each.any()}
        acting = ((rule, action) for rule, action in self._acting if rule.id in found and self._now(rule, now_ms))
        return [(rule, action, found[rule.id]) for rule, action in acting], failed

    def _now(self, rule: Rule, now_ms: int) -> bool:
        since, until = self._times[rule.id]
        return (since is None or since <= now_ms) and (until is None or now_ms < until)


def _scores(candidates: pl.DataFrame) -> list[float | None]:
    if "score" not in candidates.columns:
        return [None] * candidates.height
    scores: list[float | None] = candidates.get_column("score").cast(pl.Float64, strict=False).to_list()
    return scores


def _epoch_ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
