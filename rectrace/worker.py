"""One worker process, from settings."""

import errno
import logging
import socket
import time
from typing import Final

from clickhouse_connect.driver.client import Client
from prometheus_client import CollectorRegistry, ProcessCollector

from rectrace import alerting, judging, outages, wiring
from rectrace.kafka_cluster import cluster
from rectrace.settings import Settings, SettingsError
from rectrace.wiring import ms
from schemas.errors import Unavailable
from sinks.clickhouse.migrate import check
from sinks.clickhouse.seal import Seal
from sinks.clickhouse.writer import ClickHouseSink
from streams import app
from streams.alerts.beside import WithAlerts
from streams.join import JoinPolicy
from streams.limit import DeadLetterPolicy, TooManyDeadLetters
from streams.metrics import Metrics
from streams.outbox import FlushPolicy
from streams.pipeline import PipelinePolicy
from streams.sealer import Sealer
from streams.windows import Windows

# Chatty at INFO about every connection; the last logs what it raises, too.
QUIET: Final = {"kafka": logging.WARNING, "aiokafka": logging.WARNING, "urllib3": logging.ERROR} | {
    "clickhouse_connect": logging.CRITICAL
}

log = logging.getLogger(__name__)

RETRY: Final = 1.0  # seconds
REMIND: Final = 15.0


class MeantToStop(logging.Filter):
    """The engine tells of every stop as of a crash, with a traceback: of one that is meant the last line says all."""

    def filter(self, record: logging.LogRecord) -> bool:
        """False for what is not to be shown."""
        error = record.exc_info[1] if record.exc_info else None
        said = str(record.msg)
        left_over = "Error while stopping child" in said and isinstance(error, RuntimeError)  # its loop is closed
        return not (isinstance(error, TooManyDeadLetters) or "We experienced a crash" in said or left_over)


def run(settings: Settings) -> int:
    """Run until a signal or a failure; returns the exit code.

    Raises SettingsError, MigrationError or BadAddress at start.
    """
    check_metrics_address(settings.metrics.host, settings.metrics.port)
    alerting.thresholds(settings)  # what is wrong with the file is said before anything is waited for
    for name, level in QUIET.items():
        logging.getLogger(name).setLevel(level)
    for handler in logging.getLogger().handlers:
        handler.addFilter(MeantToStop())
    client = wait_for_clickhouse(settings)
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    metrics = Metrics(registry)
    sealer = Sealer(
        store=Seal(client, settings.database, wiring.journey(settings), judging.rule_seal(settings, client, metrics)),
        policy=Windows(patience=settings.seal.patience, horizon=settings.join.late_horizon),
        partitions=wiring.Partitions(cluster(settings), (*settings.topics.stages, settings.topics.rules)),
        metrics=metrics,
    )
    watched = WithAlerts(sealer, alerting.engine(settings, client, metrics), metrics)
    return app.run(config(settings), ClickHouseSink(client, settings.database), watched, metrics)


def check_metrics_address(host: str, port: int) -> None:
    """Refuse an address that is not this machine's; one that is in use is refused when it is taken."""
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise SettingsError(f"cannot serve metrics on {host}:{port} (metrics.host): {error.strerror}") from None


def config(settings: Settings) -> app.WorkerConfig:
    """The part of the settings that the streams need, in their units."""
    join, flush, dead = settings.join, settings.flush, settings.dead_letters
    policy = PipelinePolicy(
        stages=settings.topics.stages,
        interactions=settings.topics.interactions,
        catalog=settings.topics.catalog,
        rules=settings.topics.rules,
        late_horizon_ms=ms(join.late_horizon),
        memory_bytes=join.memory,
        join=JoinPolicy(
            settle_ms=ms(join.settle),
            grace_ms=ms(join.grace),
            max_wait_ms=ms(join.max_wait),
            max_open=join.max_open,
            expected=settings.pipeline.expected,
        ),
        flush=FlushPolicy(flush.max_bytes, flush.max_rows, ms(flush.interval)),
        limit=DeadLetterPolicy(dead.max_share, dead.max_count, ms(dead.window)),
    )
    return app.WorkerConfig(
        kafka=cluster(settings),
        group=settings.group,
        policy=policy,
        metrics_host=settings.metrics.host,
        metrics_port=settings.metrics.port,
        session_timeout=settings.session_timeout,
        seal_interval=settings.seal.interval,
    )


def wait_for_clickhouse(settings: Settings) -> Client:
    """A client of a server that answers and is migrated, however long that takes to come up."""
    reminded = float("-inf")
    while True:
        try:
            client = wiring.clickhouse(settings)
            check(client, wiring.layout(settings))
        except Unavailable as error:
            if time.monotonic() - reminded >= REMIND:
                reminded = time.monotonic()
                log.warning("%s Trying again.", outages.clickhouse(str(error), settings))
            time.sleep(RETRY)
            continue
        return client
