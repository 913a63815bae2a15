"""Bad input, end to end: a worker reads a stream in which every kind of it lies between good events.

Every bad record is one dead letter with its bytes, its origin, a reason and a field; everything else lands; the worker
lives. One worker reads it all once; the tests look at what came of it.
"""

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final, NamedTuple

import pytest
from xxhash import xxh3_64_intdigest

from streams.pipeline import PipelinePolicy
from tests.support.service import Service, Where, eventually

HOUR: Final = 3_600_000
NOW: Final = time.time_ns() // 1_000_000
DEEP: Final = b"[" * 100_000 + b"]" * 100_000


def event(stage: str = "scoring", /, **fields: Any) -> bytes:
    """A valid event, unless `fields` spoil it; a field given as ... is left out."""
    body: dict[str, Any] = {
        "schema_version": 1, "request_id": "bad", "ts": NOW, "stage": stage, "component": "broken", "items": ["a"],
    }  # fmt: skip
    body |= {"placement": "home", "k": 3} if stage == "request" else {}
    return json.dumps({name: value for name, value in (body | fields).items() if value is not ...}).encode()


def spliced(raw: bytes, **fields: bytes) -> bytes:
    """Fields added as the bytes they are: no JSON library would write them."""
    return raw[:-1] + b"".join(b', "%s": %s' % (name.encode(), value) for name, value in fields.items()) + b"}"


class Bad(NamedTuple):
    """A record of the stages topic, and what its dead letter says."""

    raw: bytes
    reason: str
    field: str


STAGES: Final = {
    "broken JSON": Bad(b'{"schema_version": 1, "request_id"', "malformed_json", "$"),
    "two objects": Bad(event() + event(), "malformed_json", "$"),
    "a byte order mark": Bad(b"\xef\xbb\xbf" + event(), "malformed_json", "$"),
    "single quotes": Bad(event().replace(b'"', b"'"), "malformed_json", "$"),
    "nothing": Bad(b"", "empty", "$"),
    "blanks": Bad(b" \n\t", "empty", "$"),
    "null": Bad(b"null", "wrong_type", "$"),
    "an array": Bad(b"[" + event() + b"]", "wrong_type", "$"),
    "text": Bad(b'"event"', "wrong_type", "$"),
    "invalid UTF-8 in a field": Bad(event(request_id="x").replace(b'"x"', b'"\xff"'), "invalid_utf8", "$"),
    "invalid UTF-8 in an item": Bad(event(items=["x"]).replace(b'"x"', b'"\xc3("'), "invalid_utf8", "$"),
    "UTF-16": Bad(event().decode().encode("utf-16"), "invalid_utf8", "$"),
    "random bytes": Bad(bytes(range(256)), "invalid_utf8", "$"),
    "10 MB": Bad(event(error="x" * 10_000_000), "too_large", "$"),
    "deep nesting in an unknown field": Bad(spliced(event(), more=DEEP), "too_deep", "$"),
    "deep nesting in items": Bad(spliced(event(items=...), items=DEEP), "too_deep", "$"),
    "deep nesting in the context": Bad(spliced(event("request"), context=b'{"a":' + DEEP + b"}"), "too_deep", "$"),
    "a NaN score": Bad(spliced(event(), scores=b"[NaN]"), "malformed_json", "$"),
    "an infinite score": Bad(spliced(event(), scores=b"[1e400]"), "wrong_value", "$.scores[0]"),
    "a score beyond Float32": Bad(event(scores=[1e39]), "wrong_value", "$.scores[0]"),
    "scores as strings": Bad(event(scores=["0.5"]), "wrong_type", "$.scores[0]"),
    "scores by item": Bad(event(scores={"a": 0.5}), "wrong_type", "$.scores"),
    "bools in items": Bad(event(items=["a", True]), "wrong_type", "$.items[1]"),
    "objects in items": Bad(event(items=[{"id": "a", "score": 0.5}]), "wrong_type", "$.items[0]"),
    "null in items": Bad(event(items=["a", None]), "wrong_type", "$.items[1]"),
    "lists in items": Bad(event(items=[["a"]]), "wrong_type", "$.items[0]"),
    "items as text": Bad(event(items="a,b"), "wrong_type", "$.items"),
    "objects in dropped": Bad(event(dropped={"seen": [{"id": "a"}]}), "wrong_type", "$.dropped.seen[0]"),
    "dropped as a list": Bad(event(dropped=["a"]), "wrong_type", "$.dropped"),
    "a count as text": Bad(event(dropped_counts={"seen": "5"}), "wrong_type", "$.dropped_counts.seen"),
    "a count beyond UInt32": Bad(event(dropped_counts={"seen": 2**32}), "wrong_value", "$.dropped_counts.seen"),
    "an unknown action": Bad(
        event(adjustments=[{"rule_id": "r", "item": "a", "action": "zap"}]), "wrong_value", "$.adjustments[0].action"
    ),
    "an adjustment of nothing": Bad(
        event(adjustments=[{"rule_id": "r", "action": "pin"}]), "missing_field", "$.adjustments[0].item"
    ),
    "no request id": Bad(event(request_id=...), "missing_field", "$.request_id"),
    "a null request id": Bad(event(request_id=None), "missing_field", "$.request_id"),
    "an empty request id": Bad(event(request_id=""), "wrong_value", "$.request_id"),
    "a request id that is a number": Bad(event(request_id=17), "wrong_type", "$.request_id"),
    "no time": Bad(event(ts=...), "missing_field", "$.ts"),
    "epoch seconds": Bad(event(ts=NOW // 1000), "wrong_value", "$.ts"),
    "a time without zone": Bad(event(ts="2026-06-01T12:00:00"), "wrong_value", "$.ts"),
    "no stage": Bad(event(stage=...), "missing_field", "$.stage"),
    "an unknown stage": Bad(event("ranking"), "unknown_stage", "$.stage"),
    "no component": Bad(event(component=...), "missing_field", "$.component"),
    "no schema_version": Bad(event(schema_version=...), "missing_field", "$.schema_version"),
    "an unknown schema_version": Bad(event(schema_version=2), "unknown_schema_version", "$.schema_version"),
    "a schema_version as text": Bad(event(schema_version="1"), "wrong_type", "$.schema_version"),
    "an unknown status": Bad(event(status="fine"), "wrong_value", "$.status"),
    "a negative duration": Bad(event(duration_ms=-1), "wrong_value", "$.duration_ms"),
    "a duration as text": Bad(event(duration_ms="12"), "wrong_type", "$.duration_ms"),
    "a request without placement": Bad(event("request", placement=...), "missing_field", "$.placement"),
    "a request without k": Bad(event("request", k=None), "missing_field", "$.k"),
    "a segment that is a list": Bad(event("request", segments={"country": ["DE"]}), "wrong_type", "$.segments.country"),
    "a response without items": Bad(event("response", items=None), "missing_field", "$.items"),
}


def click(**fields: Any) -> bytes:
    body = {"request_id": "good0", "item": "a", "kind": "click", "ts": NOW} | fields
    return json.dumps({name: value for name, value in body.items() if value is not ...}).encode()


INTERACTIONS: Final = {
    "broken JSON": Bad(b"{", "malformed_json", "$"),
    "nothing": Bad(b"", "empty", "$"),
    "no item": Bad(click(item=...), "missing_field", "$.item"),
    "an unknown kind": Bad(click(kind="like"), "wrong_value", "$.kind"),
    "epoch seconds": Bad(click(ts=NOW // 1000), "wrong_value", "$.ts"),
    "a value as text": Bad(click(value="9.99"), "wrong_type", "$.value"),
    "a NaN value": Bad(spliced(click(), value=b"NaN"), "malformed_json", "$"),
}
CATALOG: Final = {  # by key, of which b"" is none
    "no key": (b"", Bad(b"{}", "missing_field", "$key")),
    "a key that is no text": (b"\xff", Bad(b"{}", "invalid_utf8", "$key")),
    "broken JSON": (b"broken", Bad(b"}", "malformed_json", "$")),
    "another item inside": (b"one", Bad(b'{"item": "other"}', "wrong_value", "$.item")),
    "a price as text": (b"price", Bad(b'{"price": "5 EUR"}', "wrong_type", "$.price")),
    "a negative price": (b"negative", Bad(b'{"price": -1}', "wrong_value", "$.price")),
    "attributes as a list": (b"list", Bad(b'{"attributes": ["red"]}', "wrong_type", "$.attributes")),
}


def audited(**fields: Any) -> bytes:
    """An event that the worker looks at closely: it chooses by the hash of the bytes."""
    every = PipelinePolicy().audit_every
    return next(raw for n in count() if not xxh3_64_intdigest(raw := event(version=str(n), **fields)) % every)


MANY: Final = [f"c{number}" for number in range(5_000)]
SHARED: Final = 300  # events of one request: 256 are taken
# What is odd and taken. Request id -> its events: (bytes, record time or None).
ODD: Final[dict[str, list[tuple[bytes, int | None]]]] = {
    "no-response": [(event("request", request_id="no-response", component="api"), None)],
    "orphan": [(event("response", request_id="orphan", component="api"), None)],
    "two-responses": [
        (event("request", request_id="two-responses", component="api"), None),
        (event("response", request_id="two-responses", component="api", items=["a"]), NOW),
        (event("response", request_id="two-responses", component="api", items=["b"]), NOW + 1),
    ],
    "5000": [
        (event("request", request_id="5000", component="api"), None),
        (event("retrieval", request_id="5000", component="everything", items=MANY), None),
        (
            event("scoring", request_id="5000", component="ranker", items=MANY, scores=[n / 7 for n in range(5_000)]),
            None,
        ),
        (event("response", request_id="5000", component="api", items=MANY[-3:][::-1]), None),
    ],
    "ahead": [  # payload times: of one producer an hour ahead, of the other an hour behind
        (event("request", request_id="ahead", component="api", ts=NOW + HOUR), None),
        (event("scoring", request_id="ahead", component="ranker", ts=NOW - HOUR), None),
        (event("response", request_id="ahead", component="api", ts=NOW - HOUR), None),
    ],
    "recorded-ahead": [  # record times
        (event("request", request_id="recorded-ahead", component="api"), NOW + HOUR),
        (event("response", request_id="recorded-ahead", component="api"), NOW + HOUR),
    ],
    "recorded-behind": [
        (event("request", request_id="recorded-behind", component="api"), NOW - HOUR),
        (event("response", request_id="recorded-behind", component="api"), NOW - HOUR),
    ],
    "duplicate-keys": [
        (event("request", request_id="duplicate-keys", component="api"), None),
        (
            spliced(
                event("filtering", request_id="duplicate-keys", dropped={"seen": ["x"]}),
                dropped=b'{"seen": ["y"], "seen": ["z"]}',
                component=b'"last"',
            ),
            None,
        ),
    ],
    "unequal": [
        (event("request", request_id="unequal", component="api"), None),
        (audited(request_id="unequal", component="unequal", items=["a", "b", "c"], scores=[0.5, 0.25]), None),
        (event("response", request_id="unequal", component="api"), None),
    ],
    "numbers": [
        (event("request", request_id="numbers", component="api", user_id=42, segments={"vip": True, "age": 3}), None),
        (event("response", request_id="numbers", component="api", items=[17, "18"]), None),
    ],
    "nul": [
        (event("request", request_id="nul", component="api", user_id="a\0b"), None),
        (event("response", request_id="nul", component="api", items=["\0", "😀", "'\\\"", "\x1b[2J", "[/b]"]), None),
    ],
}


@dataclass
class Stream:
    """What was published, and the service that read it."""

    service: Service
    bad: dict[str, tuple[Where, Bad]] = field(default_factory=dict)  # by topic and case
    shared: list[tuple[Where, bytes]] = field(default_factory=list)
    good: list[str] = field(default_factory=list)
    tombstones: int = 0

    def publish(self) -> None:
        service = self.service
        for case, bad in STAGES.items():
            self._good()
            self.bad[f"stages: {case}"] = service.publish(service.stages, bad.raw), bad
        for request, events in ODD.items():
            self._good()
            for raw, at in events:
                service.publish(service.stages, raw, key=request.encode(), at=at)
        for partition in range(service.partitions):
            service.publish(service.stages, None, key=b"gone", partition=partition)
            self.tombstones += 1
        for number in range(SHARED):
            raw = event(request_id="shared", component=f"c{number}")
            self.shared.append((service.publish(service.stages, raw, partition=1), raw))
        for case, bad in INTERACTIONS.items():
            self.bad[f"interactions: {case}"] = service.publish(service.interactions, bad.raw), bad
            service.publish(service.interactions, click(ts=NOW + len(self.bad)))
        for case, (key, bad) in CATALOG.items():
            self.bad[f"catalog: {case}"] = service.publish(service.catalog, bad.raw, key=key or None), bad
            service.publish(service.catalog, b'{"title": "Fine"}', key=f"fine {case}".encode())
        self._good()

    def _good(self) -> None:
        request = f"good{len(self.good)}"
        self.good.append(request)
        for stage in ("request", "response"):
            raw = event(stage, request_id=request, component="api", expects=["api"] if stage == "request" else ...)
            self.service.publish(self.service.stages, raw, key=request.encode())

    def letters(self) -> int:
        return int(self.service.rows("SELECT count() FROM $database.dead_letters")[0][0])

    def landed(self) -> set[str]:
        return {row[0] for row in self.service.rows("SELECT DISTINCT request_id FROM $database.landing")}


@pytest.fixture(scope="module")
def stream(broker: str, clickhouse: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stream]:
    settings = {"RECTRACE_DEAD_LETTERS__MAX_COUNT": "10000"}
    with Service(broker, clickhouse, tmp_path_factory.mktemp("bad-input"), settings=settings) as service:
        service.start_ready()
        read = Stream(service)
        read.publish()
        wanted = len(read.bad) + SHARED - 256
        requests = {*read.good, *ODD, "shared"}
        eventually(
            lambda: read.letters() >= wanted and read.landed() >= requests,
            lambda: f"{wanted} dead letters ({read.letters()}), and of landed requests {requests - read.landed()}",
        )
        yield read


@pytest.mark.parametrize(
    "case",
    [
        *(f"stages: {case}" for case in STAGES),
        *(f"interactions: {case}" for case in INTERACTIONS),
        *(f"catalog: {case}" for case in CATALOG),
    ],
)
def test_a_bad_record_is_one_dead_letter(stream: Stream, case: str) -> None:
    where, bad = stream.bad[case]
    found = stream.service.rows(
        "SELECT hex(raw), reason, field, message FROM $database.dead_letters "
        "WHERE topic = {topic:String} AND partition = {partition:UInt32} AND offset = {offset:UInt64}",
        **where._asdict(),
    )
    assert len(found) == 1
    raw, reason, at, message = found[0]
    assert bytes.fromhex(raw) == bad.raw
    assert (reason, at) == (bad.reason, bad.field)
    assert message


def test_nothing_else_is_a_dead_letter(stream: Stream) -> None:
    wanted = Counter(where for where, _ in stream.bad.values())
    refused = Counter(
        Where(*row) for row in stream.service.rows("SELECT topic, partition, offset FROM $database.dead_letters")
    )
    assert refused - wanted == Counter(where for where, _ in stream.shared[256:])


def test_every_good_request_landed_once(stream: Stream) -> None:
    found = stream.service.rows(
        "SELECT request_id, count(), sum(length(stages)) FROM $database.landing "
        "WHERE startsWith(request_id, 'good') GROUP BY request_id"
    )
    assert sorted(found) == sorted((request, 1, 2) for request in stream.good)


def test_a_shared_request_id_takes_256_events(stream: Stream) -> None:
    letters = stream.service.rows(
        "SELECT hex(raw), reason, field, component FROM $database.dead_letters WHERE request_id = 'shared' "
        "ORDER BY offset"
    )
    expected = [
        (raw, "request_too_large", "$.request_id", f"c{256 + n}") for n, (_, raw) in enumerate(stream.shared[256:])
    ]
    assert [(bytes.fromhex(raw), *rest) for raw, *rest in letters] == expected
    landed = stream.service.rows(
        "SELECT arrayJoin(stages.component) FROM $database.landing WHERE request_id = 'shared'"
    )
    assert sorted(row[0] for row in landed) == sorted(f"c{number}" for number in range(256))


def test_metrics_count_what_was_refused_skipped_and_found(stream: Stream) -> None:
    service = stream.service
    reasons = Counter((where.topic, bad.reason) for where, bad in stream.bad.values())
    reasons[service.stages, "request_too_large"] += SHARED - 256
    counted = {
        (topic, reason): service.metric("rectrace_dead_letters_total", topic=topic, reason=reason)
        for topic, reason in reasons
    }
    assert counted == reasons
    assert service.metric("rectrace_dead_letters_total") == reasons.total()
    assert service.metric("rectrace_tombstones_total", topic=service.stages) == stream.tombstones
    assert service.metric("rectrace_audit_findings_total", component="unequal", kind="unequal_lengths") == 1
    assert service.metric("rectrace_record_times_replaced_total", topic=service.stages) == 2  # those an hour ahead


def test_why_tells_the_odd_ones(stream: Stream) -> None:
    def told(request: str) -> dict[str, Any]:
        story: dict[str, Any] = json.loads(stream.service.ask("why", request, "--json"))
        return story

    unanswered = told("no-response")
    assert (unanswered["responded"], unanswered["statuses"]) == (False, ["no_response"])
    orphan = told("orphan")
    assert (orphan["known"], orphan["responded"]) == (False, True)
    assert "an orphan" in stream.service.ask("why", "orphan")
    twice = told("two-responses")
    assert twice["conflicts"] == 1
    assert "conflict" in twice["statuses"]
    assert [each["item"] for each in twice["candidates"]] == ["a"], "the first by record time counts"
    many = told("5000")
    assert len(many["candidates"]) == 5_000
    assert [(each["item"], each["position"], each["model_rank"]) for each in many["candidates"][:3]] == [
        ("c4999", 1, 1), ("c4998", 2, 2), ("c4997", 3, 3),
    ]  # fmt: skip
    skewed = told("ahead")
    assert (skewed["total_ms"], skewed["n_served"]) == (None, 1), "a response before its request took no time"
    doubled = told("duplicate-keys")
    assert [(stage["component"], stage["dropped"]) for stage in doubled["stages"]] == [
        ("api", {}),
        ("last", {"seen": 1}),
    ]
    assert [each["item"] for each in doubled["candidates"] if each["fate"] == "dropped"] == ["z"]
    assert len(told("unequal")["candidates"]) == 3
    numbers = told("numbers")
    assert (numbers["user_id"], numbers["segments"]) == ("42", {"vip": "true", "age": "3"})
    assert [each["item"] for each in numbers["candidates"]] == ["17", "18"]
    strange = told("nul")
    assert strange["user_id"] == "a\0b"
    assert [each["item"] for each in strange["candidates"]] == ["\0", "😀", "'\\\"", "\x1b[2J", "[/b]"]
    text = stream.service.ask("why", "nul")
    assert not {"\0", "\x1b"} & set(text), "a terminal is not to obey an id"
    assert "[/b]" in text


def test_a_record_time_an_hour_off_is_replaced_ahead_and_believed_behind(stream: Stream) -> None:
    found = stream.service.rows(
        "SELECT request_id, toUnixTimestamp64Milli(at), flagged FROM $database.landing "
        "WHERE startsWith(request_id, 'recorded')"
    )
    at = {request: (at, flagged) for request, at, flagged in found}
    assert len(found) == 2
    assert at["recorded-behind"] == (NOW - HOUR, False)
    assert NOW <= at["recorded-ahead"][0] < NOW + HOUR / 2
    assert at["recorded-ahead"][1]


def test_good_interactions_and_items_landed(stream: Stream) -> None:
    clicks = stream.service.rows("SELECT count() FROM $database.interactions FINAL WHERE request_id = 'good0'")
    assert clicks == [(len(INTERACTIONS),)]
    items = stream.service.rows("SELECT item FROM $database.catalog FINAL WHERE title = 'Fine'")
    assert sorted(row[0] for row in items) == sorted(f"fine {case}" for case in CATALOG)


def test_the_worker_lives_and_stops_cleanly(stream: Stream) -> None:
    """The last: it stops the worker. All of the stream is committed, so another one reads none of it again."""
    service = stream.service
    assert service.worker is not None
    assert service.worker.exit_code is None
    assert service.stop() == 0
    assert "Traceback" not in service.log
    service.start_ready()
    known = service.publish(service.stages, event("request", request_id="after", component="api"))
    eventually(lambda: "after" in stream.landed(), lambda: "the request after a restart")
    assert service.metric("rectrace_records_consumed_total", topic=known.topic) == 1
