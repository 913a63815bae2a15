"""The real part of the demo's data: 23,486 reviews of 1,206 garments (data/ATTRIBUTION.md)."""

import csv
import gzip
import io
from collections import Counter
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from rectrace.demo.arrays import Bools, Floats, Ints

AGE_BANDS = ("18-29", "30-39", "40-49", "50-59", "60+")


@dataclass(frozen=True)
class Reviews:
    """Columns of equal length, one entry a review; `item` indexes the garments, which are numbered from 0."""

    item: Ints
    age: Ints
    rating: Floats  # 1 to 5
    recommended: Bools
    division: list[str]  # per garment, as are the next two: the most frequent value of its reviews
    department: list[str]
    garment_class: list[str]

    @property
    def band(self) -> Ints:
        """Age band of each reviewer, as an index of AGE_BANDS."""
        return age_band(self.age)


def age_band(age: Ints) -> Ints:
    """Index of AGE_BANDS for each age in years."""
    return np.clip(age // 10 - 2, 0, len(AGE_BANDS) - 1)


@cache
def load() -> Reviews:
    """Read the packaged file, about 0.1 s."""
    packed = (files("rectrace.demo") / "data" / "clothing_reviews.csv.gz").read_bytes()
    rows = list(csv.DictReader(io.StringIO(gzip.decompress(packed).decode())))
    item = np.array([int(row["clothing_id"]) for row in rows])
    return Reviews(
        item=item,
        age=np.array([int(row["age"]) for row in rows]),
        rating=np.array([float(row["rating"]) for row in rows]),
        recommended=np.array([row["recommended"] == "1" for row in rows]),
        division=_most_frequent(rows, "division", int(item.max()) + 1),
        department=_most_frequent(rows, "department", int(item.max()) + 1),
        garment_class=_most_frequent(rows, "class", int(item.max()) + 1),
    )


def _most_frequent(rows: list[dict[str, str]], column: str, garments: int) -> list[str]:
    counts = [Counter[str]() for _ in range(garments)]
    for row in rows:
        counts[int(row["clothing_id"])][row[column] or "Other"] += 1
    return [count.most_common(1)[0][0] for count in counts]
