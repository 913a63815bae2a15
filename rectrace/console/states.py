"""What a page shows while ClickHouse has not answered, and when it cannot."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final, TypeVar

from nicegui import ui

from rectrace import outages
from rectrace.console.asking import Asker
from rectrace.settings import Settings, SettingsError
from schemas.errors import Unavailable
from sinks.clickhouse.client import BadAddress
from sinks.clickhouse.reader import Reader

SLOW_S: Final = 2.0  # after so long the page says that it waits
AGAIN_S: Final = 0.7  # between two times that something is asked which has not come yet
log = logging.getLogger(__name__)

Answer = TypeVar("Answer")


class Failed(Exception):  # noqa: N818
    """There is no answer; its text says people why."""


class Pages:
    """What pages need: settings, and questions whose waiting and failing people see."""

    def __init__(self, settings: Settings, asker: Asker) -> None:
        self.settings = settings
        self._asker = asker

    async def ask(self, doing: str, question: Callable[[Reader], Answer]) -> Answer:
        """The answer, for what shows it by itself. Raises Failed."""
        try:
            return await self._asker.ask(question)
        except Exception as error:
            raise self._failed(doing, error) from error

    async def show(
        self,
        doing: str,
        question: Callable[[Reader], Answer],
        shown: Callable[[Answer], object],
        enough: Callable[[Answer], bool] = lambda _: True,
        wait: float = 0.0,
    ) -> None:
        """Ask, and show the answer here, where the page is being built. Until then the page says what it is `doing`.
        It is asked again for `wait` seconds, until an answer is `enough`; then the last one is shown.

        The page is sent before the question is asked: call this after all that needs no answer.
        """
        client = ui.context.client
        place = ui.column().classes("w-full gap-4")
        with place:
            waiting(f"{doing} …")
        try:
            await client.connected()
        except TimeoutError:  # a program, not a browser
            return
        asking = asyncio.ensure_future(self._asked(doing, place, question, enough, wait))
        done, _ = await asyncio.wait([asking], timeout=SLOW_S + wait)
        if not done and not place.is_deleted:
            place.clear()
            with place:
                waiting(f"{doing} … {self.busy}")
        try:
            answer = await asking
            if not place.is_deleted:  # the person has not gone elsewhere
                place.clear()
                with place:
                    shown(answer)
        except Exception as error:
            self._fail(place, str(self._failed(doing, error)))

    @property
    def busy(self) -> str:
        """What is said of a question that takes long."""
        return f"ClickHouse is busy; it is given {self.settings.console.max_time:g} s."

    def _failed(self, doing: str, error: Exception) -> Failed:
        if isinstance(error, Failed):
            return error
        if isinstance(error, Unavailable | BadAddress | SettingsError):
            return Failed(outages.clickhouse(str(error), self.settings))
        log.error("%s", doing, exc_info=error)
        return Failed("Something is wrong with the console itself: its log says what.")

    async def _asked(
        self,
        doing: str,
        place: ui.column,
        question: Callable[[Reader], Answer],
        enough: Callable[[Answer], bool],
        wait: float,
    ) -> Answer:
        ends = time.monotonic() + wait
        while True:
            answer = await self.ask(doing, question)
            if enough(answer) or time.monotonic() >= ends or place.is_deleted:
                return answer
            await asyncio.sleep(AGAIN_S)

    def _fail(self, place: ui.column, text: str) -> None:
        if place.is_deleted:
            return
        place.clear()
        with place:
            failure(text)


def card(colour: str) -> ui.card:
    """The answer of a page; colour: green where all is well, red where it is not, grey where nothing can be said."""
    border = {"green": "border-green-600", "red": "border-red-600", "grey": "border-gray-400"}[colour]
    return ui.card().classes(f"w-full gap-1 border-l-4 {border}").props("flat bordered")


def waiting(text: str) -> None:
    """Something is on its way."""
    with ui.row().classes("items-center gap-3 text-grey").props('role="status"'):
        ui.spinner(size="sm")
        ui.label(text)


def failure(text: str) -> None:
    """It cannot be shown, and why."""
    with card("red").props('role="alert"'):
        ui.label(text).classes("whitespace-pre-line")
        ui.button("Try again", icon="refresh", on_click=ui.navigate.reload).props("flat dense no-caps")


def nothing(text: str, hint: str = "") -> None:
    """There is an answer, and it is empty."""
    with card("grey"):
        ui.label(text).classes("font-medium")
        if hint:
            ui.label(hint).classes("text-grey")
