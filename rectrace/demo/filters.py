"""The filters, in the order in which they run: a candidate is dropped for the first reason that applies."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rectrace.demo.arrays import Bools, Ints
from rectrace.demo.ask import Ask
from rectrace.demo.catalogue import ALL_YEAR, COUNTRIES, SUMMER, WINTER, Catalogue
from rectrace.demo.shop import Shop

# The shop's calendar always says June, whatever the day: a fault of the season looks the same on every day.
MONTH = 6
SOUTHERN = frozenset({"BR"})


@dataclass(frozen=True)
class Filter:
    """One reason to drop: `blocked` gives one entry per candidate."""

    reason: str
    blocked: Callable[[Ask, Ints], Bools]


def season_of(country: int) -> int:
    """The season in a country in the shop's month, as an index of SEASONS."""
    return WINTER if COUNTRIES[country] in SOUTHERN else SUMMER


def build(catalogue: Catalogue, shop: Shop) -> dict[str, tuple[Filter, ...]]:
    """Filters by component, both in order."""

    def out_of_stock(ask: Ask, items: Ints) -> Bools:
        blocked: Bools = ~shop.stock.feed[items, ask.country]
        return blocked

    def already_seen(ask: Ask, items: Ints) -> Bools:
        seen: Bools = np.zeros(len(catalogue), dtype=np.bool_)
        seen[ask.page] = True
        seen[shop.bought[ask.user]] = True
        return seen[items]

    def region_blocked(ask: Ask, items: Ints) -> Bools:
        blocked: Bools = ~catalogue.sold_in[items, ask.country]
        return blocked

    def brand_unsafe(ask: Ask, items: Ints) -> Bools:
        unsafe = catalogue.unsafe[items]
        return unsafe | catalogue.private[items] if ask.placement == "home" else unsafe

    def out_of_season(ask: Ask, items: Ints) -> Bools:
        season = catalogue.season[items]
        blocked: Bools = (season != ALL_YEAR) & (season != ask.season)
        return blocked

    return {
        "eligibility": (
            Filter("out_of_stock", out_of_stock),
            Filter("already_seen", already_seen),
            Filter("region_blocked", region_blocked),
        ),
        "policy": (Filter("brand_unsafe", brand_unsafe), Filter("out_of_season", out_of_season)),
    }
