"""Who asks for what: draws the requests of the demo's traffic."""

import numpy as np
import xxhash

from rectrace.demo.arrays import Ints
from rectrace.demo.ask import Ask
from rectrace.demo.filters import season_of
from rectrace.demo.shop import Shop
from rectrace.demo.world import EXPERIMENTS, PLACEMENTS, World

LATEST = 6  # purchases that sources start from


class Asks:
    """Draws the n-th request: the same seed gives the same user, placement and page, whatever else happens."""

    def __init__(self, world: World, shop: Shop, start: float) -> None:
        self._world = world
        self._shop = shop
        self._start = start
        self._users = np.cumsum(world.users.weight)
        self._garments = np.cumsum(world.catalogue.reviews**0.7)
        self._placements = np.cumsum([placement.share for placement in PLACEMENTS.values()])

    def draw(self, number: int, at: float) -> Ask:
        """Request `number`, which comes at `at` (epoch seconds)."""
        world, random = self._world, np.random.default_rng([self._world.seed, 4, number])
        user = int(np.searchsorted(self._users[:-1], random.random()))
        name = list(PLACEMENTS)[int(np.searchsorted(self._placements[:-1], random.random()))]
        page = self._page(name, random)
        return self.of_user(user, request_id(world.seed, self._start, number), at, name, page, random)

    def of_user(
        self, user: int, request_id: str, at: float, placement: str, page: Ints, random: np.random.Generator
    ) -> Ask:
        """The request of this user (an index) for a placement, with these garments on the page or in the cart."""
        users = self._world.users
        return Ask(
            request_id=request_id,
            at=at,
            placement=placement,
            sources=PLACEMENTS[placement].sources,
            k=PLACEMENTS[placement].k,
            user=user,
            user_id=users.ids[user],
            age=int(users.age[user]),
            band=int(users.band[user]),
            taste=int(users.taste[user]),
            country=int(users.country[user]),
            seeds=np.concatenate([page, self._shop.bought[user][: -LATEST - 1 : -1]]),
            page=page,
            segments=users.segments(user),
            experiments={name: assign(name, users.ids[user]) for name in EXPERIMENTS},
            season=season_of(int(users.country[user])),
            random=random,
        )

    def _page(self, placement: str, random: np.random.Generator) -> Ints:
        count = {"home": 0, "product_page": 1}.get(placement, int(random.integers(1, 4)))
        page: Ints = np.searchsorted(self._garments, random.random(count) * self._garments[-1])
        return page


def request_id(seed: int, start: float, number: int) -> str:
    """16 hexadecimal digits, different for every run and request."""
    return xxhash.xxh3_64_hexdigest(f"{seed}:{start!r}:{number}".encode())


def assign(experiment: str, user_id: str) -> str:
    """The variant a user sees: always the same, half of the users each."""
    variants = EXPERIMENTS[experiment]
    return variants[xxhash.xxh3_64_intdigest(f"{experiment}:{user_id}".encode()) % len(variants)]
