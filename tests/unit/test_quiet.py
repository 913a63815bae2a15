"""Loggers that repeat themselves are heard seldom; others always."""

import logging
from collections.abc import Iterator

import pytest

from streams.quiet import Seldom, quieten


def record(message: str, level: int = logging.ERROR, name: str = "aiokafka.conn", *args: object) -> logging.LogRecord:
    return logging.LogRecord(name, level, "", 0, message, args, None)


def test_the_same_message_is_heard_once() -> None:
    seldom = Seldom(60)
    heard = [seldom.filter(record("cannot connect to %s", logging.ERROR, "aiokafka", number)) for number in range(100)]
    assert heard == [True] + [False] * 99
    assert seldom.filter(record("another"))


def test_what_was_held_back_is_counted() -> None:
    seldom = Seldom(0)
    assert seldom.filter(record("again"))
    seldom._last["aiokafka.conn", "again"] = (float("-inf"), 41)
    last = record("again")
    assert seldom.filter(last)
    assert last.getMessage() == "again (and 41 like it since)"


def test_critical_ones_are_always_heard() -> None:
    seldom = Seldom(60)
    assert all(seldom.filter(record("stopped", logging.CRITICAL)) for _ in range(3))


@pytest.fixture
def handler() -> Iterator[logging.Handler]:
    kept = logging.Handler()
    logging.getLogger().addHandler(kept)
    yield kept
    logging.getLogger().removeHandler(kept)


def test_only_the_named_are_quietened(handler: logging.Handler) -> None:
    quieten(("aiokafka",), 60)
    assert [bool(handler.filter(record("x"))) for _ in range(2)] == [True, False]
    assert [bool(handler.filter(record("x", name="streams.worker"))) for _ in range(2)] == [True, True]
