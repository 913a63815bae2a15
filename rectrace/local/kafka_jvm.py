"""Apache Kafka itself: one node in KRaft mode, on loopback, that can be killed and started again on its data.

For tests. Needs Java 17 and, the first time, Maven: see `missing`.
"""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from rectrace.local.errors import LocalError
from rectrace.local.kafka_jars import fetch, missing
from rectrace.local.ports import LOOPBACK, claim, free_port
from rectrace.local.probes import kafka_answers
from rectrace.local.processes import Child, start

__all__ = ["ApacheKafka", "missing"]

READY_SECONDS = 60  # 3-4 s at first, 13 s after a kill -9, on two cores that are not busy
STOP_SECONDS = 20
CLUSTER_ID = "AAAAAAAAAAAAAAAAAAAAAA"

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
log.dirs={logs}
num.partitions={partitions}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.cleaner.dedupe.buffer.size=4194304
"""
_LOGGING = """\
status=ERROR
appender.console.type=Console
appender.console.name=STDOUT
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=[%d] %p %m (%c)%n
rootLogger.level=WARN
rootLogger.appenderRefs=stdout
rootLogger.appenderRef.stdout.ref=STDOUT
"""


class ApacheKafka:
    """`with ApacheKafka(data) as kafka:` formats `data`, starts the broker, and stops it at the end.

    The address stays the same over kill() or terminate() and start(). Topics are not created by themselves; one
    created without a number has `partitions`. Output goes to data/kafka.log. properties: lines of the broker's own, the
    last of a name counts; {host}, {port} and {controller} stand for themselves. formatting: more options of its storage
    tool. Raises LocalError.
    """

    def __init__(self, data: Path, partitions: int = 4, properties: str = "", formatting: Sequence[str] = ()) -> None:
        self._data = data.absolute()
        self._partitions = partitions
        self._more = properties
        self._formatting = formatting
        self._port = free_port()
        self._child: Child | None = None

    @property
    def address(self) -> str:
        """host:port, as clients take it."""
        return f"{LOOPBACK}:{self._port}"

    @property
    def pid(self) -> int:
        """Of the broker's process. Raises LocalError when it was not started."""
        if self._child is None:
            raise LocalError("Apache Kafka was not started")
        return self._child.pid

    def start(self) -> None:
        """Start, also again on the same data, and wait until it answers."""
        if self._child and self._child.exit_code is None:
            return
        claim(self._port)
        self._child = start("Apache Kafka", self._java("kafka.Kafka", str(self._properties)), self._data / "kafka.log")
        try:
            self._child.wait_ready(lambda: kafka_answers(self._port), READY_SECONDS)
        except BaseException:
            self.kill()
            raise

    def terminate(self) -> None:
        """SIGTERM and wait: a clean end."""
        if self._child:
            self._child.stop(STOP_SECONDS)

    def kill(self) -> None:
        """SIGKILL and wait: what was not written yet is lost."""
        if self._child:
            self._child.kill()

    def __enter__(self) -> "ApacheKafka":
        if reason := missing():
            raise LocalError(reason)
        self._format()
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.terminate()

    @property
    def _properties(self) -> Path:
        return self._data / "server.properties"

    def _format(self) -> None:
        self._data.mkdir(parents=True, exist_ok=True)
        (self._data / "log4j2.properties").write_text(_LOGGING)
        self._properties.write_text(
            (_PROPERTIES + self._more).format(
                host=LOOPBACK,
                port=self._port,
                controller=free_port(),
                logs=self._data / "logs",
                partitions=self._partitions,
            )
        )
        options = ["format", "--ignore-formatted", "-t", CLUSTER_ID, "-c", str(self._properties), *self._formatting]
        done = subprocess.run(
            self._java("kafka.tools.StorageTool", *options),
            capture_output=True,
            text=True,
            check=False,
            timeout=READY_SECONDS,
        )
        if done.returncode:
            raise LocalError(f"Apache Kafka could not format {self._data}:\n{done.stdout}{done.stderr}")

    def _java(self, main: str, *arguments: str) -> list[str]:
        logging = f"-Dlog4j2.configurationFile={self._data / 'log4j2.properties'}"
        memory = ["-Xms128m", "-Xmx256m"]
        return [shutil.which("java") or "java", *memory, logging, "-cp", f"{fetch()}/*", main, *arguments]
