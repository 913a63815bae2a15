"""One world for all tests of the demo, and recordings of its traffic."""

from collections.abc import Callable
from functools import cache

import pytest

from rectrace.demo import world as worlds
from rectrace.demo.faults import parse
from rectrace.demo.recording import START, Recording, record
from rectrace.demo.world import World


@pytest.fixture(scope="session")
def world() -> World:
    return worlds.build(7, START)


@pytest.fixture(scope="session")
def recorded(world: World) -> Callable[..., Recording]:
    """recorded("fault", ..., seconds=20): each recording is made once."""

    @cache
    def run(*faults: str, seconds: float = 20.0) -> Recording:
        return record(world, seconds, [parse(fault) for fault in faults])

    return run


@pytest.fixture(scope="session")
def healthy(recorded: Callable[..., Recording]) -> Recording:
    return recorded()
