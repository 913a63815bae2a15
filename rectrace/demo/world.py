"""What does not change while the demo runs: garments, users, indices, models. Built once, about 1 s."""

from dataclasses import dataclass

from rectrace.demo import business, catalogue, reviews, scorer, sources, users
from rectrace.demo.arrays import Floats
from rectrace.demo.catalogue import Catalogue
from rectrace.demo.users import Users


@dataclass(frozen=True)
class Placement:
    """Where recommendations are shown: how many, from which sources, for what share of the requests."""

    k: int
    sources: tuple[str, ...]
    share: float


PLACEMENTS = {
    "home": Placement(20, ("covisit", "popular", "content", "new_arrivals"), 0.55),
    "product_page": Placement(12, ("covisit", "popular", "content", "new_arrivals"), 0.3),
    "cart": Placement(10, ("covisit", "popular", "content"), 0.15),
}
EXPERIMENTS = {"ranker": ("control", "v2"), "diversity": ("control", "strong")}


@dataclass(frozen=True)
class World:
    """The immutable part of the demo."""

    seed: int
    catalogue: Catalogue
    users: Users
    similarity: Floats  # (garments, garments), 0..1
    sources: dict[str, sources.Source]
    like: scorer.LikeModel
    rankers: dict[str, scorer.Ranker]  # by variant of the experiment "ranker"
    sponsored: business.Sponsored


def build(seed: int, today: float) -> World:
    """The world of a seed; dates of arrival count back from `today` (epoch seconds)."""
    data = reviews.load()
    garments = catalogue.build(seed, today)
    people = users.build(seed, data, garments)
    similarity = sources.content_similarity(garments)
    interest = sources.interest(people, garments)
    like = scorer.train(data, garments)
    control = scorer.Control(like, interest, similarity, garments)
    found_by: list[sources.Source] = [
        sources.CoVisitation(people, len(garments)),
        sources.Popularity(data, garments),
        sources.Content(similarity),
        sources.NewArrivals(garments, interest, today),
        sources.PopularNear(people, garments),
    ]
    return World(
        seed=seed,
        catalogue=garments,
        users=people,
        similarity=similarity,
        sources={source.name: source for source in found_by},
        like=like,
        rankers={"control": control, "v2": scorer.PriceAware(control, garments, today)},
        sponsored=business.sponsor(garments),
    )
