"""Stock by garment and country, made up: popular garments sell out, in one country or in all, and come back later."""

import heapq

import numpy as np

from rectrace.demo.arrays import Bools
from rectrace.demo.catalogue import COUNTRIES, Catalogue

SELL_OUTS_PER_SECOND = 0.4
BACK_AFTER_SECONDS = (90.0, 600.0)


class Stock:
    """`in_stock` is the truth, `feed` what the recommender knows of it: both (garments, countries).

    Takes the time from its caller, which must not go back.
    """

    def __init__(self, catalogue: Catalogue, seed: int, start: float) -> None:
        self._random = np.random.default_rng([seed, 3])
        shape = (len(catalogue), len(COUNTRIES))
        self._units = self._random.integers(1, 12, size=shape) * (self._random.random(shape) > 0.04)
        self._units[self._random.random(len(catalogue)) < 0.02] = 0
        self._steps = np.cumsum(np.sqrt(catalogue.reviews))
        self._next = start
        self._back: list[tuple[float, int]] = []
        for item in np.flatnonzero((self._units == 0).any(axis=1)):
            self._schedule_return(start, int(item))
        self.feed: Bools = self.in_stock.copy()

    @property
    def in_stock(self) -> Bools:
        """Where each garment can be had now."""
        have: Bools = self._units > 0
        return have

    def has(self, item: int) -> Bools:
        """Where one garment can be had now: one entry a country."""
        have: Bools = self._units[item] > 0
        return have

    def advance(self, now: float) -> list[int]:
        """Let happen what is due by `now`; the garments whose stock changed."""
        changed = []
        while self._next <= now:
            changed.append(self._sell_out(self._next))
            self._next += float(self._random.exponential(1 / SELL_OUTS_PER_SECOND))
        while self._back and self._back[0][0] <= now:
            item = heapq.heappop(self._back)[1]
            self._units[item, self._units[item] == 0] = int(self._random.integers(3, 12))
            changed.append(item)
        return changed

    def sell(self, item: int, country: int, now: float) -> bool:
        """One unit less; True if that was the last one in the country."""
        if self._units[item, country] == 0:
            return False
        self._units[item, country] -= 1
        if self._units[item, country] > 0:
            return False
        self._schedule_return(now, item)
        return True

    def feed_all(self) -> None:
        """The recommender learns of everything."""
        self.feed = self.in_stock.copy()

    def _sell_out(self, at: float) -> int:
        item = int(np.searchsorted(self._steps, self._random.random() * self._steps[-1]))
        if self._random.random() < 0.4:
            self._units[item] = 0
        else:
            self._units[item, int(self._random.integers(len(COUNTRIES)))] = 0
        self._schedule_return(at, item)
        return item

    def _schedule_return(self, at: float, item: int) -> None:
        heapq.heappush(self._back, (at + float(self._random.uniform(*BACK_AFTER_SECONDS)), item))
