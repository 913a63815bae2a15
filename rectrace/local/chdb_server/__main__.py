"""`python -m rectrace.local.chdb_server`: serve one data directory until SIGTERM or SIGINT."""

import argparse
import asyncio
import errno
import os
import signal
import socket
import sys
from pathlib import Path

from aiohttp import web

from rectrace.local.chdb_server import __doc__ as about
from rectrace.local.chdb_server.engine import Engine
from rectrace.local.chdb_server.requests import Executor
from rectrace.local.chdb_server.service import Service
from rectrace.local.chdb_server.spool import Spool
from rectrace.local.errors import LocalError, PortInUse

BACKLOG = 128
MAX_URL_BYTES = 1 << 20  # a server's limit; parameters of queries travel in the URL
DRAIN_SECONDS = 1.0  # for requests that run at a signal; waited for up to three times


def main() -> int:
    """Returns the exit code: 1 with a message on stderr when it cannot serve."""
    arguments = _arguments()
    try:
        with _listen(arguments.host, arguments.port) as listener:
            engine = Engine(arguments.path, arguments.config_file)
            spool = Spool(arguments.path)
            service = Service(engine, Executor(engine, spool))
            asyncio.run(_serve(service, listener, engine.version))
    except LocalError as error:
        print(error, file=sys.stderr)
        return 1
    idle = service.idle(DRAIN_SECONDS)
    spool.close()
    if not idle:  # a query that goes on would hold the exit up; whatever was acknowledged is in the directory
        print("stopped while a query was running", file=sys.stderr, flush=True)
        os._exit(0)
    engine.close()
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m rectrace.local.chdb_server", description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--path", type=Path, required=True, help="the data directory; made when it is not there")
    parser.add_argument("--host", default="127.0.0.1", help="address to bind; there is no login, so keep loopback")
    parser.add_argument("--port", type=int, default=8123, help="port to bind; 0 takes a free one")
    parser.add_argument("--config-file", type=Path, help="ClickHouse server configuration: query_log, merge_tree, ...")
    arguments = parser.parse_args()
    if "?" in str(arguments.path):
        parser.error(f"--path {arguments.path}: a question mark cannot be part of the path")
    if arguments.config_file and not arguments.config_file.is_file():
        parser.error(f"--config-file {arguments.config_file}: no such file")
    return arguments


def _listen(host: str, port: int) -> socket.socket:
    """Bind before the engine opens: a port in use is told at once."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(f"{host}:{port}", "--port") from None
        raise LocalError(f"cannot listen on {host}:{port}: {error.strerror or error}") from None
    return listener


async def _serve(service: Service, listener: socket.socket, version: str) -> None:
    runner = web.AppRunner(
        service.application(),
        auto_decompress=False,
        access_log=None,
        shutdown_timeout=DRAIN_SECONDS,
        max_line_size=MAX_URL_BYTES,
    )
    await runner.setup()
    await web.SockSite(runner, listener).start()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    host, port = listener.getsockname()[:2]
    print(f"ClickHouse {version} (chDB) ready on http://{host}:{port}", flush=True)
    await stop.wait()
    await runner.cleanup()


if __name__ == "__main__":
    sys.exit(main())
