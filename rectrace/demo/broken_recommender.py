"""Faults of the recommender: it computes something else than it should."""

from typing import Final

import numpy as np

from rectrace.client.rules import RuleBook
from rectrace.demo.arrays import Bools, Floats, Ints
from rectrace.demo.ask import Ask, Found
from rectrace.demo.catalogue import COUNTRIES
from rectrace.demo.hooks import EventDict
from rectrace.demo.truth import Kind, Truth
from schemas.rules import Rule


class SourceEmpty(Kind):
    """A source that lost its index and does not say so."""

    truth = Truth("source_empty", "co-visitation finds nothing, with status ok", "retrieval", "covisit")

    def found(self, source: str, ask: Ask, found: Found) -> Found:
        return Found.nothing() if source == self.truth.component else found


class SourceSlow(Kind):
    """A source that is slow, and at times too late."""

    truth = Truth("source_slow", "content neighbours take 220 ms longer; some time out", "retrieval", "content")

    def latency(self, component: str, ask: Ask, ms: float) -> float:
        return ms + 220 if component == self.truth.component else ms


class FilterOverdrop(Kind):
    """A bad import of licences."""

    truth = Truth(
        "filter_overdrop",
        "the region filter drops nineteen garments in twenty for users in Germany: short and empty responses",
        "filtering",
        "eligibility",
        {"country": "DE"},
    )

    def blocked(self, reason: str, ask: Ask, items: Ints, blocked: Bools) -> Bools:
        if reason != "region_blocked" or COUNTRIES[ask.country] != "DE":
            return blocked
        licensed: Bools = items % 20 == 0
        return blocked | ~licensed


class StockFeedStale(Kind):
    """The recommender goes on with the stock it knew when this set in."""

    truth = Truth(
        "stock_feed_stale",
        "the stock feed stands still: what has sold out since is served, what is back is dropped as out_of_stock",
        "filtering",
        "eligibility",
    )

    def feed_is_live(self, live: bool) -> bool:
        return False


class SeasonLeak(Kind):
    """Coats in June."""

    truth = Truth(
        "season_leak",
        "the season filter lets everything pass: coats and sweaters in June, in Brazil's winter swimwear",
        "filtering",
        "policy",
    )

    def blocked(self, reason: str, ask: Ask, items: Ints, blocked: Bools) -> Bools:
        return np.zeros_like(blocked) if reason == "out_of_season" else blocked


class BoostStorm(Kind):
    """Percent taken for fractions."""

    truth = Truth(
        "boost_storm",
        "every boost adds a hundred times what it should: the house brand and the new come before all else",
        "business_logic",
        "merchandising",
    )

    def __init__(self) -> None:
        self._before = self._storm = RuleBook()

    def rules(self, ask: Ask, book: RuleBook) -> RuleBook:
        if self._before is not book:
            self._before, self._storm = book, RuleBook(_hundredfold(rule) for rule in book.rules)
        return self._storm


class ScorerConstant(Kind):
    """A model that lost its features."""

    truth = Truth("scorer_constant", "the ranker gives every candidate 0.5", "scoring", "ranker")

    def scores(self, ask: Ask, scores: Floats) -> Floats:
        return np.full_like(scores, 0.5)


class ScorerScaleShift(Kind):
    """A new version whose scores are not calibrated. The order by score is the same; boosts weigh more against it."""

    truth = Truth(
        "scorer_scale_shift",
        "version 2.1.0 of the ranker's variant v2 gives scores of 0.35 times the size",
        "scoring",
        "ranker",
        {"ranker": "v2"},
        pages=False,
    )
    VERSION: Final = "2.1.0"

    def scores(self, ask: Ask, scores: Floats) -> Floats:
        return scores * 0.35 if self._touches(ask) else scores

    def event(self, ask: Ask, event: EventDict) -> EventDict:
        if self._touches(ask) and self.is_mine(event):
            event["version"] = self.VERSION
        return event

    def _touches(self, ask: Ask) -> bool:
        return ask.experiments["ranker"] == "v2"


class StageTimeout(Kind):
    """The ranker misses its deadline, and the API falls back to what is popular."""

    truth = Truth(
        "stage_timeout", "the ranker is ten times slower in 60 % of the requests: fallback", "scoring", "ranker"
    )

    def latency(self, component: str, ask: Ask, ms: float) -> float:
        return ms * 10 if component == self.truth.component and self.strikes(ask, 0.6) else ms


def _hundredfold(rule: Rule) -> Rule:
    action = rule.action
    if action is None or action.type != "boost":
        return rule
    more = {"delta": 100 * action.delta} if action.delta else {"factor": 1 + 100 * ((action.factor or 1) - 1)}
    return rule.model_copy(update={"action": action.model_copy(update=more)})
