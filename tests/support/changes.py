"""Two minutes of requests: healthy ones, and from noon on a region filter that drops nearly all in one country, with a
new version of it. Made so that every number is known."""

from typing import Final

from clickhouse_connect.driver.client import Client

from schemas.parts import Part
from sinks.clickhouse.journey import Journey
from tests.support.database import Database
from tests.support.incident import Request

JOURNEY: Final = Journey(outcome_segments=("country",))
COUNTRIES: Final = ("DE", "FR", "US", "FR")
ITEMS: Final = [f"g{n}" for n in range(1, 9)]
EACH: Final = 400  # requests a minute


def request(number: int) -> Part:
    """Number 0 comes at noon, those below before it. At `home`, but for every fifth, at `cart`."""
    country, broken = COUNTRIES[number % 4], number >= 0 and number % 4 == 0
    made = Request(
        f"r{number + EACH:03d}", number * 60_000 // EACH, placement="home" if number % 5 else "cart", k=3,
        user_id=f"u{number % 50}", segments={"country": country, "device": "ios" if number % 3 else "web"},
        experiments={"ranker": "v2" if number % 7 < 3 else "control"},
    )  # fmt: skip
    made.add("retrieval", "ann", 18, version="2.3.1", items=ITEMS)
    gone = ITEMS[1:] if broken and number % 8 else ITEMS if broken else ITEMS[:2]
    kept = [item for item in ITEMS if item not in gone]
    version = "5.3.0" if number >= 0 else "5.2.0"
    made.add("filtering", "region", 3, version=version, items=kept, dropped={"region_blocked": gone})
    made.add("scoring", "ranker", 30, version="1.4.0", items=kept, scores=[0.5 - int(item[1:]) / 20 for item in kept])
    made.add("cutoff", "top_k", 1, items=kept[:3])
    return made.add("response", "api", 1, duration_ms=52 + number % 10, items=kept[:3]).part()


def create(client: Client, name: str) -> Database:
    """Land and seal all of it in a database of that name."""
    made = Database.create(client, name, JOURNEY)
    made.land([request(number) for number in range(-EACH, EACH)])
    made.settle()
    return made
