"""The ranker: how likely is it that this user likes that garment, and looks for something of its kind?

Two heads, both fitted at start. `LikeModel` is a logistic regression on the reviews' `recommended` flag (real data);
the interest head weighs what the user's group buys and what the user bought. A score is their product, within 0..1.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from rectrace.demo.arrays import Bools, Floats, Ints
from rectrace.demo.ask import Ask
from rectrace.demo.catalogue import DAY, Catalogue, shrunk_mean
from rectrace.demo.reviews import AGE_BANDS, Reviews


class Ranker(Protocol):
    """Scores candidates, 0..1, one per item."""

    version: str

    def score(self, ask: Ask, items: Ints) -> Floats: ...


@dataclass(frozen=True)
class LikeModel:
    """P(recommended | age, garment), logistic: a linear term per age band and garment, and one for the age gap."""

    table: Floats  # (age bands, garments)
    gap_weight: float
    item_age: Floats

    def probability(self, age: Ints | int, band: Ints | int, items: Ints) -> Floats:
        """Between 0 and 1, one per item; `age` and `band` are one user's, or as long as `items`."""
        gap = np.abs(self.item_age[items] - age) / 10
        return _sigmoid(self.table[band, items] + self.gap_weight * gap)


def train(reviews: Reviews, catalogue: Catalogue, rows: Bools | None = None) -> LikeModel:
    """Fit on the reviews (those of the mask `rows`, if given): ridge-penalised, by Newton's method, 0.1-0.3 s."""
    chosen = np.ones(len(reviews.item), dtype=np.bool_) if rows is None else rows
    item, liked = reviews.item[chosen], reviews.recommended[chosen].astype(float)
    quality = _logit(shrunk_mean(item, liked, len(catalogue)))
    band = reviews.band[chosen]
    features = _features(catalogue, quality)
    # A garment's own mean holds the review that is to be explained: take it out of it.
    count = np.bincount(item, minlength=len(catalogue))
    total = np.bincount(item, weights=liked, minlength=len(catalogue))
    without = _logit((total[item] - liked + 10 * liked.mean()) / (count[item] + 9))
    rows_of_x = features[item]
    rows_of_x[:, 0] = without
    gap = np.abs(catalogue.age[item] - reviews.age[chosen])[:, None] / 10
    weights = _fit(np.concatenate([rows_of_x, _bands(band), gap], axis=1), liked)
    width = features.shape[1]
    table = features @ weights[:width] + weights[width : width + len(AGE_BANDS), None]
    return LikeModel(table, float(weights[-1]), catalogue.age)


class Control:
    """Version 1: like times interest, where interest is in the class and in garments like those bought before."""

    version = "1.4.2"

    def __init__(self, like: LikeModel, interest: Floats, similarity: Floats, catalogue: Catalogue) -> None:
        self._like = like
        self._interest = interest
        self._similarity = similarity
        self._class = catalogue.garment_class

    def score(self, ask: Ask, items: Ints) -> Floats:
        like = self._like.probability(ask.age, ask.band, items)
        wants = self._interest[ask.taste, ask.band, self._class[items]]
        near = self._similarity[np.ix_(items, ask.seeds)].mean(axis=1) if len(ask.seeds) else 0.5 * wants
        scores: Floats = like**3 * (0.1 + 0.4 * wants + 0.5 * near)
        return scores


class PriceAware:
    """Version 2: also prefers what is new and costs about what the user's latest purchases did."""

    version = "2.0.0"

    def __init__(self, control: Control, catalogue: Catalogue, start: float) -> None:
        self._control = control
        self._log_price = np.log(catalogue.price)
        self._fresh = np.exp(-np.maximum(start - catalogue.created_at, 0) / (60 * DAY))

    def score(self, ask: Ask, items: Ints) -> Floats:
        base = self._control.score(ask, items)
        usual = self._log_price[ask.seeds].mean() if len(ask.seeds) else self._log_price.mean()
        fit = np.exp(-np.abs(self._log_price[items] - usual))
        scores: Floats = base * (0.55 + 0.3 * fit + 0.15 * self._fresh[items])
        return scores


def _features(catalogue: Catalogue, quality: Floats) -> Floats:
    """One row a garment; the first column is its quality."""
    division = np.unique(catalogue.division, return_inverse=True)[1]
    return np.concatenate(
        [
            quality[:, None],
            np.log1p(catalogue.reviews)[:, None] / 5,
            np.eye(len(catalogue.classes))[catalogue.garment_class],
            np.eye(int(division.max()) + 1)[division],
        ],
        axis=1,
    )


def _bands(band: Ints) -> Floats:
    return np.eye(len(AGE_BANDS))[band]


def _fit(x: Floats, y: Floats, penalty: float = 3.0, steps: int = 8) -> Floats:
    weights = np.zeros(x.shape[1])
    for _ in range(steps):
        p = _sigmoid(x @ weights)
        gradient = x.T @ (y - p) - penalty * weights
        curvature = (x * (p * (1 - p))[:, None]).T @ x + penalty * np.eye(x.shape[1])
        weights += np.linalg.solve(curvature, gradient)
    return weights


def _sigmoid(z: Floats) -> Floats:
    return 1 / (1 + np.exp(-z))


def _logit(p: Floats) -> Floats:
    clipped = np.clip(p, 0.01, 0.99)
    return np.log(clipped / (1 - clipped))
