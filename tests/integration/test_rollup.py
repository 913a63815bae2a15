"""Rolling item outcomes up to hours changes no answer, whatever dies in between and whatever comes late."""

from datetime import UTC, datetime

import pytest
from clickhouse_connect.driver.client import Client

from sinks.clickhouse.client import connect
from sinks.clickhouse.journey import Journey
from sinks.clickhouse.migrate import Layout, migrate
from sinks.clickhouse.rollup import Rollup
from sinks.clickhouse.seal import Seal

HOUR = int(datetime.now(UTC).timestamp()) // 3600 * 3600 - 4 * 86_400  # ended longer ago than the horizon
HORIZON = HOUR + 86_400
SETTLED_MS = 300_000
ANSWER = (
    "SELECT toUnixTimestamp(toStartOfHour(window)), item, fate, segment, sum(n), sum(position_sum), sum(scored), "
    "min(score_min), max(score_max), sum(rank_sum), min(example) FROM {}.item_outcomes GROUP BY ALL ORDER BY ALL"
)


class Outcomes:
    """Sealed windows of item outcomes, written as a seal would."""

    def __init__(self, client: Client, database: str) -> None:
        self.client = client
        self.database = database
        self.rollup = Rollup(client, database, SETTLED_MS)

    def seal(self, window: int, item: str, n: int, run_s: int, sealed_s: int | None = None) -> None:
        run, sealed = run_s * 1000, (run_s if sealed_s is None else sealed_s) * 1000
        columns = ["window", "run", "tail", "item", "fate", "n", "position_sum", "scored", "score_sum", "score_min"]
        columns += ["score_max", "rank_sum", "example", "span"]
        at = datetime.fromtimestamp(window, UTC)
        row = [at, run, 1, item, "served", n, 3 * n, n, 0.5 * n, 0.1, 0.9, 2 * n, f"r{n}", 10]
        self.client.insert("item_outcomes_runs", [row], column_names=columns, database=self.database)
        self.client.insert(
            "sealed",
            [[at, run, 1, n, n, 0, False, datetime.fromtimestamp(sealed / 1000, UTC)]],
            column_names=["window", "run", "tail", "rows", "requests", "orphans", "incomplete", "sealed_at"],
            database=self.database,
        )

    def answer(self) -> list[tuple[object, ...]]:
        return [tuple(row) for row in self.client.query(ANSWER.format(self.database)).result_rows]

    def stored(self) -> dict[int, int]:
        rows = self.client.query(
            f"SELECT span, count() FROM {self.database}.item_outcomes_runs GROUP BY span"
        ).result_rows
        return {int(span): int(count) for span, count in rows}

    def roll(self) -> list[int]:
        return self.rollup.roll_up(HORIZON, now_ms())

    def clean(self) -> None:
        """As it will be when queries of now have long ended."""
        self.rollup.clean(HORIZON, now_ms() + 3 * SETTLED_MS)


def now_ms() -> int:
    return int(datetime.now(UTC).timestamp() * 1000)


@pytest.fixture
def outcomes(clickhouse: str, database: str) -> Outcomes:
    client = connect(clickhouse)
    migrate(client, Layout(database))
    made = Outcomes(client, database)
    for offset in (0, 10, 3590):
        made.seal(HOUR + offset, "a", offset + 1, HOUR + offset + 30)
    made.seal(HOUR + 10, "b", 7, HOUR + 40)
    made.seal(HOUR + 3600, "a", 5, HOUR + 3630)
    return made


def test_an_hour_becomes_one_run_with_the_same_answer(outcomes: Outcomes) -> None:
    before = outcomes.answer()
    assert outcomes.roll() == [HOUR, HOUR + 3600]
    assert outcomes.answer() == before
    outcomes.clean()
    assert outcomes.answer() == before
    assert outcomes.stored() == {3600: 3}


def test_the_sealer_rolls_up_and_cleans(outcomes: Outcomes) -> None:
    before = outcomes.answer()
    Seal(outcomes.client, outcomes.database, Journey()).roll_up(HORIZON)
    assert outcomes.answer() == before
    assert outcomes.stored() == {10: 5, 3600: 3}  # what they replace goes once no query can be reading it


def test_rolling_again_finds_nothing_to_do(outcomes: Outcomes) -> None:
    outcomes.roll()
    assert outcomes.roll() == []


def test_an_hour_with_a_window_that_may_be_sealed_again_waits(outcomes: Outcomes) -> None:
    outcomes.seal(HOUR + 20, "a", 3, HORIZON + 60)  # first sealed within the horizon: a backlog
    assert outcomes.roll() == [HOUR + 3600]


def test_a_window_sealed_after_the_roll_stands_beside_the_hour(outcomes: Outcomes) -> None:
    outcomes.roll()
    outcomes.seal(HOUR + 20, "a", 100, now_ms() // 1000)
    total = sum(int(str(row[4])) for row in outcomes.answer() if row[0] == HOUR and row[1] == "a")
    assert total == 1 + 11 + 3591 + 100
    before = outcomes.answer()
    outcomes.clean()
    assert outcomes.answer() == before
    assert outcomes.stored()[10] == 1


def test_a_roll_that_dies_before_it_is_published_shows_nothing_and_is_done_again(outcomes: Outcomes) -> None:
    before = outcomes.answer()
    dying = Outcomes(outcomes.client, outcomes.database)
    dying.rollup = Rollup(DiesAtPublish(outcomes.client), outcomes.database, SETTLED_MS)  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        dying.roll()
    assert outcomes.stored()[3600] > 0
    assert outcomes.answer() == before
    outcomes.roll()
    assert outcomes.answer() == before
    outcomes.clean()
    assert outcomes.answer() == before
    assert outcomes.stored() == {3600: 3}


class DiesAtPublish:
    """A client whose process dies before the row in `rolled`."""

    def __init__(self, client: Client) -> None:
        self.query = client.query
        self._client = client

    def command(self, text: str, parameters: dict[str, object]) -> None:
        if ".rolled (" in text:
            raise KeyboardInterrupt
        self._client.command(text, parameters=parameters)
