"""What the steps of the recommender hand to each other: the ask of one request, candidates, scored candidates."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import xxhash

from rectrace.demo.arrays import Floats, Ints


class Found(NamedTuple):
    """Candidates in order, with the scores they were ordered by."""

    items: Ints
    scores: Floats

    @classmethod
    def nothing(cls) -> "Found":
        """No candidates."""
        return cls(np.empty(0, dtype=np.int64), np.empty(0))


@dataclass(frozen=True, slots=True)
class Ask:
    """One request to the recommender. Garments and users are indices."""

    request_id: str
    at: float  # epoch seconds of its arrival
    placement: str
    sources: tuple[str, ...]
    k: int
    user: int
    user_id: str
    age: int
    band: int
    taste: int
    country: int
    seeds: Ints  # garments to start from: the page's or the cart's, then the latest of the history
    page: Ints  # garments on the page or in the cart
    segments: dict[str, str]
    experiments: dict[str, str]
    season: int  # of the country: see catalogue.SEASONS
    random: np.random.Generator = field(compare=False)  # of this request alone

    def luck(self, salt: str) -> float:
        """A number in [0, 1) that depends on the request and on `salt` only."""
        return xxhash.xxh3_64_intdigest(f"{salt}:{self.request_id}".encode()) / 2**64
