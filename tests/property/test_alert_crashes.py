"""Whatever is killed, and when: the same is told, in the same order, and nothing of it twice as new."""

from collections.abc import Sequence

from hypothesis import example, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from schemas.alerts import SealedWindow
from streams.alerts.engine import AlertPolicy, Engine
from streams.alerts.thresholds import Thresholds
from streams.metrics import Metrics
from tests.support.alert_store import Death, Killed, MemoryAlertStore, MemoryNotifier, Scripted

T = 1_700_000_000
QUIET_END = 4  # windows after the last scripted one, so that nothing is under way
POLICY = AlertPolicy(late=60, hold=300, resend=30)
METRICS = Metrics(CollectorRegistry())

# per window: is it sealed incomplete, and how many of 100 requests are bad at each of two placements
_windows = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0, 8, 50]), st.sampled_from([0, 50])).map(
        lambda drawn: (drawn[0] and drawn[1] == 8, drawn[1], drawn[2])
    ),
    min_size=3,
    max_size=14,
)
Windows = Sequence[tuple[bool, int, int]]


class World:
    """A store and a receiver that live on while engines come and go."""

    def __init__(self, windows: Windows) -> None:
        quiet = [(False, 0, 0)] * QUIET_END
        self.script = [*windows, *quiet]
        self.store = MemoryAlertStore()
        self.receiver = MemoryNotifier()
        shares = {T + 10 * n: {"home": home, "cart": cart} for n, (_, home, cart) in enumerate(self.script)}
        self.source = Scripted(shares)

    def engine(self, death: Death | None = None) -> Engine:
        self.store.death = self.receiver.death = death or Death()
        return Engine(self.store, [self.source], {"am": self.receiver}, Thresholds(), METRICS, POLICY)

    def run(self, deaths: Sequence[Death] = (), outage: range = range(0), every: int = 1) -> list[tuple[str, int, str]]:
        """Seal window after window; the engine looks after each, and dies as told."""
        waiting = list(deaths)
        engine = self.engine(waiting.pop(0) if waiting else None)
        engine_ticks = 0
        for number, (incomplete, _, _) in enumerate(self.script):
            self.store.windows.append(SealedWindow(T + 10 * number, 1, incomplete))
            self.receiver.away = number in outage
            engine_ticks += 1
            if engine_ticks % every and number < len(self.script) - 1:
                continue
            for again in range(2):
                self.receiver.now = T + 10 * number + 25.0 + 3 * again
                try:
                    engine.tick(self.receiver.now)
                except Killed:
                    engine = self.engine(waiting.pop(0) if waiting else None)
        self.receiver.away = False
        self.receiver.now += 70
        self.engine().tick(self.receiver.now)
        return self.receiver.heard()


def incidents(heard: Sequence[tuple[str, int, str]]) -> dict[str, list[tuple[int, str]]]:
    """By alert, in the order told."""
    told: dict[str, list[tuple[int, str]]] = {}
    for fingerprint, starts_at, status in heard:
        told.setdefault(fingerprint, []).append((starts_at, status))
    return told


@settings(max_examples=150, deadline=None)
@given(_windows, st.lists(st.tuples(st.integers(1, 40), st.booleans()), max_size=4))
@example([(False, 50, 50)] * 4, [(n, after) for n in range(1, 4) for after in (False, True)])
def test_kills_change_nothing(windows: Windows, deaths: Sequence[tuple[int, bool]]) -> None:
    undisturbed = World(windows).run()
    killed = World(windows).run([Death(at, after) for at, after in deaths])
    assert killed == undisturbed


@settings(max_examples=60, deadline=None)
@given(_windows, st.integers(0, 10), st.integers(1, 5))
def test_an_alertmanager_that_was_away_hears_all_of_it_in_order(windows: Windows, begin: int, length: int) -> None:
    undisturbed = World(windows).run()
    assert World(windows).run(outage=range(begin, begin + length)) == undisturbed


@settings(max_examples=60, deadline=None)
@given(_windows, st.integers(1, 5))
def test_it_does_not_matter_how_many_windows_are_judged_at_once(windows: Windows, every: int) -> None:
    assert incidents(World(windows).run(every=every)) == incidents(World(windows).run())


@settings(max_examples=60, deadline=None)
@given(_windows)
def test_two_workers_that_both_seal_tell_what_one_tells(windows: Windows) -> None:
    world = World(windows)
    engines = [world.engine(), world.engine()]
    for number, (incomplete, _, _) in enumerate(world.script):
        world.store.windows.append(SealedWindow(T + 10 * number, 1, incomplete))
        for engine in engines:
            world.receiver.now = T + 10 * number + 25.0
            engine.tick(world.receiver.now)
    assert world.receiver.heard() == World(windows).run()


@settings(max_examples=60, deadline=None)
@given(_windows)
def test_what_ends_has_begun_and_what_has_begun_ends(windows: Windows) -> None:
    for told in incidents(World(windows).run()).values():
        assert [status for _, status in told] == ["firing", "resolved"] * (len(told) // 2)
        starts = [starts_at for starts_at, _ in told]
        assert starts == sorted(starts)
