"""What users do with what they are shown: clicks, carts, purchases and dismissals.

They follow what a user really likes (taste, quality, season) and the position. The ranker does not know these
likelihoods, it only estimates them, so a worse ranking earns fewer clicks.
"""

from typing import NamedTuple

import numpy as np

from rectrace.demo.arrays import Floats, Ints
from rectrace.demo.ask import Ask
from rectrace.demo.catalogue import ALL_YEAR
from rectrace.demo.users import AFFINITY, taste_affinity
from rectrace.demo.world import World

CLICK = 0.2  # of a perfect match at the first position
CART, PURCHASE, DISMISS = 0.35, 0.5, 0.003
OFF_SEASON = 0.15


class Act(NamedTuple):
    """An interaction, `after` seconds from the response. Positions are 1-based; value is the price of a purchase."""

    after: float
    kind: str
    item: int
    position: int
    value: float | None = None


class Shoppers:
    """Draws what happens to a served list."""

    def __init__(self, world: World) -> None:
        self._catalogue = world.catalogue
        self._like = world.like
        self._affinity = taste_affinity(world.catalogue.classes) / AFFINITY

    def relevance(self, ask: Ask, items: Ints) -> Floats:
        """How well each garment suits the user, 0..1."""
        taste = self._affinity[ask.taste, self._catalogue.garment_class[items]]
        season = self._catalogue.season[items]
        in_season = np.where((season == ALL_YEAR) | (season == ask.season), 1.0, OFF_SEASON)
        suits: Floats = np.sqrt(taste) * self._like.probability(ask.age, ask.band, items) * in_season
        return suits

    def act(self, ask: Ask, served: Ints) -> list[Act]:
        """Clicks and what follows from them, with the request's own randomness."""
        if len(served) == 0:
            return []
        random = ask.random
        position = np.arange(1, len(served) + 1)
        chance = CLICK * self.relevance(ask, served) / np.log2(position + 1)
        drawn = random.random(len(served))
        acts = []
        for index in np.flatnonzero((drawn < chance) | (drawn > 1 - DISMISS)).tolist():
            item, place = int(served[index]), index + 1
            at = float(1.5 + 0.6 * place + random.exponential(4))
            if drawn[index] >= chance[index]:
                acts.append(Act(at, "dismiss", item, place))
            else:
                acts += self._after_click(item, place, at, random)
        return acts

    def _after_click(self, item: int, place: int, at: float, random: np.random.Generator) -> list[Act]:
        acts = [Act(at, "click", item, place)]
        wants, buys = random.random(2)
        if wants < CART:
            at += float(4 + random.exponential(8))
            acts.append(Act(at, "cart", item, place))
            if buys < PURCHASE:
                price = float(self._catalogue.price[item])
                acts.append(Act(at + float(10 + random.exponential(20)), "purchase", item, place, price))
        return acts
