"""The segment scan: no wolf in quiet traffic, the culprit where there is one, told once."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.detect.scan import ALL, Cell, Key, Scanner, ScanPolicy, benjamini_hochberg, scan

PLACEMENTS = ("home", "cart", "search")
COUNTRIES = ("DE", "FR", "GB", "US", "BR", "JP", "IT", "ES", "SE", "PL")
DEVICES = ("ios", "android", "web")
DIMENSIONS = {"placement": PLACEMENTS, "country": COUNTRIES, "device": DEVICES}


def key(**values: str) -> Key:
    return frozenset(f"{name}={value}" for name, value in values.items())


def traffic(
    chance: random.Random, bad: Key | None = None, rate: float = 0.3, n: int = 20_000, usual: float = 0.02
) -> dict[Key, Cell]:
    """Requests by every segment and pair of segments; those in `bad` fail more often. Usual is ten times as much."""
    now: dict[Key, list[float]] = {}
    for _ in range(n):
        pairs = [f"{name}={chance.choice(values)}" for name, values in DIMENSIONS.items()]
        is_bad = chance.random() < (rate if bad and bad <= set(pairs) else usual)
        keys = [ALL, *(frozenset({pair}) for pair in pairs), *(frozenset(pairs) - {pair} for pair in pairs)]
        for each in keys:
            counts = now.setdefault(each, [0, 0])
            counts[0] += is_bad
            counts[1] += 1
    return {each: Cell(counts[0], counts[1], counts[1] * 10 * usual, counts[1] * 10) for each, counts in now.items()}


@pytest.mark.parametrize(
    "bad",
    [key(country="DE"), key(placement="cart"), key(device="web"), key(placement="home", country="FR")],
    ids=lambda bad: ",".join(sorted(bad)),
)
def test_the_culprit_is_told_alone(bad: Key) -> None:
    scanner, chance = Scanner(), random.Random(3)
    told = [scanner.add(traffic(chance, bad)) for _ in range(3)]
    assert told[:2] == [[], []]
    assert [hit.key for hit in told[2]] == [bad]
    hit = told[2][0]
    assert hit.lost == pytest.approx((0.3 - 0.02) * hit.requests, rel=0.1)


def test_quiet_traffic_raises_nothing() -> None:
    """Two simulated days of scans, of 132 segments each."""
    chance, scanner = random.Random(4), Scanner()
    cells = [traffic(chance, n=4_000, usual=0.05) for _ in range(40)]
    assert [scanner.add(chance.choice(cells)) for _ in range(576)] == [[]] * 576


def test_one_hit_passes_three_do_not() -> None:
    bad, chance, scanner = key(country="DE"), random.Random(5), Scanner()
    order = [bad, bad, None, bad, bad, bad, None]
    assert [bool(scanner.add(traffic(chance, each, n=8_000))) for each in order] == [False] * 5 + [True, False]


def test_a_segment_that_is_always_worse_is_no_news() -> None:
    always = {ALL: Cell(600, 10_000, 6_000, 100_000), key(country="BR"): Cell(400, 2_000, 4_000, 20_000)}
    assert scan(always, ScanPolicy()) == []
    worse = always | {key(country="BR"): Cell(600, 2_000, 4_000, 20_000)}
    assert [hit.key for hit in scan(worse, ScanPolicy())] == [key(country="BR")]
    unknown = {each: Cell(cell.bad, cell.total) for each, cell in always.items()}
    assert [hit.key for hit in scan(unknown, ScanPolicy())] == [key(country="BR")]


def test_floors() -> None:
    small = {ALL: Cell(100, 10_000), key(country="BR"): Cell(54, 90)}
    assert scan(small, ScanPolicy()) == []
    slight = {ALL: Cell(20_000, 10_000_000), key(country="BR"): Cell(4_500, 1_000_000)}
    assert scan(slight, ScanPolicy()) == []
    assert len(scan(slight, ScanPolicy(least=0.001))) == 1
    assert scan({key(country="BR"): Cell(90, 150)}, ScanPolicy()) == []


@given(st.dictionaries(st.sampled_from(COUNTRIES).map(lambda name: key(country=name)), st.floats(0, 1)))
def test_benjamini_hochberg_takes_the_lowest(p_values: dict[Key, float]) -> None:
    found = benjamini_hochberg(p_values, 0.1)
    left = [p for each, p in p_values.items() if each not in found]
    assert all(p_values[each] <= min(left, default=1) for each in found)
    assert found >= {each for each, p in p_values.items() if p <= 0.1 / len(p_values)}
    assert all(p_values[each] <= 0.1 for each in found)


def test_benjamini_hochberg_of_the_paper() -> None:
    """Benjamini and Hochberg 1995, section 3.2: of 15 tests at q = 0.05 four, where Bonferroni finds three."""
    p_values = [
        0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590,
        1.0,
    ]  # fmt: skip
    named = {key(test=str(number)): p for number, p in enumerate(p_values)}
    assert benjamini_hochberg(named, 0.05) == {key(test=str(number)) for number in range(4)}


@given(
    st.dictionaries(
        st.sampled_from([ALL, *(key(device=each) for each in DEVICES)]), st.builds(Cell, *[st.integers(0, 9)] * 4)
    )
)
def test_no_counts_make_it_fall(cells: dict[Key, Cell]) -> None:
    scanner = Scanner(ScanPolicy(min_requests=1, in_a_row=1, least=0.0))
    for hit in scanner.add(cells):
        assert hit.key in cells
        assert hit.lost >= 0
