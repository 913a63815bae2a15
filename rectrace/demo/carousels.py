"""What the demo's recommender can be asked for by name: how each asks the pipeline, and how the answer is told."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any, Final

import numpy as np
import xxhash

from rectrace.demo.arrays import Ints
from rectrace.demo.ask import Ask
from rectrace.demo.asks import Asks
from rectrace.demo.catalogue import BRANDS, COUNTRIES
from rectrace.demo.filters import season_of
from rectrace.demo.pipeline import Answer
from rectrace.demo.world import EXPERIMENTS, PLACEMENTS, World
from schemas.recommenders import InputError, Registry, load_registry

REGISTRY: Final = "recommenders.yaml"
BASE: Final = "http://demo:9480"  # of the addresses in it
MOST_VIEWED: Final = 20


@dataclass(frozen=True)
class Carousel:
    """Where it is shown, how many garments, from which sources."""

    placement: str
    k: int
    sources: tuple[str, ...]


CAROUSELS: Final = {
    "for-you": Carousel("home", PLACEMENTS["home"].k, PLACEMENTS["home"].sources),
    "recently-viewed": Carousel("home", 12, ("content", "covisit")),
    "popular-near-you": Carousel("home", 12, ("popular_near",)),
    "new-arrivals": Carousel("home", 12, ("new_arrivals",)),
    "similar-items": Carousel("product_page", 12, ("content",)),
    "bought-together": Carousel("product_page", 12, ("covisit",)),
}


def registry_text(base: str) -> str:
    """The registry as YAML, with its addresses below `base`."""
    return (files("rectrace.demo") / REGISTRY).read_text("utf-8").replace(BASE, base)


def registry(base: str = BASE) -> Registry:
    """The same, read."""
    return load_registry(registry_text(base), f"rectrace/demo/{REGISTRY}")


class Carousels:
    """Requests from what people ask, by the rules of the registry."""

    def __init__(self, world: World, asks: Asks) -> None:
        self._world = world
        self._asks = asks
        self._known = registry()
        self._users = {name: number for number, name in enumerate(world.users.ids)}

    def ask(self, name: str, request_id: str, at: float, wanted: Mapping[str, Any]) -> Ask:
        """The request that asks carousel `name` (of CAROUSELS) at `at`, epoch seconds. Raises InputError."""
        known = self._known.get(name)
        assert known is not None
        given, arms = wanted.get("inputs", {}), wanted.get("arms", {})
        if not isinstance(given, dict) or not isinstance(arms, dict):
            raise InputError("inputs and arms must be objects")
        inputs, carousel = known.values(given), CAROUSELS[name]
        ask = self._asks.of_user(
            self._number("user", str(inputs["user"]), self._users), request_id, at, carousel.placement,
            page=self._page(inputs), random=np.random.default_rng(xxhash.xxh3_64_intdigest(request_id.encode())),
        )  # fmt: skip
        if country := inputs.get("country"):
            number = COUNTRIES.index(str(country))
            segments = {**ask.segments, "country": str(country)}
            ask = replace(ask, country=number, season=season_of(number), segments=segments)
        return replace(
            ask, k=int(inputs.get("k", carousel.k)), sources=carousel.sources,
            seeds=ask.page if len(ask.page) else ask.seeds, experiments=_arms(arms, ask.experiments),
        )  # fmt: skip

    def told(self, ask: Ask, answer: Answer) -> dict[str, Any]:
        """The answer as JSON has it. Scores are the ranker's; a fallback has none."""
        catalogue = self._world.catalogue
        events = {emitted.event["component"]: emitted.event for emitted in answer.events}
        ranked = events.get("ranker", {})
        scores: dict[str, float] = dict(zip(ranked.get("items", ()), ranked.get("scores", ()), strict=True))  # type: ignore[call-overload]
        items = [
            {
                "item": catalogue.ids[item],
                "title": catalogue.titles[item],
                "brand": BRANDS[catalogue.brand[item]],
                "category": catalogue.classes[catalogue.garment_class[item]],
                "price": float(catalogue.price[item]),
                "score": scores.get(catalogue.ids[item]),
                "position": position,
            }
            for position, item in enumerate(answer.served.tolist(), 1)
        ]
        return {
            "request_id": ask.request_id,
            "placement": ask.placement,
            "version": ranked.get("version", ""),
            "arms": ask.experiments,
            "served_by": "fallback" if answer.fallback else "primary",
            "items": items,
        }

    def _page(self, inputs: Mapping[str, object]) -> Ints:
        names = [each.strip() for each in str(inputs.get("item") or inputs.get("viewed") or "").split(",")]
        names = list(dict.fromkeys(name for name in names if name))
        if len(names) > (1 if "item" in inputs else MOST_VIEWED):
            raise InputError(f"viewed has {len(names)} garments: at most {MOST_VIEWED}; item is one")
        field = "item" if "item" in inputs else "viewed"
        return np.array([self._number(field, name, self._world.catalogue.numbers) for name in names], dtype=np.int64)

    def _number(self, field: str, name: str, known: Mapping[str, int]) -> int:
        if name not in known:
            raise InputError(f"{field}={name[:100]!r} is not known: there are {next(iter(known))} to {[*known][-1]}")
        return known[name]


def _arms(wanted: Mapping[str, object], usual: dict[str, str]) -> dict[str, str]:
    """The user's own arms, but for those that are asked for. Raises InputError."""
    arms = dict(usual)
    for experiment, arm in wanted.items():
        known = EXPERIMENTS.get(experiment, ())
        if arm not in known:
            raise InputError(f"arm {experiment}={arm!r} is not known: {experiment} has {', '.join(known) or 'none'}")
        arms[experiment] = str(arm)
    return arms
