"""The shop's garments.

Real, from the reviews: which garments there are, their class, department and division, mean rating, number of reviews
and mean age of the reviewers. Made up from the seed: title, brand, price, date of arrival, season (by class where the
class decides it), countries where it is sold, and whether it is safe to show.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rectrace.demo import reviews as review_data
from rectrace.demo.arrays import Bools, Floats, Ints, Objects
from rectrace.demo.reviews import AGE_BANDS, Reviews, age_band

COUNTRIES = ("US", "DE", "FR", "GB", "JP", "BR")
SEASONS = ("all year", "summer", "winter")
ALL_YEAR, SUMMER, WINTER = range(3)
HOUSE_BRAND = "Linden Row"
BLOCKED_BRAND = "Vexley"  # brand safety: not to be shown anywhere
BRANDS = (
    HOUSE_BRAND,
    "Alder & Moss",
    "Norvane",
    "Casa Lume",
    "Tidewell",
    "Petite Ourse",
    "Quillon",
    "Sable & Rye",
    "Marlowe Knit",
    "Indigo Yard",
    "Ostra",
    "Fen Atelier",
    "Halden",
    BLOCKED_BRAND,
)
# Brands that are not sold in a country at all.
UNLICENSED = {"Norvane": ("JP",), "Petite Ourse": ("BR", "US"), "Ostra": ("DE",), "Halden": ("FR", "GB")}
# Not shown on the home page, which anybody may look at over somebody's shoulder.
PRIVATE_CLASSES = frozenset({"Intimates", "Sleep", "Chemises"})
CLASS_SEASON = {"Swim": SUMMER, "Shorts": SUMMER, "Outerwear": WINTER, "Sweaters": WINTER}
NEVER_SEASONAL = frozenset({"Intimates", "Sleep", "Lounge", "Legwear", "Layering", "Jeans"})
BASE_PRICE = {"Outerwear": 148, "Jackets": 118, "Dresses": 98, "Jeans": 92, "Sweaters": 84, "Pants": 79, "Skirts": 72}
MATERIALS = ("Cotton", "Linen", "Merino", "Silk", "Crepe", "Corduroy", "Jersey", "Tencel", "Velvet", "Poplin")
CUTS = ("Wrap", "Relaxed", "Tailored", "Pleated", "Cropped", "Flared", "Boxy", "Draped", "Striped", "Embroidered")
NOUNS = {
    "Dresses": "Dress",
    "Knits": "Knit Top",
    "Blouses": "Blouse",
    "Sweaters": "Sweater",
    "Fine gauge": "Fine-Gauge Pullover",
    "Skirts": "Skirt",
    "Jackets": "Jacket",
    "Lounge": "Lounge Set",
    "Swim": "Swimsuit",
    "Outerwear": "Coat",
    "Sleep": "Nightdress",
    "Legwear": "Tights",
    "Intimates": "Bralette",
    "Layering": "Camisole",
    "Chemises": "Chemise",
}
DAY = 86_400.0


@dataclass(frozen=True)
class Catalogue:
    """Columns with one entry a garment. Prices in the shop's currency, times in epoch seconds."""

    ids: list[str]  # "g1078"
    titles: list[str]
    brand: Ints  # index of BRANDS
    garment_class: Ints  # index of `classes`
    classes: list[str]
    department: list[str]
    division: list[str]
    rating: Floats  # mean, shrunk towards the mean of all reviews
    reviews: Ints
    age: Floats  # mean age of its reviewers
    price: Floats
    created_at: Floats
    season: Ints  # index of SEASONS
    sold_in: Bools  # (garments, countries)

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def labels(self) -> Objects:
        """Ids as an array, for fast look-up of many."""
        return np.array(self.ids, dtype=object)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """The index of each id."""
        return {name: number for number, name in enumerate(self.ids)}

    @cached_property
    def unsafe(self) -> Bools:
        """Garments of the blocked brand."""
        blocked: Bools = self.brand == BRANDS.index(BLOCKED_BRAND)
        return blocked

    @cached_property
    def private(self) -> Bools:
        """Garments that the home page must not show."""
        return np.array([self.classes[index] in PRIVATE_CLASSES for index in self.garment_class])

    def names(self, items: Ints) -> list[str]:
        """Ids of the garments with these indices, in their order."""
        names: list[str] = self.labels[items].tolist()
        return names

    def record(self, item: int, in_stock: Bools) -> dict[str, object]:
        """The catalogue record of one garment; `in_stock` has one entry a country."""
        sold_in = self.sold_in[item]
        return {
            "item": self.ids[item],
            "title": self.titles[item],
            "brand": BRANDS[self.brand[item]],
            "category": self.classes[self.garment_class[item]],
            "price": float(self.price[item]),
            "available": bool((in_stock & sold_in).any()),
            "created_at": int(self.created_at[item] * 1000),
            "image_url": "",
            "attributes": {
                "season": SEASONS[self.season[item]],
                "department": self.department[item],
                "division": self.division[item],
                "age_band": AGE_BANDS[int(age_band(np.array([int(self.age[item])]))[0])],
                "rating": f"{self.rating[item]:.2f}",
                "reviews": str(self.reviews[item]),
                "sold_in": countries(sold_in),
                "out_of_stock_in": countries(sold_in & ~in_stock),
                "brand_safe": "false" if self.unsafe[item] else "true",
            },
        }


def build(seed: int, start: float) -> Catalogue:
    """The catalogue of a seed; arrivals are dated back from `start` (epoch seconds)."""
    reviews = review_data.load()
    random = np.random.default_rng([seed, 1])
    classes = sorted(set(reviews.garment_class))
    count = np.bincount(reviews.item)
    brand = random.choice(len(BRANDS), size=len(count), p=_brand_shares())
    return Catalogue(
        ids=[f"g{number}" for number in range(len(count))],
        titles=_titles(reviews, random),
        brand=brand,
        garment_class=np.array([classes.index(name) for name in reviews.garment_class]),
        classes=classes,
        department=reviews.department,
        division=reviews.division,
        rating=shrunk_mean(reviews.item, reviews.rating, len(count)),
        reviews=count,
        age=np.bincount(reviews.item, weights=reviews.age) / count,
        price=_prices(reviews, random),
        # Garments with many reviews have been there for long, as a rule.
        created_at=start - DAY * random.exponential(25 + 70 * np.log(count)),
        season=_seasons(reviews, random),
        sold_in=_sold_in(brand, random),
    )


def shrunk_mean(item: Ints, value: Floats, garments: int, prior: float = 10.0) -> Floats:
    """Mean value per garment, as if it had `prior` more reviews of the overall mean."""
    total = np.bincount(item, weights=value, minlength=garments)
    count = np.bincount(item, minlength=garments)
    shrunk: Floats = (total + prior * value.mean()) / (count + prior)
    return shrunk


def _brand_shares() -> Floats:
    shares = np.linspace(2.0, 0.6, len(BRANDS))
    shares[BRANDS.index(BLOCKED_BRAND)] = 0.45
    normalised: Floats = shares / shares.sum()
    return normalised


def _titles(reviews: Reviews, random: np.random.Generator) -> list[str]:
    material, cut = random.integers(10, size=(2, len(reviews.garment_class)))
    return [
        f"{MATERIALS[material[number]]} {CUTS[cut[number]]} {NOUNS.get(name, name)}"
        for number, name in enumerate(reviews.garment_class)
    ]


def _prices(reviews: Reviews, random: np.random.Generator) -> Floats:
    base = np.array([BASE_PRICE.get(name, 54) for name in reviews.garment_class], dtype=float)
    return np.round(base * random.lognormal(0, 0.3, size=len(base))) - 0.05


def _seasons(reviews: Reviews, random: np.random.Generator) -> Ints:
    drawn = random.choice(len(SEASONS), size=len(reviews.garment_class), p=(0.86, 0.06, 0.08))
    return np.array(
        [
            ALL_YEAR if name in NEVER_SEASONAL else CLASS_SEASON.get(name, int(drawn[number]))
            for number, name in enumerate(reviews.garment_class)
        ]
    )


def _sold_in(brand: Ints, random: np.random.Generator) -> Bools:
    sold: Bools = random.random((len(brand), len(COUNTRIES))) > 0.06
    for name, countries in UNLICENSED.items():
        for country in countries:
            sold[brand == BRANDS.index(name), COUNTRIES.index(country)] = False
    sold[~sold.any(axis=1)] = True
    return sold


def countries(mask: Bools) -> str:
    """Names of countries, as the catalogue's attributes carry them; `mask` has one entry a country."""
    return ",".join(country for country, holds in zip(COUNTRIES, mask, strict=True) if holds)
