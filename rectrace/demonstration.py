"""`rectrace demo`: local stack, worker and demo recommender as child processes, and a screen to watch them."""

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.request import urlopen

import msgspec
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from rectrace import desktop, live_numbers, settings, show, wiring
from rectrace.commands.administer import create_topics
from rectrace.demo import carousels, first_rules
from rectrace.demo.faults import Fault, library
from rectrace.demo.publisher import PublishError, Status
from rectrace.demo.world import EXPERIMENTS
from rectrace.live_numbers import Numbers, Scrape
from rectrace.local.errors import LocalError, PortInUse
from rectrace.local.ports import LOOPBACK, claim, free_port
from rectrace.local.probes import http_answers
from rectrace.local.processes import Child, start
from rectrace.local.stack import LocalStack, stop_signals
from rectrace.terminal import share
from sinks.clickhouse.migrate import migrate

SPAN: Final = 5.0  # seconds that a rate is taken over
SAME_COMMANDS: Final = 30.0  # seconds
READY_WITHIN: Final = 60.0
PARTITIONS: Final = 2


@dataclass(frozen=True)
class Options:
    """Of the command line."""

    seconds: float
    rate: float
    faults: list[Fault]
    fault_texts: list[str]
    seed: int
    kafka_port: int
    clickhouse_port: int
    metrics_port: int
    data: Path | None
    alertmanager: str | None = None  # URL
    console_port: int | None = None  # None: no console; 0: a free one
    open_console: bool | None = None  # in the browser; None: at a desktop


def run(options: Options) -> int:
    """Run until Ctrl-C, SIGTERM or the seconds are over. Returns the exit code; no process is left."""
    with stop_signals() as stop:
        try:
            with _running(options) as parts:
                _watch(options, parts, stop)
        except LocalError as error:
            print(f"rectrace demo: {error}", file=sys.stderr)
            return 1
    return 0


def console_port(wanted: int | None) -> int:
    """The port that was asked for, else the usual one, or 0, a free one, where somebody else has that."""
    if wanted is not None:
        return wanted
    usual = int(settings.Console.model_fields["port"].default)
    try:
        return claim(usual)
    except PortInUse:
        return 0


def print_faults() -> None:
    """The fault library, for people."""
    made = show.table("fault", "what", "stage", "component", "only for", "pages")
    for truth in library():
        only = ", ".join(f"{name}={value}" for name, value in truth.segment.items())
        made.add_row(truth.name, truth.what, truth.stage, truth.component, only, "yes" if truth.pages else "no")
    show.console().print(made)


@dataclass(frozen=True)
class _Parts:
    stack: LocalStack
    worker: Child
    publisher: Child
    metrics: str  # URL
    status: Path
    console: Child | None
    console_url: str  # empty without one


@contextmanager
def _running(options: Options) -> Iterator[_Parts]:
    started = time.monotonic()

    def say(what: str) -> None:
        print(f"{time.monotonic() - started:5.1f} s  {what}", flush=True)

    say("starting a Kafka broker and ClickHouse's engine")
    with LocalStack(options.kafka_port, options.clickhouse_port, options.data) as stack:
        env = {
            **os.environ,
            **{f"RECTRACE_KAFKA_SECURITY__{name.upper()}": value for name, value in settings.UNSECURED.items()},
            "RECTRACE_KAFKA": stack.kafka,
            "RECTRACE_CLICKHOUSE": stack.clickhouse,
            "RECTRACE_SESSION_TIMEOUT": "4",
            "RECTRACE_EXPERIMENTS": json.dumps({name: dict.fromkeys(arms, 1) for name, arms in EXPERIMENTS.items()}),
            **({"RECTRACE_ALERTS__ALERTMANAGER": options.alertmanager} if options.alertmanager else {}),
        }
        recommender = f"{LOOPBACK}:{free_port()}"
        env |= _playground(stack, f"http://{recommender}")
        say(f"Kafka on {stack.kafka}, ClickHouse on {stack.clickhouse}; logs in {stack.log_dir}")
        port = claim(options.metrics_port, "--metrics-port")
        pages = None if options.console_port is None else claim(options.console_port, "--console-port")
        console_url = f"http://{LOOPBACK}:{pages}" if pages else ""
        if console_url:
            env.setdefault("RECTRACE_ALERTS__CONSOLE", console_url)
        prepared = settings.load(kafka=stack.kafka, kafka_security=settings.UNSECURED, clickhouse=stack.clickhouse)
        migrate(wiring.clickhouse(prepared), wiring.layout(prepared))
        create_topics(prepared, PARTITIONS)
        count = _publish_rules(prepared)
        say(f"tables and topics made, {count} rules published; starting a worker")
        status = stack.log_dir / "traffic.jsonl"
        status.unlink(missing_ok=True)
        command = [sys.executable, "-m", "rectrace", "worker", "--metrics-port", str(port)]
        worker = start("the worker", command, stack.log_dir / "worker.log", env)
        metrics = f"http://127.0.0.1:{port}"
        console = _console(pages, stack, env)
        try:
            worker.wait_ready(lambda: http_answers(f"{metrics}/ready"), READY_WITHIN)
            say(f"worker ready, metrics on {metrics}/metrics; starting the recommender")
            command = [*_publish(options, stack, status), "--serve", recommender]
            publisher = start("the demo recommender", command, stack.log_dir / "demo.log", env)
            try:
                if console:
                    console.wait_ready(lambda: http_answers(f"{console_url}/ready"), READY_WITHIN)
                    say(f"console on {console_url}")
                    desktop.show(console_url, options.open_console)
                yield _Parts(stack, worker, publisher, f"{metrics}/metrics", status, console, console_url)
            finally:
                publisher.stop()
        finally:
            if console:
                console.stop()
            worker.stop(20)


def _console(port: int | None, stack: LocalStack, env: dict[str, str]) -> Child | None:
    """For this machine alone, whatever the settings say of another."""
    if port is None:
        return None
    command = [sys.executable, "-m", "rectrace", "console", "--host", LOOPBACK, "--port", str(port)]
    return start("the console", command, stack.log_dir / "console.log", env)


def _playground(stack: LocalStack, base: str) -> dict[str, str]:
    """Settings of a console that may ask the demo's recommender, and nothing else."""
    file = stack.log_dir.parent / carousels.REGISTRY
    file.write_text(carousels.registry_text(base), "utf-8")
    return {"RECTRACE_PLAYGROUND__REGISTRY": str(file), "RECTRACE_PLAYGROUND__ALLOWED": base}


def _publish_rules(prepared: settings.Settings) -> int:
    try:
        return first_rules.put_in_force(prepared.kafka, prepared.topics.rules)
    except PublishError as error:
        raise LocalError(str(error)) from None


def _publish(options: Options, stack: LocalStack, status: Path) -> list[str]:
    command = [sys.executable, "-m", "rectrace.demo", "--kafka", stack.kafka, "--status", str(status)]
    command += ["--rate", str(options.rate), "--seed", str(options.seed)]
    if options.seconds:
        command += ["--seconds", str(options.seconds)]
    return [*command, *(word for text in options.fault_texts for word in ("--fault", text))]


def _watch(options: Options, parts: _Parts, stop: threading.Event) -> None:
    console = show.console()
    ends = time.monotonic() + options.seconds if options.seconds else float("inf")
    scrapes: list[Scrape] = []
    statuses: list[Status] = []
    shown: Status | None = None  # the request of the commands: one that stays long enough to be copied
    with Live(console=console, auto_refresh=False, transient=False) as live:
        while not stop.wait(1.0) and time.monotonic() < ends:
            _check(parts, options)
            scrape, status = _scrape(parts.metrics), _status(parts.status)
            if scrape is None or status is None:
                continue
            scrapes = [*(each for each in scrapes if scrape.at - each.at <= SPAN), scrape]
            statuses = [*(each for each in statuses if status.elapsed - each.elapsed <= SPAN), status]
            if status.item and (shown is None or status.elapsed - shown.elapsed >= SAME_COMMANDS):
                shown = status
            numbers = live_numbers.between(scrapes[0], scrape)
            live.update(Group(_numbers(numbers, statuses), "", _try(shown, parts)))
            if console.is_terminal:
                live.refresh()
    if console.is_terminal:
        console.print("stopping")


def _check(parts: _Parts, options: Options) -> None:
    if failure := parts.stack.failure():
        raise LocalError(failure)
    for child in (parts.worker, parts.publisher, parts.console):
        code = child.exit_code if child else None
        if child and code is not None and not (child is parts.publisher and code == 0 and options.seconds):
            raise LocalError(f"{child.name} ended with exit code {code}{child.tail()}")


def _numbers(numbers: Numbers, statuses: list[Status]) -> RenderableType:
    first, last = statuses[0], statuses[-1]
    asked = (last.requests - first.requests) / max(last.elapsed - first.elapsed, 1.0)
    columns = ("requests/s", "traces/s", "events/s", "empty", "fallback", "open", "lag", "dead letters", "late")
    top = show.table(*(f">{column}" for column in columns))
    top.add_row(
        f"{asked:.1f}", f"{numbers.requests:.1f}", f"{numbers.events:,.0f}",
        share(numbers.empty_rate), share(numbers.fallback_rate), f"{numbers.open_requests:.0f}",
        f"{numbers.lag:.0f}", f"{numbers.dead_letters:.0f}", f"{numbers.late:.0f}",
    )  # fmt: skip
    stages = Text("p95 in ms  ", "bold").append(
        "  ".join(f"{stage} {seconds * 1000:.0f}" for stage, seconds in numbers.p95.items()), "not bold"
    )
    sealed = time.strftime("%H:%M:%SZ", time.gmtime(numbers.sealed_until)) if numbers.sealed_until else "not yet"
    faults = f"faults now: {', '.join(last.faults)}" if last.faults else "no fault injected"
    line = Text(f"{last.requests:,} requests so far; sealed until {sealed}; {faults}", "dim")
    return Group(top, "", stages, "", line)


def _try(status: Status | None, parts: _Parts) -> Text:
    """Commands with a real request and a real item."""
    if status is None:
        return Text("waiting for the first requests", "dim")
    prefix = "uv run rectrace" if "UV" in os.environ else "rectrace"
    default = str(settings.Settings.model_fields["clickhouse"].default)
    where = "" if parts.stack.clickhouse == default else f" --clickhouse {parts.stack.clickhouse}"
    commands = [
        f"{prefix} why {status.request_id}{where}",
        f"{prefix} why {status.request_id} --item {status.item}{where}",
        f"{prefix} requests --since 10m --user {status.user_id}{where}",
        f"{prefix} item {status.item} --since 5m{where}",
        f"{prefix} rules pressure --since 5m{where}",
    ]
    pages = Text(f"open {parts.console_url}/requests/{status.request_id}\n\n" if parts.console_url else "", "bold")
    return pages + Text("try, in another terminal:\n", "bold") + Text("\n".join(f"  {each}" for each in commands))


def _status(file: Path) -> Status | None:
    try:
        lines = file.read_bytes().splitlines()
        return msgspec.json.decode(lines[-1], type=Status) if lines else None
    except (OSError, msgspec.DecodeError):
        return None  # not there yet, or half a line: the next second has one


def _scrape(url: str) -> Scrape | None:
    try:
        with urlopen(url, timeout=2) as answer:  # noqa: S310 - our own loopback address
            return live_numbers.read(answer.read().decode(), time.monotonic())
    except OSError:
        return None
