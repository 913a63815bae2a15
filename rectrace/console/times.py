"""The time range of a view: what it is, and other ones to choose."""

from collections.abc import Callable, Mapping
from typing import Final

from nicegui import ui

from rectrace.console.addresses import Span

CHOICES: Final = {"15 min": "now-15m", "1 h": "now-1h", "6 h": "now-6h", "1 d": "now-1d", "2 d": "now-2d"}


LONGER: Final = {"1 h": "now-1h", "1 d": "now-1d", "7 d": "now-7d", "30 d": "now-30d", "400 d": "now-400d"}


def chooser(span: Span, address: Callable[[dict[str, str]], str], choices: Mapping[str, str] = CHOICES) -> None:
    """address: of the page with another `from` and `to`."""
    with ui.row().classes("w-full items-center gap-x-3 gap-y-1 text-sm"):
        ui.label(f"{span.since:%Y-%m-%d %H:%M:%S} to {span.until:%Y-%m-%d %H:%M:%S} UTC").classes("text-grey")
        for label, since in choices.items():
            chosen = (span.given_from, span.given_to) == (since, "now")
            ui.link(label, address({"from": since})).classes("font-bold no-underline" if chosen else "")
        before = span.since - (span.until - span.since)
        ui.link("earlier", address(Span("", "", before, span.since).fixed))
        ui.link("link to this very time", address(span.fixed))
