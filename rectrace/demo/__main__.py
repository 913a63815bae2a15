"""`python -m rectrace.demo`: the recommender and its traffic, published until SIGTERM or Ctrl-C.

Its business logic follows the rules that act of `rectrace.rules`; `rectrace demo` publishes some, and so does --rules.
"""

import argparse
import asyncio
import logging
import math
import signal
import sys
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TextIO

import msgspec

from rectrace.client.rule_follower import RuleFollower
from rectrace.demo import endpoint, first_rules, world
from rectrace.demo.faults import Fault, FaultError, parse
from rectrace.demo.publisher import Publisher, PublishError, Status, producer
from rectrace.demo.traffic import RULES, Traffic

RULES_WITHIN = 15.0  # seconds


def main() -> int:
    """Exit code: 0 stopped as asked, 1 no broker or topics, 2 wrong usage."""
    given = options().parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # 70 lines a second while the broker is away
    try:
        if given.status == "-":
            asyncio.run(_publish(given, sys.stdout))
        else:
            with Path(given.status).open("a") as file:
                asyncio.run(_publish(given, file))
    except (PublishError, OSError) as error:
        print(f"rectrace demo: {error}", file=sys.stderr)
        return 1
    return 0


async def _publish(given: argparse.Namespace, status: TextIO) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    built = world.build(given.seed, today=time.time())

    def report(line: Status) -> None:
        status.write(msgspec.json.encode(line).decode() + "\n")
        status.flush()

    async with producer(given.kafka) as producing:
        if given.rules:
            await asyncio.to_thread(first_rules.put_in_force, given.kafka, RULES)
        with RuleFollower(given.kafka, RULES) as rules:
            if not await asyncio.to_thread(rules.wait, RULES_WITHIN):
                raise PublishError(f"the topic {RULES} of the broker at {given.kafka} cannot be read")
            start = time.time()
            traffic = Traffic(
                built,
                given.rate,
                start,
                faults=given.fault,
                stopwatch=time.perf_counter,
                rules=lambda: rules.book,
            )
            publisher = Publisher(traffic, producing, report)
            with _serving(given.serve, publisher):
                await publisher.run(stop, until=start + given.seconds)


def _serving(address: tuple[str, int] | None, publisher: Publisher) -> AbstractContextManager[object]:
    return endpoint.serving(*address, publisher.recommend) if address else nullcontext()


def options() -> argparse.ArgumentParser:
    """What the command line may say."""
    parser = argparse.ArgumentParser("python -m rectrace.demo", description=__doc__)
    parser.add_argument("--kafka", required=True, metavar="HOST:PORT")
    parser.add_argument("--rate", type=_positive, default=20.0, help="requests a second (default: 20)")
    parser.add_argument("--seed", type=_seed, default=7, help="of everything that is made up (default: 7)")
    parser.add_argument("--fault", type=_fault, action="append", default=[], metavar="NAME[@START[-END]]")
    parser.add_argument("--seconds", type=_positive, default=math.inf, help="stop after that time")
    parser.add_argument("--rules", action="store_true", help="publish the starter pack and the demo's own rules first")
    parser.add_argument("--serve", type=_address, metavar="HOST:PORT", help="answer requests by HTTP there, too")
    parser.add_argument("--status", default="-", metavar="FILE", help="one JSON line a second (default: -, stdout)")
    return parser


def _positive(text: str) -> float:
    number = _number(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not above 0 or not finite")
    return number


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 on")
    return int(text)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not (host and port.isdecimal() and int(port) < 65_536):
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host, int(port)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None


def _fault(text: str) -> Fault:
    try:
        return parse(text)
    except FaultError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


if __name__ == "__main__":
    sys.exit(main())
