"""The steps of the recommender, each by itself."""

from dataclasses import replace

import numpy as np
import pytest

from rectrace.client.rules import RuleBook
from rectrace.demo import business, filters, reviews, scorer
from rectrace.demo.ask import Ask
from rectrace.demo.asks import Asks
from rectrace.demo.business import Merchandising, Sponsored
from rectrace.demo.catalogue import COUNTRIES, SUMMER, WINTER
from rectrace.demo.filters import Filter
from rectrace.demo.ordering import mmr, within_cap
from rectrace.demo.recording import START
from rectrace.demo.shop import Shop
from rectrace.demo.stock import Stock
from rectrace.demo.world import World
from rectrace.rule_book import starter_pack
from schemas.rules import Rule
from streams.rules.examples import outcomes
from streams.rules.reading import check


@pytest.fixture
def shop(world: World) -> Shop:
    return Shop(Stock(world.catalogue, world.seed, START), world.users.bought)


@pytest.fixture
def ask(world: World, shop: Shop) -> Ask:
    """A request for the home page of a user with a history, in Germany."""
    asks = Asks(world, shop, START)
    drawn = (asks.draw(number, START) for number in range(10_000))
    return next(a for a in drawn if a.placement == "home" and len(a.seeds) >= 3 and a.segments["country"] == "DE")


def test_requests_are_drawn_by_their_number_alone(world: World, shop: Shop) -> None:
    one, other = Asks(world, shop, START), Asks(world, shop, START)
    one.draw(1, START)

    assert one.draw(5, START).request_id == other.draw(5, START).request_id
    assert one.draw(5, START).user == other.draw(5, START).user
    assert Asks(world, shop, START + 1).draw(5, START).request_id != one.draw(5, START).request_id


def test_sources_find_different_but_overlapping_garments(world: World, ask: Ask) -> None:
    found = {name: source.retrieve(ask) for name, source in world.sources.items()}

    assert set(found) == {"covisit", "popular", "content", "new_arrivals", "popular_near"}
    for items, scores in found.values():
        assert 20 <= len(items) <= 50
        assert len(set(items.tolist())) == len(items)
        assert (np.diff(scores) <= 0).all()
    together = np.concatenate([items for items, _ in found.values()])
    assert 80 < len(np.unique(together)) < len(together) - 10


def test_sources_depend_on_what_they_say(world: World, ask: Ask) -> None:
    def same(source: str, **other: object) -> bool:
        changed = replace(ask, **other)  # type: ignore[arg-type]
        retrieve = world.sources[source].retrieve
        return np.array_equal(retrieve(ask).items, retrieve(changed).items)

    assert not same("covisit", taste=(ask.taste + 1) % 7)
    assert not same("covisit", seeds=ask.seeds[1:])
    assert not same("content", seeds=ask.seeds[1:])
    assert same("content", taste=(ask.taste + 1) % 7)
    assert not same("popular", band=(ask.band + 1) % 5)
    assert same("popular", seeds=ask.seeds[1:])
    assert not same("new_arrivals", taste=(ask.taste + 1) % 7)


def test_without_a_history_only_the_popular_and_the_new_are_found(world: World, ask: Ask) -> None:
    stranger = replace(ask, seeds=ask.seeds[:0])

    found = {name: len(source.retrieve(stranger).items) for name, source in world.sources.items()}

    assert found["covisit"] == found["content"] == 0
    assert found["popular"] > 0
    assert found["new_arrivals"] > 0


def test_new_arrivals_are_new(world: World, ask: Ask) -> None:
    items = world.sources["new_arrivals"].retrieve(ask).items

    assert (START - world.catalogue.created_at[items] <= 45 * 86_400).all()


@pytest.mark.parametrize("reason", ["out_of_stock", "already_seen", "region_blocked", "brand_unsafe", "out_of_season"])
def test_a_filter_drops_for_its_reason_and_nothing_else(world: World, shop: Shop, ask: Ask, reason: str) -> None:
    garments = world.catalogue
    everything = np.arange(len(garments))
    by_reason: dict[str, Filter] = {
        each.reason: each for reasons in filters.build(garments, shop).values() for each in reasons
    }
    wanted = {
        "out_of_stock": ~shop.stock.in_stock[:, COUNTRIES.index("DE")],
        "already_seen": np.isin(everything, shop.bought[ask.user]),
        "region_blocked": ~garments.sold_in[:, COUNTRIES.index("DE")],
        "brand_unsafe": garments.unsafe | garments.private,
        "out_of_season": garments.season == WINTER,
    }[reason]

    blocked = by_reason[reason].blocked(ask, everything)

    assert (blocked == wanted).all()
    assert 0 < blocked.sum() < len(garments)


def test_what_a_user_buys_is_seen_from_then_on(world: World, shop: Shop, ask: Ask) -> None:
    seen = filters.build(world.catalogue, shop)["eligibility"][1]
    item = next(i for i in range(len(world.catalogue)) if i not in shop.bought[ask.user])
    assert not seen.blocked(ask, np.array([item]))[0]

    shop.buy(ask.user, item, ask.country, START)

    assert seen.blocked(ask, np.array([item]))[0]
    assert item not in world.users.bought[ask.user]


def test_june_is_winter_in_the_south(world: World, shop: Shop) -> None:
    assert filters.season_of(COUNTRIES.index("BR")) == WINTER
    assert filters.season_of(COUNTRIES.index("JP")) == SUMMER


def test_the_filters_run_in_the_stated_order(world: World, shop: Shop) -> None:
    reasons = [each.reason for reasons in filters.build(world.catalogue, shop).values() for each in reasons]

    assert reasons == ["out_of_stock", "already_seen", "region_blocked", "brand_unsafe", "out_of_season"]


def test_the_like_model_beats_a_constant_on_reviews_that_it_has_not_seen(world: World) -> None:
    data = reviews.load()
    rows = np.random.default_rng(1).random(len(data.item)) < 0.8
    model = scorer.train(data, world.catalogue, rows)
    liked = data.recommended[~rows]

    predicted = model.probability(data.age[~rows], data.band[~rows], data.item[~rows])

    constant = np.full(len(liked), data.recommended[rows].mean())
    assert _log_loss(predicted, liked) < _log_loss(constant, liked)
    positive, negative = predicted[liked], predicted[~liked]
    auc = (positive[:, None] > negative[None, :]).mean() + 0.5 * (positive[:, None] == negative[None, :]).mean()
    assert auc > 0.54


def _log_loss(predicted: np.ndarray, liked: np.ndarray) -> float:
    return float(-np.where(liked, np.log(predicted), np.log(1 - predicted)).mean())


def test_the_rankers_differ_and_prefer_what_the_group_buys(world: World, ask: Ask) -> None:
    items = np.arange(len(world.catalogue))

    control, v2 = (world.rankers[name].score(ask, items) for name in ("control", "v2"))

    assert ((control > 0) & (control < 1)).all()
    assert ((v2 > 0) & (v2 < 1)).all()
    assert np.argsort(-control)[:20].tolist() != np.argsort(-v2)[:20].tolist()
    assert control[ask.seeds].mean() > 1.3 * control.mean()


def test_mmr_moves_what_is_like_the_best() -> None:
    scores = np.array([0.9, 0.89, 0.5, 0.1])
    similarity = np.eye(4)
    similarity[0, 1] = similarity[1, 0] = 0.95

    assert mmr(scores, similarity, 1.0, 4).tolist() == [0, 1, 2, 3]
    assert mmr(scores, similarity, 0.5, 4).tolist() == [0, 2, 1, 3]
    assert mmr(scores, similarity, 0.5, 2).tolist() == [0, 2]


@pytest.mark.parametrize("count", [0, 1, 5])
def test_mmr_takes_any_number(count: int) -> None:
    order = mmr(np.full(count, 0.5), np.ones((count, count)), 0.6, 3)

    assert len(order) == len(set(order.tolist())) == min(count, 3)


def test_the_cap_keeps_the_first_of_each_group_but_enough() -> None:
    groups = np.array([1, 1, 2, 1, 2, 1])

    assert within_cap(groups, 1, at_least=0).tolist() == [True, False, True, False, False, False]
    assert within_cap(groups, 1, at_least=3).tolist() == [True, True, True, False, False, False]


def arrange(
    world: World,
    shop: Shop,
    ask: Ask,
    items: list[int],
    *rules: Rule,
    sponsored: Sponsored | None = None,
    shown: bool = True,
) -> business.Arranged:
    """Garments in order, worth 0.5, 0.4, ..."""
    merchandising = Merchandising(world.catalogue, sponsored or world.sponsored, lambda: shop.stock.feed)
    scores = np.array([0.5 - 0.1 * place for place in range(len(items))])
    return merchandising.arrange(RuleBook(rules), ask, np.array(items), scores, lambda item: shown)


def rule(name: str, when: str, action: object) -> Rule:
    return Rule.model_validate(
        {"id": name, "owner": "me", "scope": "item", "message": "m", "when": when, "action": action}
    )


def test_rules_move_drop_and_pin_and_what_is_paid_for_comes_after_them(world: World, shop: Shop, ask: Ask) -> None:
    boost = {"type": "boost", "delta": 0.5}
    arranged = arrange(
        world, shop, ask, [1, 2, 3, 4, 5],
        rule("up", "item = 'g4'", boost),
        rule("down", "item = 'g1'", {"type": "bury", "delta": -0.5}),
        rule("recall", "item = 'g2'", "exclude"),
        rule("pin", "item = 'g5'", {"type": "pin", "position": 1}),
        rule("elsewhere", "item = 'g3' and segments.country = 'JP'", boost),
        rule("not_here", "item = 'g3' and placement = 'cart'", boost),
        sponsored=Sponsored("ad", 9, 3, frozenset({"home"}), frozenset({ask.country})),
    )  # fmt: skip

    assert arranged.items.tolist() == [5, 4, 9, 3, 1]
    assert arranged.dropped == {"recall": ["g2"]}
    assert [(each["rule_id"], each["item"], each["action"]) for each in arranged.adjustments] == [
        ("down", "g1", "bury"),
        ("up", "g4", "boost"),
        ("pin", "g5", "pin"),
        ("ad", "g9", "inject"),
    ]
    assert [each.get("delta", each.get("position")) for each in arranged.adjustments] == [-0.5, 0.5, 1, 3]


def test_what_is_paid_for_is_not_put_in_where_it_must_not_be_shown(world: World, shop: Shop, ask: Ask) -> None:
    ad = Sponsored("ad", 9, 1, frozenset({"home"}), frozenset({ask.country}))
    assert arrange(world, shop, ask, [1, 2], sponsored=ad).items.tolist() == [9, 1, 2]
    assert arrange(world, shop, ask, [1, 9], sponsored=ad).items.tolist() == [1, 9]
    assert arrange(world, shop, ask, [1, 2], sponsored=ad, shown=False).items.tolist() == [1, 2]
    elsewhere = replace(ad, countries=frozenset({COUNTRIES.index("JP")}))
    assert arrange(world, shop, ask, [1, 2], sponsored=elsewhere).adjustments == []


@pytest.mark.parametrize(
    "when",
    [
        "title = 'TITLE'", "brand = 'BRAND'", "category = 'CLASS'", "price > 1", "age_days > 0", "in_catalog",
        "number(attributes.reviews) > 0", "attributes.season = 'SEASON'",
        "has(splitByChar(',', attributes.sold_in), 'SOLD')", "available", "attributes.out_of_stock_in = 'OUT'",
        "position = 1", "score > 0", "context.season = 'summer'",
        "experiments.ranker in ('control', 'v2')", "user_id != ''", "k = 20",
    ],
)  # fmt: skip
def test_a_rule_sees_what_the_catalogue_says(world: World, shop: Shop, ask: Ask, when: str) -> None:
    garments = world.catalogue
    known = garments.record(900, shop.stock.has(900))
    attributes = known["attributes"]
    assert isinstance(attributes, dict)
    for name, value in {
        "TITLE": known["title"], "BRAND": known["brand"], "CLASS": known["category"], "SEASON": attributes["season"],
        "SOLD": attributes["sold_in"].split(",")[0], "OUT": attributes["out_of_stock_in"],
    }.items():  # fmt: skip
        when = when.replace(name, str(value))
    arranged = arrange(world, shop, ask, [900], rule("out", when, "exclude"))
    assert arranged.dropped == {"out": ["g900"]}


def test_without_rules_the_given_order_stays(world: World, shop: Shop, ask: Ask) -> None:
    assert arrange(world, shop, ask, [3, 1, 2]).items.tolist() == [3, 1, 2]


def test_the_rules_of_the_demo_are_sound() -> None:
    rules = business.standing_rules()
    assert check(rules) == []
    assert [(each.rule_id, each.why) for rule in rules for each in outcomes(rule) if not each.right] == []
    assert all(rule.examples.violates and rule.examples.passes for rule in rules)
    starter = {rule.id for rule in starter_pack().rules}
    assert not starter & {rule.id for rule in rules}


def test_stock_sells_out_and_comes_back(world: World) -> None:
    stock = Stock(world.catalogue, 7, START)
    before = stock.in_stock.copy()

    changed = stock.advance(START + 60)
    sold_out = before & ~stock.in_stock
    assert sold_out.sum() > 5
    assert set(np.flatnonzero(sold_out.any(axis=1)).tolist()) <= set(changed)
    partly = stock.in_stock.any(axis=1) & sold_out.any(axis=1)
    assert partly.any()

    stock.advance(START + 700)
    assert stock.in_stock[sold_out].mean() > 0.9


def test_the_last_unit_sells_out(world: World) -> None:
    stock = Stock(world.catalogue, 7, START)
    item, country = (int(index) for index in np.argwhere(stock.in_stock)[0])

    sales = 0
    while not stock.sell(item, country, START):
        sales += 1

    assert sales < 12
    assert not stock.has(item)[country]
    assert stock.feed[item, country]
    stock.feed_all()
    assert not stock.feed[item, country]
