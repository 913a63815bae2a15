"""The shop's users.

The reviews name no reviewer. Users are therefore made up from the seed (country, device, taste, how often they come)
and the real reviews are dealt out to them as purchases: each goes to a user of the reviewer's age band, more likely to
one whose taste group likes the class. So ages, classes and ratings in the histories are real; who bought what together
is made up.
"""

from dataclasses import dataclass

import numpy as np

from rectrace.demo.arrays import Floats, Ints
from rectrace.demo.catalogue import COUNTRIES, Catalogue
from rectrace.demo.reviews import AGE_BANDS, Reviews

COUNTRY_SHARES = (0.34, 0.20, 0.14, 0.12, 0.11, 0.09)
DEVICES = ("ios", "android", "web")
TASTES: dict[str, frozenset[str]] = {
    "classic": frozenset({"Blouses", "Pants", "Fine gauge", "Jackets"}),
    "romantic": frozenset({"Dresses", "Skirts", "Blouses", "Intimates"}),
    "denim": frozenset({"Jeans", "Knits", "Jackets"}),
    "cosy": frozenset({"Sweaters", "Lounge", "Sleep", "Legwear"}),
    "beach": frozenset({"Swim", "Shorts", "Dresses"}),
    "outdoor": frozenset({"Outerwear", "Pants", "Layering", "Sweaters"}),
    "trendy": frozenset({"Trend", "Knits", "Skirts", "Outerwear"}),
}
TASTE_NAMES = tuple(TASTES)
AFFINITY = 6.0  # how much more a taste group likes its classes than the others


@dataclass(frozen=True)
class Users:
    """Columns with one entry a user; `bought` holds the garments of each, oldest first."""

    ids: list[str]  # "u00042"
    age: Ints
    band: Ints  # index of AGE_BANDS
    taste: Ints  # index of TASTE_NAMES
    country: Ints  # index of COUNTRIES
    device: Ints  # index of DEVICES
    weight: Floats  # share of the traffic
    bought: list[Ints]

    def __len__(self) -> int:
        return len(self.ids)

    def segments(self, user: int) -> dict[str, str]:
        """What a request event says about its user."""
        return {
            "country": COUNTRIES[self.country[user]],
            "device": DEVICES[self.device[user]],
            "age_band": AGE_BANDS[self.band[user]],
        }


def build(seed: int, reviews: Reviews, catalogue: Catalogue, count: int = 4000) -> Users:
    """`count` users and the reviews dealt out to them. Every pair of age band and taste gets at least one user."""
    random = np.random.default_rng([seed, 2])
    shares = np.bincount(reviews.band, minlength=len(AGE_BANDS)) / len(reviews.age)
    band = np.concatenate([np.arange(len(AGE_BANDS)), random.choice(len(AGE_BANDS), size=count, p=shares)])
    band = np.sort(band[:count])
    taste = np.arange(count) % len(TASTES)
    low = np.array([18, 30, 40, 50, 60])[band]
    return Users(
        ids=[f"u{number:05d}" for number in range(count)],
        age=low + random.integers(0, 10, size=count),
        band=band,
        taste=taste,
        country=random.choice(len(COUNTRIES), size=count, p=COUNTRY_SHARES),
        device=random.choice(len(DEVICES), size=count, p=(0.42, 0.33, 0.25)),
        weight=_normalised(np.minimum(random.pareto(1.5, size=count) + 0.3, 20)),
        bought=_deal(reviews, catalogue, band, taste, random),
    )


def taste_affinity(classes: list[str]) -> Floats:
    """(tastes, classes): how much each group likes each class; 1 is indifferent."""
    return np.array([[AFFINITY if name in liked else 1.0 for name in classes] for liked in TASTES.values()])


def _deal(reviews: Reviews, catalogue: Catalogue, band: Ints, taste: Ints, random: np.random.Generator) -> list[Ints]:
    liking = taste_affinity(catalogue.classes)[:, catalogue.garment_class[reviews.item]]
    steps = np.cumsum(liking / liking.sum(axis=0), axis=0)
    group = np.minimum((random.random(len(reviews.item)) > steps).sum(axis=0), len(TASTES) - 1)
    cell = reviews.band * len(TASTES) + group
    members = [np.flatnonzero(band * len(TASTES) + taste == number) for number in range(len(AGE_BANDS) * len(TASTES))]
    drawn = random.random(len(cell))
    buyer = np.array([members[c][int(r * len(members[c]))] for c, r in zip(cell, drawn, strict=True)])
    order = np.argsort(buyer, kind="stable")
    parts = np.split(reviews.item[order], np.cumsum(np.bincount(buyer, minlength=len(band)))[:-1])
    return [part[np.sort(np.unique(part, return_index=True)[1])] for part in parts]


def _normalised(values: Floats) -> Floats:
    normalised: Floats = values / values.sum()
    return normalised
