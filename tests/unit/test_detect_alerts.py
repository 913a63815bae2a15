"""Burn rates, seasonal baselines and sample ratio mismatch, by known numbers."""

import math
import random
from statistics import NormalDist

import pytest

from streams.detect.burn import HOUR, WORKBOOK, Counts, burn_rate, burning
from streams.detect.proportion import Share
from streams.detect.seasonal import TO_SIGMA, count_baseline, share_baseline, unusual
from streams.detect.srm import mismatch


def spans(bad_share: float, per_s: float = 100.0) -> dict[int, Counts]:
    """As if it had always been so."""
    lengths = {length for window in WORKBOOK for length in (window.long_s, window.short_s)}
    return {length: Counts(bad_share * per_s * length, per_s * length) for length in lengths}


def test_the_workbooks_budgets() -> None:
    """2 %, 5 %, 10 % and 10 % of the budget of 30 days."""
    assert [window.budget for window in WORKBOOK] == pytest.approx([0.02, 0.05, 0.10, 0.10])


def test_a_burn_rate_of_one_spends_the_budget_in_its_period() -> None:
    assert burn_rate(Counts(1, 1_000), 0.999) == pytest.approx(1)
    assert burn_rate(Counts(36, 1_000), 0.99) == pytest.approx(3.6)
    assert burn_rate(Counts(0, 0), 0.99) == 0
    for objective in (1, -0.1):
        with pytest.raises(ValueError, match="objective"):
            burn_rate(Counts(1, 2), objective)


@pytest.mark.parametrize(("rate", "fires"), [(0.9, 0), (1.1, 1), (3.1, 2), (6.1, 3), (14.5, 4)])
def test_the_faster_it_burns_the_more_fires(rate: float, fires: int) -> None:
    fired = burning(spans(rate * 0.001), 0.999)
    assert [each.window for each in fired] == list(WORKBOOK[len(WORKBOOK) - fires :])
    assert all(each.long_rate == pytest.approx(rate) for each in fired)


def test_it_is_over_when_the_short_window_is_good_again() -> None:
    held = spans(0.02)
    assert burning(held, 0.999)[0].window.severity == "page"
    over = held | {window.short_s: Counts(0, 100 * window.short_s) for window in WORKBOOK}
    assert burning(over | {2 * HOUR: held[2 * HOUR]}, 0.999)[0].window == WORKBOOK[2]


def test_few_bad_ones_and_missing_spans_fire_nothing() -> None:
    assert burning(spans(0.5, per_s=0.01), 0.999)[0].window != WORKBOOK[0]
    assert burning({HOUR: Counts(100, 100)}, 0.999) == []


def test_baseline_is_median_and_mad() -> None:
    weeks = [Share(part, 10_000, 10_000) for part in (100, 300, 500, 700, 9_000)]
    baseline = share_baseline(weeks, 10_000)
    assert baseline is not None
    assert baseline.usual == 0.05
    assert baseline.sigma == pytest.approx(TO_SIGMA * 0.02 * (1 + 3.14159 / 10) ** 0.5, rel=1e-5)
    assert baseline.weeks == 5


def test_equal_weeks_have_the_floor_of_their_traffic() -> None:
    """sqrt(p (1 - p) / n): with a MAD of 0 anything would be unusual."""
    weeks = [Share(100, 10_000, 10_000)] * 4
    few, many = share_baseline(weeks, 100), share_baseline(weeks, 10_000)
    assert few is not None
    assert many is not None
    assert few.sigma == pytest.approx(10 * many.sigma)
    assert unusual(0.04, few) is None
    assert unusual(0.04, many) is not None
    counts = count_baseline([900, 900, 900, 900])
    assert counts is not None
    assert counts.sigma == pytest.approx(30 * (1 + 3.14159 / 8) ** 0.5, rel=1e-5)


def test_what_is_real_but_small_is_not_unusual() -> None:
    baseline = count_baseline([1_000_000] * 4)
    assert unusual(1_050_000, baseline) is None
    found = unusual(1_150_000, baseline)
    assert found is not None
    assert found.z > 100
    assert unusual(1_150_000, baseline, least=200_000) is None


def test_too_few_weeks_say_nothing() -> None:
    assert count_baseline([1, 2]) is None
    assert share_baseline([Share(1, 2, 2), Share(0, 0, 0), Share(1, 2, 2)], 10) is None
    assert share_baseline([Share(1, 2, 2)] * 3, 0) is None
    assert unusual(5, None) is None


def test_a_usual_week_is_rarely_unusual() -> None:
    """Poisson weeks of the same rate, four of them for a baseline: 20,000 looks at what is as it should be."""
    chance, normal = random.Random(1), NormalDist()

    def poisson(rate: float) -> float:
        return float(max(round(rate + normal.inv_cdf(chance.random()) * math.sqrt(rate)), 0))

    false = sum(
        unusual(poisson(400), count_baseline([poisson(400) for _ in range(4)]), relative=0.0) is not None
        for _ in range(20_000)
    )
    assert false < 20


@pytest.mark.parametrize(
    ("users", "chi_square", "found"),
    [
        ({"control": 821_588, "treatment": 815_482}, 22.77, True),  # Fabijan et al. 2019, p 1.8e-6
        ({"control": 5_000, "treatment": 5_100}, 0.99, False),
        ({"control": 600, "treatment": 300}, 100.0, False),  # too few
    ],
)
def test_sample_ratio_mismatch(users: dict[str, float], chi_square: float, found: bool) -> None:
    told = mismatch(users, {"control": 1, "treatment": 1})
    assert (told is not None) is found
    if told:
        assert told.chi_square == pytest.approx(chi_square, abs=0.01)
        assert told.p == pytest.approx(1.8e-6, rel=0.05)


def test_an_arm_that_is_not_there() -> None:
    told = mismatch({"a": 5_000, "b": 5_000}, {"a": 2, "b": 2, "c": 1})
    assert told is not None
    assert told.planned == {"a": 0.4, "b": 0.4, "c": 0.2}
    assert told.seen == {"a": 0.5, "b": 0.5, "c": 0.0}
    with pytest.raises(ValueError, match="not planned: d"):
        mismatch({"a": 1, "d": 1}, {"a": 1, "b": 1})
    with pytest.raises(ValueError, match="two arms"):
        mismatch({"a": 1}, {"a": 1})
    with pytest.raises(ValueError, match="weight above 0"):
        mismatch({"a": 1}, {"a": 1, "b": 0})


def test_a_sound_experiment_survives_a_week_of_looks() -> None:
    """A look every five minutes at users that keep coming: 2,016 looks, 30 experiments."""
    chance, false = random.Random(2), 0
    for _ in range(30):
        users = {"a": 0.0, "b": 0.0}
        failed = False
        for _ in range(2_016):
            first = sum(chance.random() < 0.5 for _ in range(10))
            users = {"a": users["a"] + first, "b": users["b"] + 10 - first}
            failed = failed or mismatch(users, {"a": 1, "b": 1}) is not None
        false += failed
    assert false <= 1
