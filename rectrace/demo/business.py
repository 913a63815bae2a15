"""Business logic: the rules that act, and a sponsored garment that is put in after them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any, Final

import numpy as np
import polars as pl

from rectrace.client.rules import Request, RuleBook
from rectrace.demo.arrays import Bools, Floats, Ints
from rectrace.demo.ask import Ask
from rectrace.demo.catalogue import BRANDS, COUNTRIES, SEASONS, Catalogue, countries
from schemas.rule_files import load_rules
from schemas.rules import Rule

MayShow = Callable[[int], bool]
RULES: Final = "rules.yaml"
SCORE: Final = "score"


@dataclass(frozen=True)
class Sponsored:
    """A garment that is paid for: put in at a place, 1-based, where it may be shown and is not there already."""

    rule_id: str
    item: int
    position: int
    placements: frozenset[str]
    countries: frozenset[int]

    def covers(self, ask: Ask) -> bool:
        """Whether it is paid for this request."""
        return ask.placement in self.placements and ask.country in self.countries


@dataclass(frozen=True)
class Arranged:
    """The list after the rules, and what they did to it, as events carry it."""

    items: Ints
    scores: Floats
    adjustments: list[dict[str, Any]]
    dropped: dict[str, list[str]]


def standing_rules() -> list[Rule]:
    """The rules of a normal day."""
    return load_rules((files("rectrace.demo") / RULES).read_text("utf-8"), f"rectrace/demo/{RULES}")


@cache
def standing_book() -> RuleBook:
    """The same, compiled."""
    return RuleBook(standing_rules())


def sponsor(catalogue: Catalogue) -> Sponsored:
    """What Tidewell pays for: its garment with the most reviews of those that are sold everywhere."""
    tidewell = (catalogue.brand == BRANDS.index("Tidewell")) & catalogue.sold_in.all(axis=1)
    item = int(np.argmax(np.where(tidewell, catalogue.reviews, -1)))
    paid_in = frozenset(COUNTRIES.index(country) for country in ("US", "FR"))
    return Sponsored("sponsored_tidewell", item, 6, frozenset({"home"}), paid_in)


class Merchandising:
    """Arranges ranked garments by rules. feed: what is known of the stock, (garments, countries)."""

    def __init__(self, catalogue: Catalogue, sponsored: Sponsored, feed: Callable[[], Bools]) -> None:
        self._catalogue = catalogue
        self._sponsored = sponsored
        self._feed = feed
        self._garments = _frame(catalogue)
        self._named: tuple[RuleBook | None, pl.DataFrame] = None, self._garments  # what a book names of them

    def arrange(self, book: RuleBook, ask: Ask, items: Ints, scores: Floats, may_show: MayShow) -> Arranged:
        """Apply the rules, then put the sponsored garment in."""
        applied = book.apply(self._candidates(book, items, scores), _request(ask))
        numbers = self._catalogue.numbers
        arranged, worth = [numbers[item] for item in applied.items], list(applied.scores)
        adjustments = list(applied.adjustments)
        paid = self._sponsored
        if paid.covers(ask) and len(arranged) >= paid.position and paid.item not in arranged and may_show(paid.item):
            arranged.insert(paid.position - 1, paid.item)
            worth.insert(paid.position - 1, worth[paid.position - 1])
            name = self._catalogue.ids[paid.item]
            adjustments.append({"rule_id": paid.rule_id, "item": name, "action": "inject", "position": paid.position})
        return Arranged(np.array(arranged, dtype=np.int64), np.array(worth), adjustments, applied.dropped)

    def _candidates(self, book: RuleBook, items: Ints, scores: Floats) -> pl.DataFrame:
        """What the rules of a book name of the catalogue, in the order of `items`."""
        if self._named[0] is not book:
            named = (name for name in self._garments.columns if name in book.fields or name == "item")
            self._named = book, self._garments.select(named)
        made = [pl.Series(SCORE, scores)]
        if book.fields & {"available", "attributes.out_of_stock_in"}:
            made += self._stock(items)
        return self._named[1][items].with_columns(made)

    def _stock(self, items: Ints) -> Sequence[pl.Series]:
        sold_in = self._catalogue.sold_in[items]
        have = self._feed()[items]
        return [
            pl.Series("available", (have & sold_in).any(axis=1)),
            pl.Series("attributes.out_of_stock_in", [countries(row) for row in sold_in & ~have]),
        ]


def _frame(catalogue: Catalogue) -> pl.DataFrame:
    """What the catalogue says of every garment, but for its stock."""
    everywhere = np.ones(len(COUNTRIES), dtype=np.bool_)
    rows = []
    for number in range(len(catalogue)):
        record = catalogue.record(number, everywhere)
        attributes = record.pop("attributes")
        assert isinstance(attributes, dict)
        rows.append(record | {f"attributes.{name}": value for name, value in attributes.items()})
    made = pl.DataFrame(rows).with_columns(pl.col("created_at").cast(pl.Datetime("ms", "UTC")))
    return made.drop("available", "attributes.out_of_stock_in").with_columns(in_catalog=True)


def _request(ask: Ask) -> Request:
    return Request(
        datetime.fromtimestamp(ask.at, UTC),
        placement=ask.placement,
        request_id=ask.request_id,
        user_id=ask.user_id,
        k=ask.k,
        segments=ask.segments,
        experiments=ask.experiments,
        context={"season": SEASONS[ask.season]},
    )
