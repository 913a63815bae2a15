"""Landing: one insert for all parts of a flush, acknowledged before anything else happens."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import lz4.frame
import msgspec
from clickhouse_connect.driver.client import Client

from schemas.errors import Invalid
from schemas.exact import exact
from schemas.parts import CatalogRow, Claim, DeadLetter, InteractionRow, Part, RuleRow
from sinks.clickhouse import rows
from sinks.clickhouse.client import Refused, errors

# With these ClickHouse takes what the contract takes; its defaults would read null as 0 and {"a": 1} as a string.
INSERT_SETTINGS: Final[dict[str, Any]] = {
    "async_insert": 0,
    "max_partitions_per_insert_block": 0,  # times are what producers say: a wild one must not block the rest for ever
    "input_format_null_as_default": 0,
    "input_format_json_read_bools_as_numbers": 0,
    "input_format_json_read_bools_as_strings": 0,
    "input_format_json_read_objects_as_strings": 0,
    "input_format_json_read_arrays_as_strings": 0,
    "input_format_skip_unknown_fields": 1,
}


class ClickHouseSink:
    """The `streams.ports.Sink` port on ClickHouse. Raises Unavailable when the server cannot answer now."""

    def __init__(self, client: Client, database: str) -> None:
        self._client = client
        self._database = database

    def land(self, parts: Sequence[Part]) -> list[DeadLetter]:
        """Optimistic, then exact: one insert; if ClickHouse refuses it, only the bad events are left out."""
        if not parts:
            return []
        try:
            self._insert_parts(parts)
        except Refused:
            sound, letters = _examine(parts)
            return letters + self._land_or_halve(sound)
        return []

    def write_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        """Keyed by (topic, partition, offset, record time)."""
        if not letters:
            return
        columns = ["topic", "partition", "offset", "record_at", "reason", "field", "message", "component", "request_id"]
        data = [
            [letter.topic, letter.partition, letter.offset, rows.moment(letter.record_at)]
            + [_text(getattr(letter, name)) for name in columns[4:]]
            + [letter.key, letter.raw]
            for letter in letters
        ]
        with errors("writing dead letters"):
            self._client.insert(
                "dead_letters",
                data,
                column_names=[*columns, "key", "raw"],
                database=self._database,
                settings=INSERT_SETTINGS,
            )

    def write_interactions(self, interactions: Sequence[InteractionRow]) -> None:
        """Keyed by (request, item, kind, ts)."""
        self._insert("interactions", interactions, times=("ts", "record_at"))

    def write_catalog(self, records: Sequence[CatalogRow]) -> None:
        """Keyed by (item, record time)."""
        self._insert("catalog", records, times=("record_at", "created_at"))

    def write_rules(self, records: Sequence[RuleRow]) -> None:
        """Keyed by (id, record time)."""
        self._insert("rules", records, times=("record_at",))

    def write_progress(self, claims: Sequence[Claim]) -> None:
        """Append-only; readers take the highest a topic-partition."""
        self._insert("progress", claims, times=("landed_until",))

    def _land_or_halve(self, parts: list[Part]) -> list[DeadLetter]:
        """Land what validates but may still be refused, halving down to the events that are."""
        if not parts:
            return []
        try:
            self._insert_parts(parts)
        except Refused as refusal:
            if halves := _halves(parts):
                return [letter for half in halves for letter in self._land_or_halve(half)]
            return [DeadLetter.of_event(parts[0].events[0], "refused", "$", str(refusal))]
        return []

    def _insert_parts(self, parts: Sequence[Part]) -> None:
        self._insert_lines("landing", rows.COLUMNS, rows.encode(parts))

    def _insert(self, table: str, records: Sequence[msgspec.Struct], times: Iterable[str]) -> None:
        if not records:
            return
        lines = [
            {name: value for name, value in msgspec.structs.asdict(record).items() if value is not None}
            for record in records
        ]
        for line in lines:
            for name in times:
                if name in line:
                    line[name] = rows.seconds(line[name])
        body = msgspec.json.Encoder().encode_lines(lines)
        self._insert_lines(table, records[0].__struct_fields__, body)

    def _insert_lines(self, table: str, columns: Sequence[str], body: bytes) -> None:
        with errors(f"inserting into {self._database}.{table}"):
            self._client.raw_insert(
                f"{self._database}.{table}",
                column_names=columns,
                insert_block=lz4.frame.compress(body),
                settings=INSERT_SETTINGS,
                fmt="JSONEachRow",
                compression="lz4",
            )


def _halves(parts: list[Part]) -> list[list[Part]]:
    """Two lists with half of the parts each, or with half of the events of the only part; none for a single event."""
    if len(parts) > 1:
        middle = len(parts) // 2
        return [parts[:middle], parts[middle:]]
    events = parts[0].events
    middle = len(events) // 2
    halves = (events[:middle], events[middle:]) if middle else ()
    return [[msgspec.structs.replace(parts[0], events=half)] for half in halves]


def _examine(parts: Sequence[Part]) -> tuple[list[Part], list[DeadLetter]]:
    """Every event of the parts through the contract's models: the parts without the bad ones, and those."""
    sound, letters = [], []
    for part in parts:
        events = []
        for event in part.events:
            try:
                events.append(msgspec.structs.replace(event, envelope=exact(event.raw)))
            except Invalid as invalid:
                letters.append(DeadLetter.of_event(event, invalid.reason, invalid.field, invalid.message))
        if events:
            sound.append(msgspec.structs.replace(part, events=events))
    return sound, letters


def _text(value: str) -> bytes:
    """What a message quotes of a bad event may be no Unicode."""
    return value.encode("utf-8", "replace")
