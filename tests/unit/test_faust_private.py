"""Every private name of Faust and aiokafka that streams/app.py stands on: it exists, and is what we take it for."""

import asyncio
import inspect
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import aiokafka
import faust
import pytest
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import Assignment, SubscriptionState, TopicPartitionState
from faust.app.base import App
from faust.tables.manager import TableManager
from faust.tables.recovery import RebalanceAgain, Recovery, ServiceStopped
from faust.transport.conductor import ConductorCompiler
from faust.transport.consumer import Consumer as BaseConsumer
from faust.transport.consumer import ThreadDelegateConsumer
from faust.transport.drivers import aiokafka as driver
from faust.transport.utils import DefaultSchedulingStrategy
from faust.types import TP
from mode.supervisors import CrashingSupervisor

from streams.app import WorkerConfig, _faust_app
from streams.cluster import Cluster
from streams.watermark import TopicPartition


def parameters(function: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(function).parameters)


def test_the_version_is_the_one_that_was_read() -> None:
    assert faust.__version__ == version("faust-streaming") == "0.15.3"
    assert aiokafka.__version__.startswith("0.14.")


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (App._new_transport, ["self"]),
        (DefaultSchedulingStrategy.iterate, ["self", "records"]),
        (BaseConsumer.force_commit, ["self", "topics", "start_new_transaction"]),
        (BaseConsumer._commit_offsets, ["self", "offsets", "start_new_transaction"]),
        (BaseConsumer.perform_seek, ["self"]),
        (BaseConsumer.commit, ["self", "topics", "start_new_transaction"]),
        (ThreadDelegateConsumer._getmany, ["self", "active_partitions", "timeout"]),
        (driver.Consumer._new_consumer_thread, ["self"]),
        (driver.AIOKafkaConsumerThread.__post_init__, ["self"]),
        (driver.AIOKafkaConsumerThread.on_start, ["self"]),
        (driver.AIOKafkaConsumerThread._ensure_consumer, ["self"]),
        (
            driver.AIOKafkaConsumerThread._fetch_records,
            ["self", "consumer", "active_partitions", "timeout", "max_records"],
        ),
        (driver.AIOKafkaConsumerThread._create_worker_consumer, ["self", "transport"]),
        (BaseConsumer.on_buffer_full, ["self", "tp"]),
        (BaseConsumer.on_buffer_drop, ["self", "tp"]),
        (driver.AIOKafkaConsumerThread.seek_to_beginning, ["self", "partitions"]),
        (Fetcher._proc_fetch_request, ["self", "assignment", "node_id", "request"]),
        (Assignment.state_value, ["self", "tp"]),
        (Recovery._wait, ["self", "coro", "timeout"]),
    ],
)
def test_a_private_function_takes_what_it_took(function: Callable[..., Any], expected: list[str]) -> None:
    assert parameters(function) == expected


@pytest.mark.parametrize(
    "function",
    [
        BaseConsumer.force_commit,
        BaseConsumer._commit_offsets,
        BaseConsumer.perform_seek,
        ThreadDelegateConsumer._getmany,
        driver.AIOKafkaConsumerThread.on_start,
        driver.AIOKafkaConsumerThread._fetch_records,
        driver.AIOKafkaConsumerThread.seek_to_beginning,
        Fetcher._proc_fetch_request,
        Recovery._wait,
    ],
)
def test_what_is_awaited_can_be(function: Callable[..., Any]) -> None:
    assert inspect.iscoroutinefunction(inspect.unwrap(function))


def test_the_transport_makes_the_consumer_it_is_told_to() -> None:
    assert driver.Transport.Consumer is driver.Consumer
    assert "self.Consumer(" in inspect.getsource(driver.Transport.create_consumer)


def test_the_consumer_keeps_its_offsets_where_we_change_them() -> None:
    source = inspect.getsource(BaseConsumer.__init__)
    for name in ("_read_offset", "_committed_offset", "scheduler"):
        assert f"self.{name} = " in source
    revoked = inspect.getsource(BaseConsumer.on_partitions_revoked)
    assert "self._committed_offset.pop(tp, None)" in revoked
    assert "self._read_offset.pop(tp, None)" in revoked


def test_faust_takes_a_failed_commit_for_a_commit() -> None:
    """Why LateConsumer forgets what it could not commit. Should this fail, that can go."""
    source = inspect.getsource(BaseConsumer._commit_offsets)
    assert source.index("did_commit = await self._commit(") < source.index("self._committed_offset.update(")
    assert "self._committed_offset.update(committable_offsets)\n        self.app.monitor" in source


def test_faust_drops_what_lies_before_the_offset_read() -> None:
    """Why LateConsumer._getmany forgets it when offsets go back."""
    assert "if r_offset is None or offset >= r_offset:" in inspect.getsource(BaseConsumer._drain_messages)


def test_faust_sleeps_a_second_when_every_partition_is_full() -> None:
    """Why LateConsumer takes no notice of full buffers: a full queue makes the reader wait as long as it must."""
    assert "await self.sleep(1)" in inspect.getsource(BaseConsumer._wait_next_records)
    assert "dest_chan.put(dest_event)" in inspect.getsource(ConductorCompiler.build)


def test_a_fetch_waits_as_long_as_the_consumer_says() -> None:
    assert "fetch_max_wait_ms=self._fetch_max_wait_ms" in inspect.getsource(aiokafka.AIOKafkaConsumer.start)


def test_membership_is_told_by_the_generation() -> None:
    assert "OffsetCommitRequest.DEFAULT_GENERATION_ID" in inspect.getsource(GroupCoordinator.reset_generation)
    assert "self._coordinator = GroupCoordinator(" in inspect.getsource(aiokafka.AIOKafkaConsumer.start)


def test_aiokafka_seeks_nowhere_where_nothing_is_committed() -> None:
    """Why LateConsumer.perform_seek goes to the beginning there."""
    assert "if offset and offset > 0:" in inspect.getsource(aiokafka.AIOKafkaConsumer.seek_to_committed)
    assert "perform_seek()" in inspect.getsource(Recovery._resume_streams)


async def never() -> None:
    await asyncio.Event().wait()


def test_faust_takes_a_time_out_after_a_rebalance_for_a_stop() -> None:
    """Why PatientRecovery has none: the loop that begins to read ends, for good. Should this fail, that can go."""

    async def seek_that_takes_long() -> None:
        recovery = faust.App("times-out", web_enabled=False).tables.recovery
        with pytest.raises(ServiceStopped):
            await recovery._wait(never(), timeout=0.01)

    asyncio.run(seek_that_takes_long())
    loop = inspect.getsource(Recovery._restart_recovery.fun)
    assert "except ServiceStopped as exc:" in loop
    assert "break  # service was stopped" in loop


def test_ours_waits_for_a_seek_however_long_until_the_next_rebalance() -> None:
    async def seek_that_takes_long() -> None:
        recovery = _faust_app(WorkerConfig(Cluster("127.0.0.1:1"))).tables.recovery
        waiting = asyncio.create_task(recovery._wait(never(), timeout=0.01))
        done, _ = await asyncio.wait([waiting], timeout=0.2)
        assert not done
        recovery.signal_recovery_start.set()
        with pytest.raises(RebalanceAgain):
            await waiting

    asyncio.run(seek_that_takes_long())


def test_the_table_manager_makes_its_recovery_where_ours_does() -> None:
    source = inspect.getsource(TableManager.recovery.fget)
    assert "self._recovery = Recovery(\n                self.app, self, beacon=self.beacon, loop=self.loop" in source


def test_a_fetch_tells_when_it_was_answered_and_what_the_end_was() -> None:
    source = inspect.getsource(Fetcher._proc_fetch_request)
    assert "tp_state.highwater = highwater" in source
    assert "tp_state.timestamp = now_ms" in source
    assert "request.topics" in source
    for name in ("highwater", "timestamp"):
        assert f"self.{name} = None" in inspect.getsource(TopicPartitionState.__init__)
    assert isinstance(TopicPartitionState.position, property)
    assert isinstance(TopicPartitionState.has_valid_position, property)
    assert isinstance(Assignment.active, property)
    assert isinstance(Assignment.tps, property)
    assert isinstance(SubscriptionState.subscription, property)


def test_the_consumer_has_the_parts_that_we_reach_into() -> None:
    assert "self._fetcher = Fetcher(" in inspect.getsource(aiokafka.AIOKafkaConsumer.start)
    assert "self._subscription = " in inspect.getsource(aiokafka.AIOKafkaConsumer.__init__)


def test_the_supervisor_crashes_and_does_not_start_agents_again() -> None:
    assert ".crash(" in inspect.getsource(CrashingSupervisor)


def test_fausts_topic_partition_finds_ours() -> None:
    assert {TP("t", 3): 1}[TopicPartition("t", 3)] == 1
    assert TP(*TopicPartition("t", 3)) == TopicPartition("t", 3)


def test_the_settings_we_set_exist() -> None:
    app = faust.App(
        "settings",
        web_enabled=False,
        agent_supervisor=CrashingSupervisor,
        stream_buffer_maxsize=16,
        stream_wait_empty=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        broker_max_poll_interval=1e7,
        broker_max_poll_records=10_000,
        consumer_auto_offset_reset="earliest",
    )
    assert app.conf.stream_wait_empty is False
    assert app.conf.topic_disable_leader is True
    assert app.conf.topic_allow_declare is False
    assert app.conf.table_standby_replicas > 0, "0 takes another assignor, which does not co-partition topics"
