"""Error budgets: from counts of an hour, of six, of days, to what is told."""

from collections.abc import Mapping, Sequence

from schemas.alerts import AlertState
from schemas.errors import Unavailable
from schemas.trends import SpentCounts
from streams.alerts.budgets import Budgets, BudgetSignals, spans
from streams.alerts.judge import judge
from streams.alerts.machine import step
from streams.alerts.model import Signal
from streams.alerts.text import describe
from streams.alerts.thresholds import Thresholds
from streams.detect.burn import HOUR

T = 1_700_000_100 // 300 * 300 - 10  # the last window of five minutes


def spent(window: int, bad: float, *, quiet: Sequence[int] = (), known: int = 40 * 24 * HOUR) -> SpentCounts:
    """100 requests a second of which a share is always bad, but in spans of these lengths; known: for how long, s."""
    lengths = spans(window)
    counts = [0 if length in quiet else round(100 * length * bad) for length in lengths]
    windows = [min(length, known) // 10 for length in lengths]
    return SpentCounts("home", windows, counts, [100 * length for length in lengths])


def signals(
    counts: SpentCounts, window: int = T, said: Mapping[str, object] | None = None
) -> dict[str, tuple[Signal, str | None]]:
    """By alert, with the verdict."""
    found = BudgetSignals({window: [counts]}, Thresholds("file", said or {})).at(window, ())
    return {signal.definition.name: (signal, judge(signal)) for signal in found}


def fires(counts: SpentCounts, said: Mapping[str, object] | None = None) -> list[str]:
    return [name for name, (_, verdict) in signals(counts, said=said).items() if verdict == "b"]


def test_what_burns_how_fast() -> None:
    assert fires(spent(T, 0.009)) == []
    assert fires(spent(T, 0.011)) == ["BudgetBurnSlow"]
    assert fires(spent(T, 0.059)) == ["BudgetBurnSlow"]
    assert fires(spent(T, 0.061)) == ["BudgetBurn", "BudgetBurnSlow"]


def test_it_is_over_when_the_short_window_is_good_again() -> None:
    assert fires(spent(T, 0.2, quiet=[HOUR // 12])) == ["BudgetBurn", "BudgetBurnSlow"]  # by the half hour
    assert fires(spent(T, 0.2, quiet=[HOUR // 12, HOUR // 2])) == ["BudgetBurnSlow"]
    assert fires(spent(T, 0.2, quiet=[HOUR // 12, HOUR // 2, 2 * HOUR, 6 * HOUR])) == []


def test_a_span_of_which_less_than_half_is_known_says_nothing() -> None:
    assert fires(spent(T, 0.5, known=HOUR // 2 - 10)) == []
    assert fires(spent(T, 0.5, known=HOUR // 2)) == ["BudgetBurn"]
    assert fires(spent(T, 0.05, known=12 * HOUR)) == ["BudgetBurnSlow"]


def test_the_objective_is_a_setting() -> None:
    said = {"BudgetBurn": {"objective": 0.999, "placements": {"home": {"objective": 0.9}}}}
    assert fires(spent(T, 0.2), said) == ["BudgetBurnSlow"]
    assert fires(spent(T, 0.2)._replace(placement="cart"), said) == ["BudgetBurn", "BudgetBurnSlow"]
    assert fires(spent(T, 0.2), {"BudgetBurn": {"enabled": False}}) == ["BudgetBurnSlow"]


def test_the_slow_burn_is_looked_at_every_five_minutes() -> None:
    between = T - 60
    assert list(signals(spent(between, 0.2), between)) == ["BudgetBurn"]
    assert max(spans(between)) == 6 * HOUR
    assert max(spans(T)) == 72 * HOUR


def test_what_people_read() -> None:
    states: dict[str, AlertState] = {}
    found = [signal for signal, _ in signals(spent(T, 0.2)).values()]
    _, changes = step(states, T, found, describe)
    fast, slow = sorted((change.state for change in changes), key=lambda state: state.alert)
    assert (fast.severity, fast.labels, slow.severity) == ("page", {"placement": "home"}, "ticket")
    assert fast.annotations["summary"] == (
        "home burns its error budget 20 times too fast: 20% of the requests of the last 1 h were bad (72,000 of "
        "360,000; the objective is 99% good ones). The budget of 30 days lasts 36 h."
    )
    assert "of the last 24 h were bad" in slow.annotations["summary"]


class Store:
    """Answers once in two times."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, list[int]]] = []

    def spent(self, last: int, spans: Sequence[int]) -> Sequence[SpentCounts]:
        self.asked.append((last, list(spans)))
        if len(self.asked) % 2:
            raise Unavailable("too slow")
        return [spent(last, 0.2)]


def test_what_is_read_and_that_what_cannot_be_keeps_nothing_else() -> None:
    store = Store()
    found = Budgets(store, Thresholds()).load(T - 290, T)
    assert [window for window, _ in store.asked] == [T - 240, T - 180, T - 120, T - 60, T]
    assert store.asked[0][1] == [HOUR // 12, HOUR // 2, HOUR, 6 * HOUR]
    assert [window for window in range(T - 290, T + 1, 10) if list(found.at(window, ()))] == [T - 180, T - 60]
