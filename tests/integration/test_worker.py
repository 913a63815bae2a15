"""Worker processes on a real broker: killed, frozen, with the sink or the broker away. Every event is accounted for."""

import json
import os
import signal
import socket
import sys
import threading
import time
import urllib.request
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from kafka.admin import KafkaAdminClient, NewTopic
from xxhash import xxh3_64_intdigest

from rectrace.local.broker import start_broker
from rectrace.local.kafka_jvm import ApacheKafka
from rectrace.local.processes import Child, start

SCRIPT = Path(__file__).with_name("file_worker.py")
PARTITIONS = 4
STAGES = (("request", "api"), ("retrieval", "ann"), ("scoring", "ranker"), ("response", "api"))
Where = tuple[str, int, int]


def eventually(check: Callable[[], object], what: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.1)


class Traffic:
    """Sends requests of four events, spread over the topics, and keeps what the broker took: where, and its hash."""

    def __init__(self, kafka: str, topics: list[str], name: str = "r") -> None:
        self.sent: dict[Where, int] = {}
        self.times: dict[Where, int] = {}  # ms: the record's, as the broker keeps it
        self._name = name
        self._topics = topics
        self._producer = Producer({"bootstrap.servers": kafka, "linger.ms": 5, "partitioner": "murmur2_random"})

    def send(self, first: int, count: int, *, rate: float = 0) -> None:
        """Requests first..first+count-1; one in 20 lacks a stage, one in 20 has an event twice. rate: requests/s."""
        started = time.monotonic()
        for number in range(first, first + count):
            for index, (stage, component) in enumerate(STAGES):
                if number % 20 == 7 and index == 2:
                    continue
                for _ in range(2 if number % 20 == 3 and index == 1 else 1):
                    self._send(number, index, stage, component)
            while rate and (number - first) / rate > time.monotonic() - started:
                self._producer.poll(0.001)
        assert self._producer.flush(30) == 0

    def _send(self, number: int, index: int, stage: str, component: str) -> None:
        body: dict[str, object] = {"schema_version": 1, "request_id": f"{self._name}{number}", "stage": stage}
        body |= {"component": component, "ts": time.time_ns() // 1_000_000, "n_out": number}
        body |= {"placement": "home", "k": 3, "expects": ["ann", "ranker"]} if stage == "request" else {}
        body |= {"items": ["a", "b"]} if stage == "response" else {}
        raw = json.dumps(body).encode()

        def delivered(error: object, message: Any) -> None:
            assert error is None, error
            where = (message.topic(), message.partition(), message.offset())
            self.sent[where] = xxh3_64_intdigest(raw)
            self.times[where] = message.timestamp()[1]

        topic = self._topics[index % len(self._topics)]
        self._producer.produce(topic, raw, key=body["request_id"], on_delivery=delivered)
        self._producer.poll(0)


class Fleet:
    """Worker processes of one group, and the file that they all land in."""

    def __init__(self, kafka: str, topics: list[str], directory: Path) -> None:
        self.kafka, self.topics = kafka, topics
        self.file = directory / "landed"
        self.away = directory / "landed.away"
        self._directory = directory
        self._group = f"group-{uuid.uuid4().hex[:8]}"
        self.workers: dict[str, Child] = {}

    def start(self, name: str, metrics_port: int = 0) -> Child:
        command = [sys.executable, str(SCRIPT), self.kafka, self._group, ",".join(self.topics), str(self.file)]
        env = dict(os.environ, METRICS_PORT=str(metrics_port))
        self.workers[name] = start(name, command, self._directory / f"{name}.log", env)
        return self.workers[name]

    def log(self, name: str) -> str:
        path = self._directory / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def wait_assigned(self, name: str) -> None:
        eventually(lambda: " assigned: " in self.log(name), f"{name} is assigned partitions: {self.log(name)[-2000:]}")

    def wait_exit(self, name: str, seconds: float = 20) -> int:
        eventually(lambda: self.workers[name].exit_code is not None, f"{name} ends", seconds)
        return self.workers[name].exit_code or 0

    def lines(self) -> Iterator[tuple[str, list[Any]]]:
        """(kind, row), in the order in which they were written."""
        if self.file.exists():
            for line in self.file.read_bytes().split(b"\n"):
                try:
                    kind, row = json.loads(line)
                except ValueError:
                    continue  # empty, or its writer was killed: then it was not acknowledged
                yield kind, row

    def rows(self, kind: str) -> Iterator[list[Any]]:
        return (row for each, row in self.lines() if each == kind)

    def landed(self) -> dict[Where, int]:
        found: dict[Where, int] = {}
        for _request, _closed, events in self.rows("part"):
            for topic, partition, offset, digest, _at in events:
                found[topic, partition, offset] = digest
        return found

    def claims(self) -> dict[tuple[str, int], int]:
        """The highest claim of each topic-partition, ms."""
        newest: dict[tuple[str, int], int] = {}
        for topic, partition, until in self.rows("claim"):
            newest[topic, partition] = max(newest.get((topic, partition), 0), until)
        return newest

    def false_claims(self, traffic: Traffic) -> list[str]:
        """Claims made before everything below their time had landed. Holds where the broker sets the record times."""
        waiting: dict[tuple[str, int], list[tuple[int, int]]] = defaultdict(list)
        for (topic, partition, _), at in sorted(traffic.times.items(), key=lambda each: -each[1]):
            waiting[topic, partition].append((at, traffic.sent[topic, partition, _]))
        landed, wrong = set(), []
        for kind, row in self.lines():
            if kind == "part":
                landed |= {digest for _, _, _, digest, _ in row[2]}
            elif kind == "claim":
                queue = waiting[row[0], row[1]]
                while queue and queue[-1][0] < row[2]:
                    at, digest = queue.pop()
                    if digest not in landed:
                        wrong.append(f"{row[0]}-{row[1]}: {row[2]} claimed, {at} had not landed")
        return wrong

    def lost(self, traffic: Traffic) -> dict[Where, int]:
        """Events sent of which no copy landed (of exact copies one is enough)."""
        landed = set(self.landed().values())
        return {where: digest for where, digest in traffic.sent.items() if digest not in landed}

    def wait_all(self, traffic: Traffic, seconds: float = 30) -> None:
        try:
            eventually(lambda: not self.lost(traffic), "everything landed", seconds)
        except AssertionError:
            lost = sorted(self.lost(traffic))
            logs = "\n".join(f"{name}:\n{self.log(name)[-3000:]}" for name in self.workers)
            raise AssertionError(f"{len(lost)} of {len(traffic.sent)} lost: {lost[:20]}\n{logs}") from None

    def stop(self) -> None:
        for worker in self.workers.values():
            worker.kill()


def make_topics(kafka: str, counts: dict[str, int], **config: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    try:
        admin.create_topics([NewTopic(name, count, 1, topic_configs=config) for name, count in counts.items()])
    finally:
        admin.close()


@pytest.fixture(params=["tansu", pytest.param("apache", marks=pytest.mark.needs("kafka"))])
def any_broker(request: pytest.FixtureRequest) -> str:
    """tansu, where records carry their producers' times, and Apache Kafka, where topics set them."""
    if request.param == "tansu":
        return str(request.getfixturevalue("broker"))
    return str(request.getfixturevalue("apache_kafka").address)


@pytest.fixture
def kafka(request: pytest.FixtureRequest) -> str:
    """The broker of a test: tansu, or any where the test asks for `any_broker`."""
    name = "any_broker" if "any_broker" in request.fixturenames else "broker"
    return str(request.getfixturevalue(name))


@pytest.fixture
def topics(kafka: str) -> list[str]:
    names = [f"{uuid.uuid4().hex[:8]}-{index}" for index in range(2)]
    make_topics(kafka, dict.fromkeys(names, PARTITIONS), **{"message.timestamp.type": "LogAppendTime"})
    return names


@pytest.fixture
def fleet(kafka: str, topics: list[str], tmp_path: Path) -> Iterator[Fleet]:
    running = Fleet(kafka, topics, tmp_path)
    yield running
    running.stop()


@pytest.fixture
def traffic(kafka: str, topics: list[str]) -> Traffic:
    return Traffic(kafka, topics)


def check(fleet: Fleet, traffic: Traffic, any_broker: str, broker: str) -> None:
    """Everything landed; on Apache Kafka, every claim was true when it was made."""
    fleet.wait_all(traffic)
    assert any_broker == broker or fleet.false_claims(traffic) == []


def test_what_is_sent_lands_is_committed_and_is_not_read_again(fleet: Fleet, traffic: Traffic) -> None:
    fleet.start("one")
    traffic.send(0, 500)
    fleet.wait_all(traffic)
    requests = defaultdict(list)
    for request, closed, _ in fleet.rows("part"):
        requests[request].append(closed)
    assert {tuple(closed) for request, closed in requests.items() if not str(request).endswith("7")} == {("complete",)}
    assert ("settled",) in {tuple(closed) for closed in requests.values()}
    fleet.workers["one"].signal(signal.SIGTERM)
    assert fleet.wait_exit("one") == 0
    before = fleet.file.stat().st_size
    fleet.start("two")
    fleet.wait_assigned("two")
    traffic.send(500, 20)
    fleet.wait_all(traffic)
    again = [row for row in fleet.rows("part") if int(str(row[0])[1:]) < 500]
    assert len(again) == 500, "what was committed is not landed again"
    assert fleet.file.stat().st_size > before


def test_a_worker_that_joins_and_one_that_leaves_lose_nothing(
    fleet: Fleet, traffic: Traffic, any_broker: str, broker: str
) -> None:
    fleet.start("a")
    fleet.wait_assigned("a")
    sender = threading.Thread(target=traffic.send, args=(0, 3_000), kwargs={"rate": 300})
    sender.start()
    time.sleep(1.5)
    fleet.start("b")
    fleet.wait_assigned("b")
    time.sleep(1.5)
    fleet.workers["a"].signal(signal.SIGTERM)
    assert fleet.wait_exit("a") == 0
    left = time.time()
    sender.join()
    check(fleet, traffic, any_broker, broker)
    eventually(lambda: any(at > left for _, at in fleet.rows("seal")), "the other one seals")
    sealers = [pid for pid, at in fleet.rows("seal")]
    turns = [pid for index, pid in enumerate(sealers) if index == 0 or pid != sealers[index - 1]]
    assert len(turns) <= 3, "one seals at a time: a, perhaps b after the rebalance, b when a has left"


def test_a_sink_away_at_start_and_later_loses_nothing(fleet: Fleet, traffic: Traffic) -> None:
    fleet.away.touch()
    fleet.start("a")
    fleet.wait_assigned("a")
    traffic.send(0, 300)
    eventually(lambda: "cannot write parts: the file sink was told to be away" in fleet.log("a"), "it says so")
    assert not fleet.landed()
    fleet.away.unlink()
    fleet.wait_all(traffic)
    fleet.away.touch()
    traffic.send(300, 300)
    time.sleep(1)
    fleet.away.unlink()
    fleet.wait_all(traffic)
    assert "writing works again" in fleet.log("a")
    assert fleet.workers["a"].exit_code is None


def test_records_that_are_no_events_become_dead_letters(fleet: Fleet, traffic: Traffic, broker: str) -> None:
    fleet.start("a")
    producer = Producer({"bootstrap.servers": broker})
    for raw in (b"{", b"", b'{"request_id": 5}', b"\xff", None):
        producer.produce(fleet.topics[0], raw, key=b"k", partition=1)
    producer.flush(10)
    traffic.send(0, 20)
    fleet.wait_all(traffic)
    eventually(lambda: len(list(fleet.rows("letter"))) == 4, "four dead letters, and a tombstone skipped")


def test_an_idle_partition_claims_progress(fleet: Fleet) -> None:
    fleet.start("a")
    wanted = {(topic, partition) for topic in fleet.topics for partition in range(PARTITIONS)}
    started = time.time() * 1_000

    def claimed() -> bool:
        newest = fleet.claims()
        return newest.keys() == wanted and min(newest.values()) > started + 4_000

    eventually(claimed, "every idle partition is claimed to have landed up to now")
    assert max(fleet.claims().values()) <= time.time() * 1_000


def test_the_status_port_tells(fleet: Fleet, traffic: Traffic) -> None:
    fleet.start("a")
    fleet.wait_assigned("a")
    traffic.send(0, 50)
    fleet.wait_all(traffic)
    base = fleet.log("a").split("metrics on ")[1].split("/metrics")[0]
    assert urllib.request.urlopen(f"{base}/live").read() == b"ok\n"
    assert urllib.request.urlopen(f"{base}/ready").read() == b"ok\n"

    def said(line: str) -> bool:
        return line in urllib.request.urlopen(f"{base}/metrics").read().decode()

    eventually(lambda: said('rectrace_live_requests_total{placement="home",segment=""} 50.0'), "live requests")
    eventually(lambda: said("rectrace_open_requests 0.0"), "open requests")
    lines = [f'rectrace_lag_records{{partition="0",topic="{topic}"}} 0.0' for topic in fleet.topics]
    eventually(lambda: all(map(said, lines)), "no lag")


def test_a_missing_topic_is_named_and_ends_with_code_2(broker: str, tmp_path: Path) -> None:
    fleet = Fleet(broker, ["no-such-topic"], tmp_path)
    fleet.start("a")
    assert fleet.wait_exit("a") == 2
    assert "has no topic no-such-topic: create what is missing with `rectrace topics`" in fleet.log("a")


def test_unequal_partition_counts_are_named_and_end_with_code_2(broker: str, tmp_path: Path) -> None:
    one, two = f"{uuid.uuid4().hex[:8]}", f"{uuid.uuid4().hex[:8]}"
    make_topics(broker, {one: 3, two: 4})
    fleet = Fleet(broker, [one, two], tmp_path)
    fleet.start("a")
    assert fleet.wait_exit("a") == 2
    assert f"unequal partition counts: {one} has 3, {two} has 4" in fleet.log("a")


def test_a_metrics_port_in_use_is_named_and_ends_with_code_2(fleet: Fleet) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        fleet.start("a", metrics_port=port)
        assert fleet.wait_exit("a") == 2
    assert f"the metrics port 127.0.0.1:{port} is in use" in fleet.log("a")


def test_a_poisoned_topic_stops_the_worker_and_commits_nothing_of_it(fleet: Fleet, kafka: str) -> None:
    producer = Producer({"bootstrap.servers": kafka})
    for number in range(1_500):
        body = b'{"schema_version": 1, "request_id": "r%d", "component": "ranker", "stage": "scorin"}' % number
        producer.produce(fleet.topics[0], body, partition=0)
    assert producer.flush(20) == 0
    for name in ("a", "again"):
        fleet.start(name)
        assert fleet.wait_exit(name, 30) == 1
        (said,) = [line for line in fleet.log(name).splitlines() if "CRITICAL stopped" in line]
        assert "are dead letters, over the limit of 1,000 and 50% in 60 s" in said
        assert "component ranker" in said


@pytest.mark.needs("kafka")
def test_a_partition_that_ends_with_a_transaction_marker_is_drained(apache_kafka: ApacheKafka, tmp_path: Path) -> None:
    topic = uuid.uuid4().hex[:8]
    make_topics(apache_kafka.address, {topic: 1}, **{"message.timestamp.type": "LogAppendTime"})
    producer = Producer({"bootstrap.servers": apache_kafka.address, "transactional.id": topic})
    producer.init_transactions(20)
    producer.begin_transaction()
    body = {"schema_version": 1, "request_id": "r", "ts": time.time_ns() // 1_000_000, "component": "api"}
    body |= {"stage": "request", "placement": "home", "k": 1}
    producer.produce(topic, json.dumps(body).encode(), partition=0)
    producer.commit_transaction(20)
    fleet = Fleet(apache_kafka.address, [topic], tmp_path)
    try:
        fleet.start("a")
        sent = time.time() * 1_000
        eventually(lambda: fleet.claims().get((topic, 0), 0) > sent + 3_000, "it is claimed to have landed up to now")
        assert [row[1] for row in fleet.rows("part")] == ["timeout"]
    finally:
        fleet.stop()


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def test_a_broker_away_at_start_is_waited_for(broker: str, topics: list[str], tmp_path: Path) -> None:
    """The worker is given an address at which nothing answers yet; later a relay to the broker does."""
    port = free_port()
    fleet = Fleet(f"127.0.0.1:{port}", topics, tmp_path)
    fleet.start("a")
    eventually(lambda: f"no Kafka broker answers at 127.0.0.1:{port}" in fleet.log("a"), "it says so")
    time.sleep(2)
    relay = [sys.executable, "-c", RELAY, str(port), broker.split(":")[1]]
    process = start("relay", relay, tmp_path / "relay.log")
    try:
        traffic = Traffic(broker, topics)
        traffic.send(0, 50)
        fleet.wait_all(traffic)
    finally:
        process.kill()
        fleet.stop()


RELAY = """
import asyncio, sys
async def pipe(reader, writer):
    while data := await reader.read(65536):
        writer.write(data); await writer.drain()
    writer.close()
async def serve(reader, writer):
    far_reader, far_writer = await asyncio.open_connection("127.0.0.1", int(sys.argv[2]))
    await asyncio.gather(pipe(reader, far_writer), pipe(far_reader, writer))
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()
asyncio.run(main())
"""


def test_a_broker_frozen_for_a_while_loses_and_splits_nothing(tmp_path: Path) -> None:
    with start_broker(0, tmp_path) as own:
        make_topics(own.address, {"s": PARTITIONS})
        fleet, traffic = Fleet(own.address, ["s"], tmp_path), Traffic(own.address, ["s"])
        fleet.start("a")
        fleet.wait_assigned("a")
        try:
            traffic.send(0, 200)
            own.child.signal(signal.SIGSTOP)
            time.sleep(8)
            own.child.signal(signal.SIGCONT)
            traffic.send(200, 200)
            fleet.wait_all(traffic)
            assert fleet.workers["a"].exit_code is None
        finally:
            own.child.signal(signal.SIGCONT)
            fleet.stop()


def test_a_broker_that_comes_back_empty_is_read_from_the_beginning(tmp_path: Path) -> None:
    """tansu keeps everything in memory: after its restart offsets begin at 0 and nothing is committed."""
    first = start_broker(0, tmp_path)
    try:
        port = int(first.address.split(":")[1])
        make_topics(first.address, {"s": PARTITIONS})
        fleet, traffic = Fleet(first.address, ["s"], tmp_path), Traffic(first.address, ["s"])
        fleet.start("a")
        traffic.send(0, 300)
        fleet.wait_all(traffic)
    finally:
        first.stop()
    with start_broker(port, tmp_path) as second:
        try:
            make_topics(second.address, {"s": PARTITIONS})
            again = Traffic(second.address, ["s"], name="again")
            again.send(0, 100)
            fleet.wait_all(again)
            again.send(100, 300)
            fleet.wait_all(again)
            assert fleet.workers["a"].exit_code is None
        finally:
            fleet.stop()
