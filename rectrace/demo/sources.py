"""Candidate sources. Each answers from an index that it computes once, from histories, reviews or garments."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from rectrace.demo.arrays import Floats, Floats32, Ints, top
from rectrace.demo.ask import Ask, Found
from rectrace.demo.catalogue import COUNTRIES, DAY, Catalogue
from rectrace.demo.reviews import AGE_BANDS, Reviews
from rectrace.demo.users import TASTES, Users

NEIGHBOURS = 40  # kept per garment in an index of neighbours


class Source(Protocol):
    """A source of candidates, best first, each garment at most once."""

    name: str
    version: str

    def retrieve(self, ask: Ask) -> Found: ...


@dataclass(frozen=True)
class Neighbours:
    """For each garment its nearest others: two (garments, NEIGHBOURS) arrays."""

    item: Ints
    weight: Floats

    def around(self, seeds: Ints, limit: int) -> Found:
        """The garments nearest to any of `seeds`, by summed weight. May contain a seed that is near another."""
        if len(seeds) == 0:
            return Found.nothing()
        weights = self.weight[seeds].ravel()
        total: Floats = np.bincount(self.item[seeds].ravel(), weights=weights, minlength=len(self.item)).astype(float)
        best = top(total, limit)
        return Found(best, total[best] / len(seeds))


class CoVisitation:
    """Bought by users of the same taste group who bought what this user has."""

    name = "covisit"
    version = "2.3.1"

    def __init__(self, users: Users, garments: int, limit: int = 45) -> None:
        self._limit = limit
        bought: Floats32 = np.zeros((len(users), garments), dtype=np.float32)
        for user, items in enumerate(users.bought):
            bought[user, items] = 1.0
        by_taste = [_together(bought[users.taste == taste]) for taste in range(len(TASTES))]
        everybody = np.sum(by_taste, axis=0)
        count = np.maximum(np.diag(everybody), 1)
        # What anybody bought together counts a quarter, so that garments that a group rarely buys have neighbours.
        self._by_taste = [
            _nearest((group + 0.25 * everybody) / np.outer(count, count) ** np.float32(0.3)) for group in by_taste
        ]

    def retrieve(self, ask: Ask) -> Found:
        return self._by_taste[ask.taste].around(ask.seeds, self._limit)


class Popularity:
    """Most reviewed within the user's age band, in proportion to how well the garment is rated."""

    name = "popular"
    version = "1.8.0"

    def __init__(self, reviews: Reviews, catalogue: Catalogue, limit: int = 40) -> None:
        self._found: list[Found] = []
        for band in range(len(AGE_BANDS)):
            count = np.bincount(reviews.item[reviews.band == band], minlength=len(catalogue))
            weight = np.log1p(count) * catalogue.rating / 5
            best = top(weight, limit)
            self._found.append(Found(best, weight[best]))

    def retrieve(self, ask: Ask) -> Found:
        return self._found[ask.band]


class PopularNear:
    """Bought by most in the user's country, in proportion to how well the garment is rated."""

    name = "popular_near"
    version = "1.0.0"

    def __init__(self, users: Users, catalogue: Catalogue, limit: int = 40) -> None:
        self._found: list[Found] = []
        for country in range(len(COUNTRIES)):
            bought = [items for items, home in zip(users.bought, users.country, strict=True) if home == country]
            count = np.bincount(np.concatenate(bought), minlength=len(catalogue))
            weight = np.log1p(count) * catalogue.rating / 5
            best = top(weight, limit)
            self._found.append(Found(best, weight[best]))

    def retrieve(self, ask: Ask) -> Found:
        return self._found[ask.country]


class Content:
    """Garments that are like those the user has bought or looks at."""

    name = "content"
    version = "3.0.2"

    def __init__(self, similarity: Floats, limit: int = 40) -> None:
        self._limit = limit
        self._nearest = _nearest(similarity)

    def retrieve(self, ask: Ask) -> Found:
        return self._nearest.around(ask.seeds, self._limit)


class NewArrivals:
    """The newest garments, those first that the user's taste group buys from."""

    name = "new_arrivals"
    version = "1.1.0"

    def __init__(self, catalogue: Catalogue, interest: Floats, start: float, limit: int = 25) -> None:
        age_days = np.maximum(start - catalogue.created_at, 0) / DAY
        recency = np.where(age_days <= 45, np.exp(-age_days / 30), 0.0)
        self._found: dict[tuple[int, int], Found] = {}
        for taste, band in np.ndindex(interest.shape[:2]):
            weight = recency * interest[taste, band][catalogue.garment_class] * catalogue.rating / 5
            best = top(weight, limit)
            self._found[taste, band] = Found(best, weight[best])

    def retrieve(self, ask: Ask) -> Found:
        return self._found[ask.taste, ask.band]


def content_similarity(catalogue: Catalogue) -> Floats:
    """(garments, garments) cosine similarity, 0 to 1, of class, department, division, brand, season, price and age."""
    columns = [
        _one_hot(catalogue.garment_class, 1.0),
        _one_hot(np.unique(catalogue.department, return_inverse=True)[1], 0.6),
        _one_hot(np.unique(catalogue.division, return_inverse=True)[1], 0.3),
        _one_hot(catalogue.brand, 0.5),
        _one_hot(catalogue.season, 0.3),
        _one_hot(np.digitize(catalogue.price, np.quantile(catalogue.price, (0.25, 0.5, 0.75))), 0.4),
        _one_hot(np.digitize(catalogue.age, (35, 42, 50)), 0.3),
    ]
    features = np.concatenate(columns, axis=1)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    similarity: Floats = features @ features.T
    return similarity


def interest(users: Users, catalogue: Catalogue) -> Floats:
    """(tastes, age bands, classes): how often a group buys from a class, from the histories, scaled to 0..1."""
    counts = np.zeros((len(TASTES), len(AGE_BANDS), len(catalogue.classes)))
    for user, items in enumerate(users.bought):
        np.add.at(counts[users.taste[user], users.band[user]], catalogue.garment_class[items], 1.0)
    counts += 5 * counts.sum(axis=(0, 1)) / counts.sum()  # a group that hardly buys is taken to buy like all
    rate = np.sqrt(counts)
    scaled: Floats = rate / rate.max(axis=2, keepdims=True)
    return scaled


def _together(bought: Floats32) -> Floats32:
    """(garments, garments): by how many of these users two garments were bought."""
    together: Floats32 = bought.T @ bought
    return together


def _nearest(weight: Floats | Floats32) -> Neighbours:
    weight = weight.copy()
    np.fill_diagonal(weight, 0.0)
    item = np.argpartition(-weight, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
    return Neighbours(item, np.take_along_axis(weight, item, axis=1).astype(np.float64))


def _one_hot(value: Ints, weight: float) -> Floats:
    return np.eye(int(value.max()) + 1)[value] * weight
