"""Garments and users: what is real is as in the reviews, what is made up follows the seed."""

import msgspec
import numpy as np

from rectrace.demo import catalogue, reviews, users
from rectrace.demo.catalogue import BRANDS, COUNTRIES, UNLICENSED
from rectrace.demo.recording import START
from rectrace.demo.reviews import AGE_BANDS, age_band
from rectrace.demo.users import TASTE_NAMES, TASTES
from rectrace.demo.world import World
from schemas.catalog import decode_catalog


def test_the_reviews_are_all_there() -> None:
    data = reviews.load()

    assert len(data.item) == 23_486
    assert len(data.garment_class) == 1_206
    assert set(np.unique(data.rating)) == {1, 2, 3, 4, 5}
    assert data.garment_class[1078] == "Dresses"


def test_age_bands_are_closed_at_both_ends() -> None:
    bands = age_band(np.array([18, 29, 30, 59, 60, 99]))

    assert [AGE_BANDS[band] for band in bands] == ["18-29", "18-29", "30-39", "50-59", "60+", "60+"]


def test_a_catalogue_follows_its_seed() -> None:
    one, same, other = (catalogue.build(seed, START) for seed in (1, 1, 2))

    assert one.titles == same.titles
    assert (one.price == same.price).all()
    assert one.titles != other.titles
    assert one.department == other.department
    assert (one.rating == other.rating).all()


def test_every_catalogue_record_is_valid(world: World) -> None:
    everywhere = np.ones(len(COUNTRIES), dtype=np.bool_)
    for item, name in enumerate(world.catalogue.ids):
        raw = msgspec.json.encode(world.catalogue.record(item, everywhere))
        row = decode_catalog(name.encode(), raw, 0)
        assert row.item == name
        assert row.title
        assert row.price
        assert row.price > 0
        assert row.created_at
        assert row.created_at <= START * 1000
        assert row.attributes["season"] in catalogue.SEASONS


def test_availability_is_stock_where_it_is_sold(world: World) -> None:
    germany = COUNTRIES.index("DE")
    assert UNLICENSED["Ostra"] == ("DE",)
    garment = int(np.flatnonzero(world.catalogue.brand == BRANDS.index("Ostra"))[0])
    only_germany = np.arange(len(COUNTRIES)) == germany

    assert world.catalogue.record(garment, only_germany)["available"] is False
    assert world.catalogue.record(garment, ~only_germany)["available"] is True


def test_every_review_became_a_purchase_of_somebody_of_that_age(world: World) -> None:
    data = reviews.load()
    expected = {(int(band), int(item)) for band, item in zip(data.band, data.item, strict=True)}
    bought = {
        (int(world.users.band[user]), int(item)) for user, items in enumerate(world.users.bought) for item in items
    }

    assert bought == expected
    assert (age_band(world.users.age) == world.users.band).all()


def test_taste_groups_buy_what_they_like(world: World) -> None:
    classes = world.catalogue.garment_class

    def share(taste: int, liked: frozenset[str]) -> float:
        items = np.concatenate([world.users.bought[u] for u in np.flatnonzero(world.users.taste == taste)])
        return float(np.mean([world.catalogue.classes[classes[item]] in liked for item in items]))

    for taste, name in enumerate(TASTE_NAMES):
        others = [share(other, TASTES[name]) for other in range(len(TASTES)) if other != taste]
        assert share(taste, TASTES[name]) > max(others)


def test_users_follow_their_seed(world: World) -> None:
    same = users.build(7, reviews.load(), world.catalogue)
    other = users.build(8, reviews.load(), world.catalogue)

    assert (same.country == world.users.country).all()
    assert (other.country != world.users.country).any()
    assert np.isclose(world.users.weight.sum(), 1)
    assert world.users.weight.max() < 0.02
