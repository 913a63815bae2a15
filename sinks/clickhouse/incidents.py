"""What the alert engine has kept, as people look at it: by time, and one alert by its fingerprint. Reads only."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from schemas.alerts import CHAINS, AlertState, Change, Evaluation
from schemas.parts import WINDOW_S
from sinks.clickhouse.alerts import evaluation_of
from sinks.clickhouse.reader import Period, Reader
from sinks.clickhouse.rows import when


def newest(reader: Reader) -> list[Evaluation]:
    """The last evaluation of each chain; a chain that has none is left out."""
    found = [(chain, reader.ask("alert_latest", {"chain": chain})) for chain in CHAINS]
    return [evaluation_of(chain, list(rows[0].values())) for chain, rows in found if rows]


def evaluated(found: Sequence[Evaluation]) -> datetime | None:
    """The end of the newest window among them; None: there is none."""
    return max((when(each.window + WINDOW_S) for each in found), default=None)


def changed(reader: Reader, period: Period, limit: int, fingerprint: str = "") -> list[Evaluation]:
    """Changes of alerts that fired in a period, oldest first, each as an evaluation of its own; of more than limit the
    newest. fingerprint: of one alert; empty: of all."""
    rows = reader.ask("alert_incidents", {**period.parameters, "fingerprint": fingerprint, "limit": limit})
    return [
        Evaluation(row["chain"], row["window"], 0, "judged", [], [msgspec.json.decode(row["json"], type=Change)])
        for row in reversed(rows)
    ]


def history(reader: Reader, alert: str, fingerprint: str, period: Period, limit: int) -> list[tuple[int, AlertState]]:
    """What was known of an alert after each window of a period (start, epoch seconds), oldest first; of more than limit
    the newest."""
    found = []
    for row in reader.ask("alert_history", {**period.parameters, "alert": alert, "limit": limit}):
        states = (msgspec.json.decode(text, type=AlertState) for text in row["states"])
        found += [(int(row["window"]), each) for each in states if each.fingerprint == fingerprint]
    return found[::-1]
