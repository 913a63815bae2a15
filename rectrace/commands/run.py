"""`rectrace demo`, `stack` and `worker`: what keeps running."""

import importlib.util
import logging
import time
from pathlib import Path
from typing import Annotated

import typer

from rectrace.commands.common import ClickHouse, Kafka, clear_errors, fail, load

KafkaPort = Annotated[int, typer.Option("--kafka-port", min=0, max=65_535, help="0: a free one.")]
ClickHousePort = Annotated[int, typer.Option("--clickhouse-port", min=0, max=65_535, help="0: a free one.")]
Data = Annotated[Path | None, typer.Option(help="Where ClickHouse keeps its data. Default: a temporary directory.")]


def stack(kafka_port: KafkaPort = 9092, clickhouse_port: ClickHousePort = 8123, data: Data = None) -> None:
    """Run a local Kafka broker (in memory) and ClickHouse's engine until Ctrl-C."""
    _require_local("stack")
    from rectrace.local.stack import run_stack

    raise typer.Exit(run_stack(kafka_port, clickhouse_port, data))


def worker(
    kafka: Kafka = None,
    clickhouse: ClickHouse = None,
    metrics_port: Annotated[int | None, typer.Option(min=0, max=65_535, help="Default: 9464. 0: a free one.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")] = False,
) -> None:
    """Run one worker: joins events into traces, lands and seals them. Run as many as there are partitions."""
    settings = load(kafka=kafka, clickhouse=clickhouse, **_metrics(metrics_port))
    from rectrace import worker as process

    _log_to_stderr(logging.DEBUG if verbose else logging.INFO)
    with clear_errors(settings):
        raise typer.Exit(process.run(settings))


def demo(
    seconds: Annotated[float, typer.Option(min=0, help="Stop after so many. 0: Ctrl-C stops it.")] = 0,
    rate: Annotated[float, typer.Option(min=0.1, max=2_000, help="Requests a second.")] = 50,
    fault: Annotated[
        list[str] | None, typer.Option(metavar="NAME[@START[-END]]", help="Inject it, in seconds. Repeatable.")
    ] = None,
    list_faults: Annotated[bool, typer.Option("--list-faults", help="What can go wrong, and stop.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of everything that is made up.")] = 7,
    kafka_port: KafkaPort = 9092,
    clickhouse_port: ClickHousePort = 8123,
    metrics_port: Annotated[int, typer.Option(min=0, max=65_535, help="Of the worker. 0: a free one.")] = 9464,
    data: Data = None,
    alertmanager: Annotated[
        str | None, typer.Option(metavar="URL", help="Told of alerts. Default: RECTRACE_ALERTS__ALERTMANAGER.")
    ] = None,
    console: Annotated[bool, typer.Option("--console/--no-console", help="The web console, too.")] = True,
    console_port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Default: 8080, or a free one. 0: a free one.")
    ] = None,
    open_console: Annotated[
        bool | None,
        typer.Option(
            "--open/--no-open", help="Open the console in the browser. Default: at a desktop.", show_default=False
        ),
    ] = None,
) -> None:
    """Everything at once on this machine: broker, ClickHouse, worker, and a demo recommender with real garments."""
    _require_local("demo")
    from rectrace import demonstration
    from rectrace.demo import faults

    if list_faults:
        demonstration.print_faults()
        return
    try:
        injected = [faults.parse(each) for each in fault or []]
    except faults.FaultError as error:
        raise typer.BadParameter(str(error), param_hint="--fault") from None
    if alertmanager:
        load(alerts={"alertmanager": [alertmanager]})  # a wrong one is refused before anything starts
    if console and importlib.util.find_spec("nicegui") is None:
        typer.echo("without the console: pip install 'rectrace[console]' brings it", err=True)
        console = False
    pages = demonstration.console_port(console_port) if console else None
    options = demonstration.Options(
        seconds,
        rate,
        injected,
        fault or [],
        seed,
        kafka_port,
        clickhouse_port,
        metrics_port,
        data,
        alertmanager,
        pages,
        open_console,
    )
    raise typer.Exit(demonstration.run(options))


def _log_to_stderr(level: int) -> None:
    """Times in UTC, as everywhere."""
    formatter = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    formatter.converter = time.gmtime
    formatter.default_msec_format = "%s.%03dZ"
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(level=level, handlers=[handler])


def _metrics(port: int | None) -> dict[str, object]:
    return {} if port is None else {"metrics": {"port": port}}


def _require_local(command: str) -> None:
    if importlib.util.find_spec("chdb") is None:
        fail(f"`rectrace {command}` needs the local stack: pip install 'rectrace[local]'", code=2)
