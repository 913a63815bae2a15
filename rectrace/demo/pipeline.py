"""The recommender: retrieval, merging, filtering, scoring, ordering, business logic, cutoff, response."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rectrace.client.rules import RuleBook
from rectrace.demo import business, filters
from rectrace.demo.arrays import Floats, Ints
from rectrace.demo.ask import Ask, Found
from rectrace.demo.catalogue import SEASONS
from rectrace.demo.hooks import Hooks
from rectrace.demo.ordering import mmr, within_cap
from rectrace.demo.shop import Shop
from rectrace.demo.trail import Emitted, Stopwatch, Trail, rounded, timing
from rectrace.demo.world import World

FUSION = 60  # constant of reciprocal rank fusion
SPARE = 4  # the class cap leaves that many more than k, for rules that drop
ORDERED = 3  # ordering hands on this many times k
DIVERSITY = {"control": (0.85, 99), "strong": (0.6, 6)}  # relevance in MMR, most garments of one class
VERSIONS = {"rrf": "1.0.4", "eligibility": "5.2.0", "policy": "2.0.1", "mmr": "1.3.0", "merchandising": "0.9.7"}


@dataclass(frozen=True)
class Answer:
    """What was served, and the events that tell how it came about."""

    served: Ints
    events: list[Emitted]
    fallback: bool


class Recommender:
    """Answers one request at a time. All randomness is the request's; `stopwatch` gives seconds, `rules` what business
    logic goes by at the moment."""

    def __init__(self, world: World, shop: Shop, stopwatch: Stopwatch, rules: Callable[[], RuleBook]) -> None:
        self._world = world
        self._filters = filters.build(world.catalogue, shop)
        self._stopwatch = stopwatch
        self._rules = rules
        self._merchandising = business.Merchandising(world.catalogue, world.sponsored, lambda: shop.stock.feed)

    def answer(self, ask: Ask, hooks: Hooks) -> Answer:
        """Run all stages. Without scores in time it serves what is popular instead."""
        trail = Trail(ask, self._world.catalogue, hooks, self._stopwatch)
        self._request(trail)
        eligible = self._filter(self._merge(self._retrieve(trail, hooks), trail), trail, hooks)
        scores = self._score(eligible, trail, hooks)
        if scores is None:
            return self._fall_back(eligible, trail)
        arranged = self._arrange(self._order(eligible, scores, trail), trail, hooks)
        served = self._cut(arranged, trail)
        self._respond(served, trail, served_by="primary")
        return Answer(served, trail.emitted, fallback=False)

    def _request(self, trail: Trail) -> None:
        ask = trail.ask
        context: dict[str, object] = {"season": SEASONS[ask.season], "month": filters.MONTH}
        if len(ask.page):
            context["items"] = trail.names(ask.page)
        trail.add(
            "request",
            "api",
            trail.duration("api"),
            placement=ask.placement,
            k=ask.k,
            user_id=ask.user_id,
            segments=ask.segments,
            experiments=ask.experiments,
            context=context,
            expects=[*ask.sources, *_AFTER_RETRIEVAL],
        )

    def _retrieve(self, trail: Trail, hooks: Hooks) -> list[Found]:
        lists = []
        for name in trail.ask.sources:
            source = self._world.sources[name]
            found = hooks.found(name, trail.ask, source.retrieve(trail.ask))
            ms = trail.duration(name)
            deadline = timing(name).deadline
            if ms > deadline:
                _late(trail.add_parallel, "retrieval", name, source.version, deadline)
                continue
            items, scores = trail.names(found.items), rounded(found.scores)
            trail.add_parallel("retrieval", name, ms, version=source.version, items=items, scores=scores)
            lists.append(found)
        trail.join()
        return lists

    def _merge(self, lists: list[Found], trail: Trail) -> Ints:
        weight = np.zeros(len(self._world.catalogue))
        for found in lists:
            weight[found.items] += 1 / (FUSION + 1 + np.arange(len(found.items)))
        candidates = np.flatnonzero(weight)
        items = candidates[np.argsort(-weight[candidates], kind="stable")]
        trail.add(
            "merging",
            "rrf",
            trail.duration("rrf"),
            version=VERSIONS["rrf"],
            n_in=sum(len(found.items) for found in lists),
            n_unique=len(items),
            items=trail.names(items),
        )
        return items

    def _filter(self, items: Ints, trail: Trail, hooks: Hooks) -> Ints:
        for component, reasons in self._filters.items():
            n_in, dropped = len(items), {}
            for reason, blocked_by in ((each.reason, each.blocked) for each in reasons):
                blocked = hooks.blocked(reason, trail.ask, items, blocked_by(trail.ask, items))
                if blocked.any():
                    dropped[reason] = trail.names(items[blocked])
                    items = items[~blocked]
            ms, kept = trail.duration(component), trail.names(items)
            trail.add("filtering", component, ms, version=VERSIONS[component], n_in=n_in, items=kept, dropped=dropped)
        return items

    def _score(self, items: Ints, trail: Trail, hooks: Hooks) -> Floats | None:
        ranker = self._world.rankers[trail.ask.experiments["ranker"]]
        scores = hooks.scores(trail.ask, ranker.score(trail.ask, items))
        ms = trail.duration("ranker")
        deadline = timing("ranker").deadline
        if ms > deadline:
            _late(trail.add, "scoring", "ranker", ranker.version, deadline, n_in=len(items))
            return None
        names, shown = trail.names(items), rounded(scores)
        trail.add("scoring", "ranker", ms, version=ranker.version, n_in=len(items), items=names, scores=shown)
        return scores

    def _order(self, items: Ints, scores: Floats, trail: Trail) -> Found:
        relevance, cap = DIVERSITY[trail.ask.experiments["diversity"]]
        picked = mmr(scores, self._world.similarity[np.ix_(items, items)], relevance, ORDERED * trail.ask.k)
        keep = within_cap(self._world.catalogue.garment_class[items[picked]], cap, at_least=trail.ask.k + SPARE)
        capped = items[picked[~keep]]
        ordered = Found(items[picked[keep]], scores[picked[keep]])
        trail.add(
            "ordering",
            "mmr",
            trail.duration("mmr"),
            version=VERSIONS["mmr"],
            n_in=len(items),
            items=trail.names(ordered.items),
            scores=rounded(ordered.scores),
            dropped={"class_cap": trail.names(capped)} if len(capped) else {},
        )
        return ordered

    def _arrange(self, ordered: Found, trail: Trail, hooks: Hooks) -> Ints:
        book, ask = hooks.rules(trail.ask, self._rules()), trail.ask
        arranged = self._merchandising.arrange(book, ask, ordered.items, ordered.scores, self._may_show(ask))
        trail.add(
            "business_logic",
            "merchandising",
            trail.duration("merchandising"),
            version=VERSIONS["merchandising"],
            n_in=len(ordered.items),
            items=trail.names(arranged.items),
            scores=rounded(arranged.scores),
            adjustments=arranged.adjustments,
            dropped=arranged.dropped,
        )
        return arranged.items

    def _may_show(self, ask: Ask) -> business.MayShow:
        def may_show(item: int) -> bool:
            one = np.array([item])
            return not any(each.blocked(ask, one)[0] for reasons in self._filters.values() for each in reasons)

        return may_show

    def _cut(self, items: Ints, trail: Trail) -> Ints:
        served = items[: trail.ask.k]
        ms = trail.duration("top_k")
        trail.add("cutoff", "top_k", ms, n_in=len(items), items=trail.names(served))
        return served

    def _fall_back(self, eligible: Ints, trail: Trail) -> Answer:
        popular = self._world.sources["popular"].retrieve(trail.ask).items
        served = popular[np.isin(popular, eligible)][: trail.ask.k]
        self._respond(served, trail, served_by="fallback", status="fallback")
        return Answer(served, trail.emitted, fallback=True)

    def _respond(self, served: Ints, trail: Trail, **fields: object) -> None:
        own = trail.duration("api")
        total = round(trail.elapsed + own, 3)  # what the API reports as its duration is that of the whole request
        trail.add("response", "api", own, items=trail.names(served), duration_ms=total, **fields)


_AFTER_RETRIEVAL = ("rrf", "eligibility", "policy", "ranker", "mmr", "merchandising", "top_k")


def _late(
    add: Callable[..., None], stage: str, component: str, version: str, deadline: float, **fields: object
) -> None:
    error = f"no answer within {deadline:.0f} ms"
    add(stage, component, deadline, version=version, status="timeout", error=error, n_out=0, **fields)
