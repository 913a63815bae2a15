"""The worker's state machine: records in, batches out, offsets committable only when written."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest
from prometheus_client import CollectorRegistry

from schemas.errors import Invalid
from schemas.parts import CatalogRow, InteractionRow
from schemas.rule_log import rule_row
from streams.clocks import Position
from streams.join import JoinPolicy
from streams.limit import DeadLetterPolicy, TooManyDeadLetters
from streams.metrics import Metrics
from streams.outbox import Batch, FlushPolicy
from streams.pipeline import Decoders, OffsetsWentBack, Pipeline, PipelinePolicy
from streams.watermark import TopicPartition

NOW = 1_700_000_000_000
STAGES, OTHER = TopicPartition("rectrace.stages", 0), TopicPartition("rectrace.stages", 1)
INTERACTIONS, CATALOG = TopicPartition("rectrace.interactions", 0), TopicPartition("rectrace.catalog", 0)
RULES = TopicPartition("rectrace.rules", 0)
EXPECTED = JoinPolicy(expected={"home": ["api"]})


class Rec(NamedTuple):
    offset: int
    value: bytes | None
    timestamp: int = NOW
    timestamp_type: int = 1
    key: bytes | None = b"key"
    headers: Sequence[tuple[str, bytes]] = ()


def event(rid: str, stage: str, **more: Any) -> bytes:
    body: dict[str, Any] = {"schema_version": 1, "request_id": rid, "ts": NOW, "stage": stage, "component": "api"}
    body |= {"placement": "home", "k": 10} if stage == "request" else {}
    body |= {"items": ["a"]} if stage == "response" else {}
    return json.dumps(body | more).encode()


def interaction(raw: bytes, record_at: int) -> InteractionRow:
    if raw == b"bad":
        raise Invalid("malformed_json", "$", "bad")
    return InteractionRow(raw.decode(), "item", "click", NOW, None, None, record_at)


def item(key: bytes | None, raw: bytes | None, record_at: int) -> CatalogRow:
    return CatalogRow((key or b"").decode(), record_at, deleted=raw is None)


def audit(raw: bytes) -> Sequence[tuple[str, str]]:
    return [("unknown_field", "surprise")] if b"surprise" in raw else []


def pipeline(**policy: Any) -> Pipeline:
    return Pipeline(
        PipelinePolicy(**({"join": EXPECTED} | policy)),
        Decoders(interaction, item, rule_row, audit),
        Metrics(CollectorRegistry()),
    )


def value(subject: Pipeline, name: str, **labels: str) -> float:
    return subject.metrics.registry.get_sample_value(name, labels) or 0


def taken(subject: Pipeline, now: int = NOW) -> Batch:
    batch = subject.take(now, force=True)
    assert batch is not None
    return batch


def drained(position: int, *, sent_at: int = NOW, answered_at: int = NOW, delivered: int | None = None) -> Position:
    return Position(position, position, position if delivered is None else delivered, sent_at, answered_at)


def test_a_closed_request_is_taken_acknowledged_and_only_then_committable() -> None:
    subject = pipeline()
    subject.feed(STAGES, [Rec(7, event("r", "request")), Rec(8, event("r", "response"))], NOW)
    assert subject.committable() == {STAGES: 7}
    batch = taken(subject)
    assert [part.request_id for part in batch.parts] == ["r"]
    assert subject.committable() == {STAGES: 7}
    subject.acknowledge(batch)
    assert subject.committable() == {STAGES: 9}


def test_one_batch_is_out_at_a_time() -> None:
    subject = pipeline()
    subject.feed(STAGES, [Rec(0, event("r", "request")), Rec(1, event("r", "response"))], NOW)
    batch = taken(subject)
    subject.feed(STAGES, [Rec(2, event("s", "request")), Rec(3, event("s", "response"))], NOW)
    assert subject.take(NOW + 60_000, force=True) is None
    subject.acknowledge(batch)
    assert [part.request_id for part in taken(subject).parts] == ["s"]


def test_a_batch_is_due_by_time_or_by_rows() -> None:
    subject = pipeline(flush=FlushPolicy(max_rows=2, interval_ms=1_000))
    assert subject.take(NOW) is None
    subject.feed(STAGES, [Rec(0, event("r", "request")), Rec(1, event("r", "response"))], NOW)
    assert subject.take(NOW + 999) is None
    batch = subject.take(NOW + 1_000)
    assert batch is not None
    subject.acknowledge(batch)
    subject.feed(STAGES, [Rec(n, event(f"r{n // 2}", "response" if n % 2 else "request")) for n in range(2, 6)], NOW)
    assert subject.take(NOW + 1_001) is not None


def test_a_batch_has_an_end() -> None:
    subject = pipeline(flush=FlushPolicy(max_bytes=5_000))
    subject.feed(STAGES, [Rec(n, event(f"r{n // 2}", "response" if n % 2 else "request")) for n in range(20)], NOW)
    batch = taken(subject)
    assert 0 < len(batch.parts) < 10
    subject.acknowledge(batch)
    assert subject.committable() == {STAGES: 2 * len(batch.parts)}


def test_a_dead_letter_keeps_its_bytes_and_holds_the_commit_until_written() -> None:
    subject = pipeline()
    bad = b'{"request_id": "r9", "component": "ann", "stage": 5}'
    subject.feed(STAGES, [Rec(3, bad, key=b"r9"), Rec(4, event("r", "request")), Rec(5, event("r", "response"))], NOW)
    batch = taken(subject)
    (letter,) = batch.letters
    assert (letter.raw, letter.key, letter.topic, letter.partition, letter.offset) == (
        bad,
        b"r9",
        "rectrace.stages",
        0,
        3,
    )
    assert (letter.component, letter.request_id) == ("ann", "r9")
    assert letter.reason
    assert letter.field.startswith("$")
    assert subject.committable() == {STAGES: 3}
    subject.acknowledge(batch)
    assert subject.committable() == {STAGES: 6}
    assert value(subject, "rectrace_dead_letters_total", topic="rectrace.stages", reason=letter.reason) == 1


def test_a_dead_letter_between_open_requests_is_not_passed() -> None:
    subject = pipeline()
    subject.feed(STAGES, [Rec(0, event("r", "request")), Rec(1, b"{"), Rec(2, event("s", "request"))], NOW)
    subject.feed(STAGES, [Rec(3, event("r", "response"))], NOW)
    first = taken(subject)
    subject.acknowledge(first)
    assert subject.committable() == {STAGES: 2}


@pytest.mark.parametrize("raw", [b"", b"{", b"null", b"[]", b"\xff\xfe", b"[" * 100_000, b'{"a": NaN}'])
def test_no_bytes_stop_the_worker(raw: bytes) -> None:
    subject = pipeline()
    subject.feed(STAGES, [Rec(0, raw)], NOW)
    assert [letter.raw for letter in taken(subject).letters] == [raw]


def test_tombstones_are_counted_and_skipped() -> None:
    subject = pipeline()
    subject.feed(STAGES, [Rec(0, None), Rec(1, None)], NOW)
    assert subject.committable() == {STAGES: 2}
    assert value(subject, "rectrace_tombstones_total", topic="rectrace.stages") == 2


def test_interactions_and_catalogue_go_their_own_way() -> None:
    subject = pipeline()
    subject.feed(INTERACTIONS, [Rec(0, b"r1"), Rec(1, b"bad"), Rec(2, b"r2")], NOW)
    subject.feed(CATALOG, [Rec(5, None, key=b"i1"), Rec(6, b"{}", key=b"i2", timestamp=5, timestamp_type=0)], NOW)
    assert subject.committable() == {INTERACTIONS: 0, CATALOG: 5}
    batch = taken(subject)
    assert [row.request_id for row in batch.interactions] == ["r1", "r2"]
    assert [(row.item, row.deleted, row.record_at) for row in batch.catalog] == [("i1", True, NOW), ("i2", False, 5)]
    assert [letter.offset for letter in batch.letters] == [1]
    assert batch.claims == []
    subject.acknowledge(batch)
    assert subject.committable() == {INTERACTIONS: 3, CATALOG: 7}


def test_a_topic_that_is_not_ours_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="else"):
        pipeline().feed(TopicPartition("else", 0), [Rec(0, b"{}")], NOW)


def test_a_gap_is_counted_going_back_raises_and_takes_nothing() -> None:
    subject = pipeline()
    subject.feed(STAGES, [Rec(0, event("r", "request"))], NOW)
    subject.feed(STAGES, [Rec(5, event("r", "response"))], NOW)
    assert value(subject, "rectrace_offset_gaps_total", topic="rectrace.stages") == 1
    with pytest.raises(OffsetsWentBack, match=r"stages-0: offset 6 was to come, 2 came"):
        subject.feed(STAGES, [Rec(2, event("s", "request"))], NOW)
    assert subject.open == 0


def test_where_reading_begins_is_expected_after_an_assignment() -> None:
    subject = pipeline()
    subject.expect({STAGES: 40})
    assert subject.committable() == {STAGES: 40}
    subject.feed(STAGES, [Rec(45, event("r", "request"))], NOW)
    assert value(subject, "rectrace_offset_gaps_total", topic="rectrace.stages") == 1


def test_a_partition_shorter_than_what_was_read_of_it_is_not_drained() -> None:
    subject = pipeline()
    subject.feed(STAGES, [Rec(99, event("r", "request"), NOW - 50), Rec(100, event("r", "response"), NOW - 40)], NOW)
    subject.tick(NOW, {STAGES: Position(101, 7, 101, NOW - 7, NOW)})
    (claim,) = taken(subject).claims
    assert claim.landed_until == NOW - 40


def test_after_a_restart_offsets_begin_anew_and_nothing_is_lost() -> None:
    subject = pipeline()
    subject.feed(STAGES, [Rec(100, event("r", "request")), Rec(101, event("s", "request"))], NOW)
    subject.restart(STAGES)
    assert subject.committable() == {}
    subject.feed(STAGES, [Rec(0, event("s", "response")), Rec(1, event("t", "request"))], NOW)
    assert subject.committable() == {STAGES: 0}
    batch = taken(subject)
    assert [(part.request_id, part.closed) for part in batch.parts] == [("r", "evicted"), ("s", "evicted")]
    subject.acknowledge(batch)
    assert subject.committable() == {STAGES: 0}, "the response of s is open, as a late part"


def test_revoking_forgets_all_and_an_old_acknowledge_does_nothing() -> None:
    subject = pipeline()
    subject.feed(STAGES, [Rec(0, event("r", "request")), Rec(1, event("r", "response"))], NOW)
    batch = taken(subject)
    subject.revoke()
    subject.feed(STAGES, [Rec(0, event("r", "request"))], NOW)
    subject.acknowledge(batch)
    assert subject.committable() == {STAGES: 0}
    subject.feed(STAGES, [Rec(1, event("r", "response"))], NOW)
    again = taken(subject)
    subject.acknowledge(batch)
    assert subject.take(NOW, force=True) is None, "the one taken since is still out"
    subject.acknowledge(again)
    assert subject.committable() == {STAGES: 2}


def test_a_producers_time_out_of_belief_is_replaced_and_kept() -> None:
    subject = pipeline(late_horizon_ms=3_600_000)
    ahead, behind = NOW + 3_600_000, NOW - 3_600_001
    subject.feed(
        STAGES,
        [
            Rec(0, event("r", "request"), ahead, 0),
            Rec(1, event("r", "scoring"), behind, 0),
            Rec(2, event("r", "filtering"), NOW - 5, 0),
            Rec(3, event("r", "response"), -1, 0),
        ],
        NOW,
    )
    (part,) = taken(subject).parts
    assert [at.record_at for at in part.events] == [NOW, NOW, NOW - 5, NOW]
    assert [at.raw_record_at for at in part.events] == [ahead, behind, NOW - 5, -1]
    assert part.flagged


def test_the_brokers_time_is_taken_as_it_is() -> None:
    subject = pipeline(late_horizon_ms=1)
    subject.feed(STAGES, [Rec(0, event("r", "request"), 5, 1), Rec(1, event("r", "response"), 6, 1)], NOW)
    (part,) = taken(subject).parts
    assert [at.record_at for at in part.events] == [5, 6]
    assert not part.flagged


def test_producers_times_are_warned_of_once_a_topic(caplog: pytest.LogCaptureFixture) -> None:
    subject = pipeline()
    caplog.set_level("WARNING", "streams")
    for offset in range(3):
        subject.feed(STAGES, [Rec(offset, event("r", "request"), NOW, 0)], NOW)
    assert [record.args[0] for record in caplog.records if record.args] == ["rectrace.stages"]  # type: ignore[index]


def test_a_replayed_record_says_so() -> None:
    subject = pipeline()
    replayed = Rec(0, event("r", "request"), headers=[("x", b""), ("rectrace-replay", b"1")])
    subject.feed(STAGES, [replayed, Rec(1, event("r", "response"))], NOW)
    (part,) = taken(subject).parts
    assert [at.replayed for at in part.events] == [True, False]
    assert part.flagged


def test_claims_go_up_to_the_oldest_open_request() -> None:
    subject = pipeline()
    subject.feed(
        STAGES,
        [
            Rec(0, event("r", "request"), NOW - 50),
            Rec(1, event("s", "request"), NOW - 40),
            Rec(2, event("r", "response"), NOW - 30),
        ],
        NOW,
    )
    batch = taken(subject)
    assert [(claim.topic, claim.partition, claim.landed_until) for claim in batch.claims] == [(*STAGES, NOW - 40)]


def test_a_drained_idle_partition_claims_the_time_its_last_fetch_was_sent() -> None:
    subject = pipeline()
    subject.tick(NOW, {STAGES: drained(17, sent_at=NOW - 700, delivered=0)})
    (claim,) = taken(subject).claims
    assert claim.landed_until == NOW - 700


def test_a_transaction_marker_at_the_end_does_not_keep_a_partition_from_being_drained() -> None:
    subject = pipeline()
    subject.feed(STAGES, [Rec(0, event("r", "request"), NOW - 50), Rec(1, event("r", "response"), NOW - 40)], NOW)
    subject.tick(NOW, {STAGES: drained(3, sent_at=NOW - 7, delivered=2)})
    (claim,) = taken(subject).claims
    assert claim.landed_until == NOW - 7


def test_records_delivered_but_not_fed_keep_a_partition_from_being_drained() -> None:
    subject = pipeline()
    subject.feed(STAGES, [Rec(0, event("r", "request"), NOW - 50), Rec(1, event("r", "response"), NOW - 40)], NOW)
    subject.tick(NOW, {STAGES: drained(9, sent_at=NOW - 7)})
    (claim,) = taken(subject).claims
    assert claim.landed_until == NOW - 40


def test_a_claim_is_made_once() -> None:
    subject = pipeline()
    subject.tick(NOW, {STAGES: drained(17, delivered=0)})
    subject.acknowledge(taken(subject))
    assert subject.take(NOW + 5_000, force=True) is None


def test_a_paused_reader_lets_nothing_become_due() -> None:
    subject = pipeline()
    subject.feed(STAGES, [Rec(0, event("r", "request"))], NOW)
    for second in range(0, 120, 1):  # the consumer answers no more: the same position again and again
        subject.tick(NOW + second * 1_000, {STAGES: drained(1)})
    assert subject.open == 1


def test_a_drained_partition_lets_requests_become_due_in_live_time() -> None:
    subject = pipeline()
    subject.feed(STAGES, [Rec(0, event("r", "request"))], NOW)
    for second in range(11):
        at = NOW + second * 1_000
        subject.tick(at, {STAGES: drained(1, sent_at=at - 100, answered_at=at)})
    (part,) = taken(subject).parts
    assert part.closed == "timeout"


def test_a_topic_that_was_deleted_holds_up_nothing() -> None:
    gone = TopicPartition("gone", 0)
    subject = pipeline(stages=("rectrace.stages", "gone"))
    subject.assign([STAGES, gone])
    subject.feed(STAGES, [Rec(0, event("r", "request"))], NOW)
    moments = [NOW + 500 * n for n in range(1, 30)]
    for now in moments:  # nobody knows where the other topic ends
        subject.tick(now, {STAGES: drained(1, answered_at=now)})
    assert subject.open == 1
    subject.revoke()
    subject.assign([STAGES])
    subject.feed(STAGES, [Rec(0, event("r", "request"))], NOW)
    for now in moments:
        subject.tick(now, {STAGES: drained(1, answered_at=now)})
    assert subject.open == 0


def test_too_many_open_requests_evict_the_oldest_of_any_partition() -> None:
    subject = pipeline(join=JoinPolicy(max_open=3))
    subject.feed(STAGES, [Rec(0, event("r0", "request"))], NOW)
    subject.feed(OTHER, [Rec(n, event(f"s{n}", "request")) for n in range(2)], NOW + 1)
    subject.feed(STAGES, [Rec(n, event(f"r{n}", "request")) for n in range(1, 3)], NOW + 2)
    assert subject.open == 3
    batch = taken(subject)
    assert [(part.request_id, part.closed) for part in batch.parts] == [("r0", "evicted"), ("s0", "evicted")]


def test_memory_is_bounded_open_requests_are_evicted_and_reading_pauses() -> None:
    subject = pipeline(memory_bytes=2_000_000)
    offset = 0
    while not subject.paused:
        subject.feed(STAGES, [Rec(offset, event(f"r{offset}", "request", error="x" * 10_000))], NOW)
        offset += 1
    subject.tick(NOW, {})
    assert subject.open > 10
    assert sum(value(subject, "rectrace_held_bytes", state=state) for state in ("open", "unwritten")) <= 2_000_000
    assert value(subject, "rectrace_parts_closed_total", reason="evicted") > 10
    assert offset < 250
    while batch := subject.take(NOW, force=True):
        subject.acknowledge(batch)
    assert not subject.paused


def test_a_poisoned_topic_stops_the_worker_and_names_the_cause() -> None:
    subject = pipeline(limit=DeadLetterPolicy(max_share=0.5, max_count=20, window_ms=60_000))
    bad = b'{"schema_version": 1, "request_id": "r", "ts": 1700000000000, "stage": "scoring", "component": 5}'
    named = bad.replace(b"5}", b'"ann", "n_in": "x"}')
    subject.feed(STAGES, [Rec(n, bad) for n in range(5)], NOW)
    with pytest.raises(TooManyDeadLetters, match=r"21 of the last 21 .* wrong_type, field \$.n_in, component ann"):
        subject.feed(STAGES, [Rec(n, named) for n in range(5, 21)], NOW + 1_000)
    assert subject.committable() == {}
    assert subject.take(NOW + 60_000, force=True) is None


def test_one_in_so_many_events_is_looked_at_closely() -> None:
    subject = pipeline(audit_every=10)
    subject.feed(STAGES, [Rec(n, event(f"r{n}", "scoring", surprise=n)) for n in range(1_000)], NOW)
    audited = value(subject, "rectrace_events_audited_total")
    assert 50 < audited < 200, "chosen by hash: about 100, and the same ones each time"
    found = value(subject, "rectrace_audit_findings_total", component="api", kind="unknown_field", field="surprise")
    assert found == audited


def test_of_every_sender_one_event_is_looked_at_closely() -> None:
    subject = pipeline(audit_every=1_000_000_000)
    events = [event(f"r{n}", "scoring", component=f"c{n % 3}", version=str(n % 2), surprise=n) for n in range(60)]
    for first in (0, 30):
        subject.feed(STAGES, [Rec(n, events[n]) for n in range(first, first + 30)], NOW)
        assert value(subject, "rectrace_events_audited_total") == 6


@pytest.mark.parametrize("at", [NOW + 10**10, 0, -1])
def test_a_dead_letter_keeps_its_own_time_and_moves_no_claim(at: int) -> None:
    """Read again later it must have the same key; and what it says of the time is nothing to go by."""
    for now in (NOW, NOW + 5_000):
        subject = pipeline(late_horizon_ms=3_600_000)
        subject.feed(STAGES, [Rec(0, event("r", "request"), NOW - 9_000, 0)], now)
        subject.feed(STAGES, [Rec(1, b"{", at, 0)], now)
        batch = taken(subject)
        assert [letter.record_at for letter in batch.letters] == [at]
        assert [claim.landed_until for claim in batch.claims] in ([], [NOW - 9_000])


def test_rules_are_taken_with_who_and_why_and_bad_ones_are_dead_letters() -> None:
    subject = pipeline()
    rule = {"id": "r1", "owner": "me", "scope": "trace", "when": "k > 1", "message": "m", "action": None}
    good = Rec(0, json.dumps(rule).encode(), key=b"r1", headers=(("rectrace-by", b"ann"), ("rectrace-note", b"sale")))
    gone = Rec(1, None, key=b"r0")
    bad = Rec(2, json.dumps(rule | {"scope": "item", "sope": 1}).encode(), key=b"r1")
    other = Rec(3, json.dumps(rule).encode(), key=b"r2")
    subject.feed(RULES, [good, gone, bad, other], NOW)
    batch = taken(subject)
    assert [(row.id, row.deleted, row.by, row.note) for row in batch.rules] == [
        ("r1", False, "ann", "sale"), ("r0", True, "", ""),
    ]  # fmt: skip
    assert json.loads(batch.rules[0].rule) == rule
    assert [(letter.offset, letter.field) for letter in batch.letters] == [(2, "$.sope"), (3, "$.id")]
    subject.acknowledge(batch)
    assert subject.committable() == {RULES: 4}


def test_refused_events_count_for_the_limit() -> None:
    subject = pipeline(limit=DeadLetterPolicy(max_share=0.0, max_count=0))
    subject.feed(STAGES, [Rec(0, event("r", "request")), Rec(1, event("r", "response"))], NOW)
    bad = pipeline()
    bad.feed(STAGES, [Rec(0, b"{")], NOW)
    with pytest.raises(TooManyDeadLetters):
        subject.count_refused(taken(bad).letters, NOW)
