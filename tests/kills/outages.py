"""Schedules in which ClickHouse, the broker or a partition is away, or events come late."""

import time
from dataclasses import replace

from confluent_kafka import Producer
from kafka import KafkaAdminClient
from kafka.admin import NewPartitions

from rectrace.local.broker import Broker, start_broker
from rectrace.local.clickhouse import ClickHouse, start_clickhouse
from rectrace.local.kafka_jvm import ApacheKafka
from rectrace.local.ports import free_port
from tests.kills import topics
from tests.kills.deaths import lands_more, share
from tests.kills.lab import Form, Lab, Place
from tests.kills.traffic import Shape

AWAY = 10.0  # seconds


def clickhouse_away(place: Place, form: Form) -> str:
    """ClickHouse is away when the worker starts, and is killed later under load, for ten seconds each."""
    port = free_port()
    directory = place.directory / "own-clickhouse"

    def start() -> ClickHouse:
        return start_clickhouse(port, directory / "data", directory)

    running = start()
    try:
        with Lab(replace(place, clickhouse=running.url), "clickhouse-away") as lab:
            lab.prepare()
            running.child.kill()
            worker = lab.worker()
            lab.until("it says what it waits for", lambda: "Trying again" in worker.log)
            running = start()
            worker.wait_ready()
            load = lab.load(form.shape)
            for _ in range(max(form.kills // 3, 1)):
                lands_more(lab)
                running.child.kill()
                time.sleep(AWAY)
                assert worker.child.exit_code is None, worker.log[-2000:]
                running = start()
                lands_more(lab)
            load.stop()
            assert "cannot write" in worker.log
            assert "writing works again" in worker.log
            assert worker.metric("rectrace_rebalances_total") == 0, "an outage of ClickHouse is no reason to rebalance"
            return lab.settle()
    finally:
        running.stop()


def broker_lost(place: Place, form: Form) -> str:
    """The broker is away when the worker starts; later it loses everything, and offsets begin at 0 again."""
    port = free_port()
    directory = place.directory / "own-broker"
    place = replace(place, kafka=f"127.0.0.1:{port}")
    with Lab(place, "broker-lost") as lab:
        lab.migrate()
        worker = lab.worker()
        lab.until("it says what it waits for", lambda: "no Kafka broker answers" in worker.log)
        running = start_broker(port, directory)
        try:
            lab.create_topics()
            worker.wait_ready()
            for _ in range(max(form.kills // 3, 1)):
                running = _lose(lab, running)
            lab.load(Shape(seconds=12))
            report = lab.settle()
            assert worker.child.exit_code is None
            return report
        finally:
            running.stop()


def _lose(lab: Lab, running: Broker) -> Broker:
    lab.load(Shape(seconds=8)).finish()
    lab.settle()  # what the broker loses before it is read is lost to everyone
    lab.earlier = lab.read()
    port = int(lab.place.kafka.rpartition(":")[2])
    running.stop()
    time.sleep(AWAY / 3)
    running = start_broker(port, lab.place.directory / "own-broker")
    lab.create_topics()
    return running


def broker_killed(place: Place, form: Form) -> str:
    """Apache Kafka is away when the worker starts, and gets kill -9 under load, to come back on the same data."""
    with ApacheKafka(place.directory / "own-kafka") as kafka:
        place = replace(place, kafka=kafka.address)
        with Lab(place, "broker-killed") as lab:
            lab.prepare()
            kafka.terminate()
            worker = lab.worker()
            lab.until("it says what it waits for", lambda: "no Kafka broker answers" in worker.log)
            kafka.start()
            worker.wait_ready()
            load = lab.load(form.shape)
            for _ in range(max(form.kills // 3, 1)):
                lands_more(lab)
                kafka.kill()
                time.sleep(1)
                kafka.start()
                lands_more(lab)
            load.stop()
            return lab.settle()


def nobody_reads_a_partition(place: Place, form: Form) -> str:
    """One worker hangs: after `seal.patience` windows are sealed incomplete, and again, whole, when it is back."""
    with Lab(place, "patience", settings={"RECTRACE_SEAL__PATIENCE": "4", "RECTRACE_SESSION_TIMEOUT": "60"}) as lab:
        lab.prepare()
        workers = [lab.worker("a").wait_ready()]
        workers.append(lab.worker("b").wait_ready())
        share(lab, workers)
        load = lab.load(form.shape)
        sealer = next(each for each in workers if f"{lab.topics[0]}-0" in each.owned())
        other = next(each for each in workers if each is not sealer)
        lands_more(lab)
        for _ in range(max(form.kills // 3, 1)):
            other.freeze()
            lab.until("windows sealed without it", lambda: lab.sealed("rows > 0 AND incomplete"))
            other.thaw()
            lab.until("and again with it", lambda: not lab.sealed("rows > 0 AND incomplete"))
        load.stop()
        return lab.settle()


def late_after_the_seal(place: Place, form: Form) -> str:
    """Many events come after their window was sealed: near enough for the next seal, or found by the sweep only."""
    seconds = 120.0 if form.long else 10.0
    with Lab(place, "late") as lab:
        lab.prepare()
        lab.worker().wait_ready()
        lab.load(Shape(seconds=seconds, late=0.3, late_after=11.0, very_late=0.2, very_late_after=26.0))
        report = lab.settle()
        assert lab.runs() > lab.sealed(), "no window was sealed twice"
        return report


def memory_stays_flat(place: Place, form: Form) -> str:
    """With ClickHouse away under a heavy load the worker stops reading: its memory does not grow with what comes."""
    bound = 32_000_000
    with Lab(place, "memory", settings={"RECTRACE_JOIN__MEMORY": str(bound)}) as lab:
        lab.prepare()
        worker = lab.worker().wait_ready()
        lab.load(Shape(seconds=3))
        lands_more(lab)
        before = worker.rss()
        worker.proxy.away = True
        load = lab.load(Shape(seconds=12, rate=60, padding=40_000))
        lab.until("it stops reading", lambda: worker.metric("rectrace_reading_paused"))
        full, came = worker.rss(), load.bytes
        time.sleep(AWAY)
        grown, held, more = worker.rss() - full, worker.metric("rectrace_held_bytes"), load.bytes - came
        worker.proxy.away = False
        assert held <= bound, f"it holds {held:,.0f} bytes, its bound is {bound:,}"
        assert more > 2 * bound, f"only {more:,} bytes came meanwhile: too few to tell"
        # what Faust and its client had fetched by then comes on top, however much more is there
        assert grown < bound, f"its memory grew by {grown:,} bytes after it had stopped reading"
        report = lab.settle()
        return (
            f"{report}; memory {before / 1e6:.0f} MB, {full / 1e6:.0f} MB when it stopped reading, "
            f"{grown / 1e6:+.0f} MB while {more / 1e6:.0f} MB more came"
        )


# --- topics


def partition_added(place: Place, form: Form) -> str:
    """A topic grows from two to three partitions under load: the new one is read, and no window waits for ever."""
    with Lab(place, "grown") as lab:
        lab.prepare()
        worker = lab.worker().wait_ready()
        load = lab.load(form.shape)
        lands_more(lab)
        admin = KafkaAdminClient(bootstrap_servers=place.kafka)
        admin.create_partitions({lab.topics[0]: NewPartitions(3)})
        admin.close()
        lab.until("the third is read", lambda: f"{lab.topics[0]}-2" in worker.owned())
        lands_more(lab)
        time.sleep(5)
        load.stop()
        return lab.settle()


def topic_deleted(place: Place, form: Form) -> str:
    """The first of two stages topics is deleted: the other is read on, and windows are sealed whole."""
    with Lab(place, "deleted", stages=2, idle=1) as lab:
        lab.prepare()
        worker = lab.worker().wait_ready()
        load = lab.load(Shape(seconds=25))
        lands_more(lab)
        admin = KafkaAdminClient(bootstrap_servers=place.kafka)
        admin.delete_topics([lab.topics.pop(0)])
        admin.close()
        load.finish()
        report = lab.settle()
        assert worker.child.exit_code is None
        return report


def transaction_marker_at_the_end(place: Place, form: Form) -> str:
    """An idle partition ends with a transaction marker, which takes an offset that no reader ever sees."""
    with Lab(place, "marker", partitions=3) as lab:
        lab.prepare()
        lab.worker().wait_ready()
        topic = lab.topics[0]
        producer = Producer({"bootstrap.servers": place.kafka, "transactional.id": lab.group, "log_level": 0})
        producer.init_transactions(topics.PATIENCE)
        for end in (producer.commit_transaction, producer.abort_transaction):
            producer.begin_transaction()
            value = b'{"schema_version":1,"request_id":"alone","ts":%d,"stage":"scoring","component":"%s"}'
            producer.produce(topic, value % (time.time() * 1000, end.__name__.encode()), key="alone", partition=2)
            producer.flush(topics.PATIENCE)
            end()
        lab.load(Shape(seconds=12), partitions=2)
        return lab.settle()
