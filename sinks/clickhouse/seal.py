"""The statements of a seal. What to seal, and when, is streams/windows.py.

A seal of one window is a *run*: a number higher than that of any run of the window before. Every table is written by
`INSERT SELECT` under that number, and one row in `sealed`, written last, makes all of it visible. A statement that
fails or times out abandons the run: its rows stay invisible until the cleaner takes them. Nothing is retried inside a
run, so two sealers at once, or a dead one, do no harm.
"""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from schemas.distributions import MIDDLE, WIDTH
from schemas.errors import Unavailable
from schemas.parts import WINDOW_S, Sealed, SealStatus, WindowState
from sinks.clickhouse.client import errors
from sinks.clickhouse.journey import Journey
from sinks.clickhouse.queries import literal, sql
from sinks.clickhouse.rollup import Rollup
from sinks.clickhouse.rows import when
from sinks.clickhouse.rule_seal import RuleSeal

RUN_TABLES: Final = (
    "traces_runs", "item_outcomes_runs", "stage_metrics_runs", "segment_metrics_runs",
    "pressure_runs", "rule_pressure_runs",
    "violations_runs", "rule_hits_runs", "score_metrics_runs", "drop_metrics_runs",
)  # fmt: skip
# Traces of one statement over candidates: more are done in slices, to bound ClickHouse's memory.
SLICE: Final = 25_000
# A run that takes longer is not published: the cleaner takes the rows of runs that nobody has published for CLEAN_S.
PUBLISH_S: Final = 300
CLEAN_S: Final = 600
# A row's landed_at is when its insert began; it is seen when the insert ends.
SWEEP_OVERLAP_S: Final = 120
# A window has few rows, each large: by defaults that are meant for small ones ClickHouse would read them in one thread.
_SPREAD: Final = {"merge_tree_min_rows_for_concurrent_read": 1, "merge_tree_min_bytes_for_concurrent_read": 1}
# A name and value pair for each segment, and for each experiment arm.
_PAIRS: Final = """arrayConcat(
    arrayZip(mapKeys(segments)::Array(String), mapValues(segments)::Array(String)),
    arrayMap(
        (name, arm) -> (concat('experiment.', name), arm),
        mapKeys(experiments)::Array(String), mapValues(experiments)::Array(String)
    )
)"""


class Seal:
    """Seals windows of one database. Every method blocks and raises Unavailable when a statement fails.

    rules: what judges the requests of each run; None: nobody.
    """

    def __init__(self, client: Client, database: str, journey: Journey, rules: RuleSeal | None = None) -> None:
        self._client = client
        self._database = database
        self._journey = journey
        self._rules = rules
        self._rollup = Rollup(client, database, PUBLISH_S * 1000)
        self._swept = 0  # parts that landed before (epoch seconds) have been looked at by a sweep

    def seal(self, window: int, *, incomplete: bool = False) -> Sealed:
        """Seal one window (epoch seconds) as a new run.

        The order matters: rows are counted before strays are looked up, strays are looked up before they are counted,
        and all of it before the merge. So whatever arrives in between makes the window dirty again; it is never
        counted as read without having been read with its strays.
        """
        landed = self._count_landed(window)
        self._look_up_strays(window)
        rows = landed + self._count_strays(window)
        run = self._begin(window)
        self._write_traces(run)
        requests, orphans = self._count_requests(run)
        self._write_outcomes(run, requests)
        self._write_metrics(run)
        self._write_pressure(run)
        if self._rules is not None:
            self._rules.judge(run, [self._traces + part for part in _slices(requests)])
        sealed = Sealed(window, rows, requests, orphans)
        self._publish(run, sealed, incomplete=incomplete)
        return sealed

    def seal_empty(self, first: int, last: int) -> None:
        """Seal the windows from first to last (epoch seconds, both inside) in which nothing landed, by one insert."""
        self._command(
            "INSERT INTO $database.sealed (window, run, tail, rows, requests, orphans, incomplete) "
            "SELECT toDateTime(number * {step:UInt32}, 'UTC') AS w, {run:UInt64}, {tail:UInt64}, 0, 0, 0, false "
            "FROM numbers({from:UInt64}, {count:UInt64}) "
            "WHERE w NOT IN (SELECT window FROM $database.landing WHERE window BETWEEN {first:DateTime('UTC')} "
            "AND {last:DateTime('UTC')}) "
            "AND w NOT IN (SELECT window FROM $database.sealed WHERE window BETWEEN {first:DateTime('UTC')} "
            "AND {last:DateTime('UTC')})",
            {
                "step": WINDOW_S,
                "from": first // WINDOW_S,
                "count": (last - first) // WINDOW_S + 1,
                "first": when(first),
                "last": when(last),
                "run": self._clock_ms(),
                "tail": secrets.randbits(63),
            },
        )

    def sweep(self, since: int) -> None:
        """Look up the requests of orphans, flagged and replayed parts over all windows from `since` on.

        Orphans are looked up each time. So is every new part without a request event, or of a request that has a
        flagged part: also one that lies beside another whose request is known. The first sweep takes all for new.
        """
        began = self._clock_ms() // 1000
        ids = sql("seal_lost", database=self._database)
        self._command(
            sql("seal_strays", database=self._database, near="window >= {since:DateTime('UTC')}", ids=ids),
            {"since": when(since), "fresh": when(self._swept)},
        )
        self._swept = began - SWEEP_OVERLAP_S

    def clean(self, since: int, older_than_s: int = CLEAN_S) -> None:
        """Delete runs of windows from `since` on that were superseded or abandoned for longer than `older_than_s`."""
        parameters = {"since": when(since), "before": max(self._clock_ms() - older_than_s * 1000, 0)}
        for table in RUN_TABLES:
            runs = self._query(sql("seal_runs", database=self._database, table=table), parameters)
            if runs:  # named one by one: replicas may not agree about a subquery
                listed = ", ".join(f"(toDateTime({window}, 'UTC'), {run}, {tail})" for window, run, tail in runs)
                self._command(f"DELETE FROM $database.{table} WHERE (window, run, tail) IN ({listed})")

    def roll_up(self, before: int) -> None:
        """Roll up the item outcomes of hours before `before` (epoch seconds) none of whose windows may be sealed again,
        and delete what they replace."""
        now_ms = self._clock_ms()
        self._rollup.roll_up(before, now_ms)
        self._rollup.clean(before, now_ms)

    def landed_until(self) -> dict[tuple[str, int], int]:
        """The highest claim of each topic-partition, epoch ms."""
        rows = self._query(
            "SELECT topic, partition, toUnixTimestamp64Milli(max(landed_until)) FROM $database.progress "
            "GROUP BY topic, partition"
        )
        return {(str(topic), int(partition)): int(until) for topic, partition, until in rows}

    def unsettled(self, since: int) -> list[WindowState]:
        """Windows from `since` on that are not sealed, sealed incomplete, or dirty."""
        rows = self._query(sql("unsettled", database=self._database), {"since": when(since)})
        return [
            WindowState(window, rows, sealed_rows if sealed else None, bool(incomplete), first, last)
            for window, rows, sealed, sealed_rows, incomplete, first, last in rows
        ]

    def status(self, since: int) -> SealStatus:
        """The newest window with a visible run, and the orphans of the windows from `since` on."""
        newest, orphans = self._query(
            "SELECT (SELECT toUnixTimestamp(max(window)) FROM $database.sealed), sum(orphans) "
            "FROM $database.visible WHERE window >= {since:DateTime('UTC')}",
            {"since": when(since)},
        )[0]
        return SealStatus(int(newest) or None, int(orphans))

    def _count_landed(self, window: int) -> int:
        rows = self._query(
            "SELECT count() FROM $database.landing WHERE window = {window:DateTime('UTC')}", {"window": when(window)}
        )
        return int(rows[0][0])

    def _look_up_strays(self, window: int) -> None:
        """In the windows near this one, and in those that a stray links to it: however far, they go on belonging
        together when one more part lands, or an earlier home is found."""
        here = "{window:DateTime('UTC')}"
        linked = " OR ".join(
            f"window IN (SELECT {there} FROM {self._database}.strays WHERE {end} = {here})"
            for end, there in (("home", "window"), ("window", "home"))
        )
        near = f"(window BETWEEN {{from:DateTime('UTC')}} AND {{to:DateTime('UTC')}} OR {linked})"
        ids = f"SELECT request_id FROM {self._database}.landing WHERE window = {here}"
        reach = self._journey.near_s
        self._command(
            sql("seal_strays", database=self._database, near=near, ids=ids),
            {"window": when(window), "from": when(window - reach), "to": when(window + reach)},
        )

    def _count_strays(self, window: int) -> int:
        rows = self._query(
            "SELECT sum(most) FROM (SELECT max(parts) AS most FROM $database.strays "
            "WHERE home = {window:DateTime('UTC')} OR window = {window:DateTime('UTC')} "
            "GROUP BY request_id, window, home)",
            {"window": when(window)},
        )
        return int(rows[0][0] or 0)

    def _begin(self, window: int) -> dict[str, Any]:
        """A new run: above every run of this window, published or abandoned, even if the clock has gone back. (What a
        run writes first is traces.)"""
        runs = " UNION ALL ".join(
            f"SELECT max(run) AS run FROM {self._database}.{table} WHERE window = {{window:DateTime('UTC')}}"
            for table in ("sealed", "traces_runs")
        )
        parameters = {"window": when(window)}
        clock, run = self._query(
            f"SELECT toUnixTimestamp64Milli(now64(3)) AS clock, greatest(clock, max(run) + 1) FROM ({runs})", parameters
        )[0]
        return {**parameters, "run": int(run), "tail": secrets.randbits(63), "began": int(clock)}

    def _clock_ms(self) -> int:
        return int(self._query("SELECT toUnixTimestamp64Milli(now64(3))")[0][0])

    def _write_traces(self, run: Mapping[str, Any]) -> None:
        source = sql("seal_source", database=self._database)
        self._command(
            "INSERT INTO $database.traces_runs SELECT window, {run:UInt64}, {tail:UInt64}, * EXCEPT (window) "
            f"FROM ({self._journey.merge(source)})",
            run,
        )

    def _write_outcomes(self, run: Mapping[str, Any], requests: int) -> None:
        names = literal(list(self._journey.outcome_segments)) + "::Array(String)"
        pairs = (
            f"arrayFilter(pair -> has({names}, pair.1), "
            "arrayZip(mapKeys(segments)::Array(String), mapValues(segments)::Array(String)))"
        )
        for part in _slices(requests):
            traces = sql("seal_slices", traces=self._traces + part, segments=names)
            candidates = self._journey.candidates(traces)
            text = sql("seal_outcomes", database=self._database, candidates=candidates, known=self._known(pairs))
            self._command(text, run)

    def _write_metrics(self, run: Mapping[str, Any]) -> None:
        self._command(sql("seal_stages", database=self._database, traces=self._traces), run)
        known = self._known(_PAIRS)
        self._command(
            sql("seal_segments", database=self._database, traces=self._traces, pairs=_PAIRS, known=known), run
        )
        buckets = {"middle": literal(MIDDLE), "width": literal(WIDTH)}
        self._command(sql("seal_scores", database=self._database, **buckets), run)
        self._command(sql("seal_drops", database=self._database), run)

    def _write_pressure(self, run: Mapping[str, Any]) -> None:
        moves = sql("rule_moves", traces=self._traces)
        measured = sql("rule_moves_measured", moves=moves, kept="placement")
        self._command(sql("seal_pressure", database=self._database, measured=measured), run)
        self._command(sql("seal_rule_pressure", database=self._database, moves=moves), run)

    def _known(self, pairs: str) -> str:
        return sql("seal_known", traces=self._traces, pairs=pairs, cap=literal(self._journey.segment_values))

    @property
    def _traces(self) -> str:
        return (
            f"SELECT * FROM {self._database}.traces_runs "
            "WHERE window = {window:DateTime('UTC')} AND run = {run:UInt64} AND tail = {tail:UInt64}"
        )

    def _count_requests(self, run: Mapping[str, Any]) -> tuple[int, int]:
        requests = self._query(f"SELECT count() FROM ({self._traces})", run)[0][0]
        orphans = self._query(
            "SELECT uniqExact(request_id) FROM $database.landing WHERE window = {window:DateTime('UTC')} "
            f"AND request_id NOT IN (SELECT request_id FROM ({self._traces})) AND request_id NOT IN "
            "(SELECT request_id FROM $database.strays WHERE window = {window:DateTime('UTC')})",
            run,
        )[0][0]
        return int(requests), int(orphans)

    def _publish(self, run: Mapping[str, Any], sealed: Sealed, *, incomplete: bool) -> None:
        """Make the run visible, unless it is so old that the cleaner may have taken some of it: a sealer that was
        stopped half-way and goes on later must not show the rest."""
        counts = {"rows": sealed.rows, "requests": sealed.requests, "orphans": sealed.orphans, "incomplete": incomplete}
        self._command(
            "INSERT INTO $database.sealed (window, run, tail, rows, requests, orphans, incomplete) SELECT "
            "{window:DateTime('UTC')}, {run:UInt64}, {tail:UInt64}, {rows:UInt64}, {requests:UInt64}, "
            "{orphans:UInt64}, {incomplete:Bool} "
            f"WHERE toUnixTimestamp64Milli(now64(3)) < {{began:Int64}} + {PUBLISH_S * 1000}",
            {**run, **counts},
        )
        published = self._query(
            "SELECT count() FROM $database.sealed WHERE window = {window:DateTime('UTC')} AND run = {run:UInt64} "
            "AND tail = {tail:UInt64}",
            run,
        )
        if not published[0][0]:
            raise Unavailable(f"sealing window {sealed.window}: took longer than {PUBLISH_S} s, abandoned")

    def _command(self, text: str, parameters: Mapping[str, Any] | None = None) -> None:
        with errors("sealing"):
            self._client.command(
                text.replace("$database", self._database), parameters=dict(parameters or {}), settings=_SPREAD
            )

    def _query(self, text: str, parameters: Mapping[str, Any] | None = None) -> Sequence[Sequence[Any]]:
        with errors("sealing"):
            result = self._client.query(text.replace("$database", self._database), parameters=dict(parameters or {}))
        return result.result_rows


def _slices(requests: int) -> list[str]:
    """Conditions, each to be appended to `Seal._traces`, that part so many requests."""
    slices = max(1, -(-requests // SLICE))
    return [f" AND cityHash64(request_id) % {slices} = {n}" for n in range(slices)] if slices > 1 else [""]
