"""A real browser: the machine's own Chromium, without a screen. What it loads from elsewhere, and what goes wrong in a
page, is kept."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from playwright.sync_api import Page, sync_playwright

from tests.support.chromium import program

PATIENCE_MS: Final = 90_000.0
OWN: Final = ("data:", "blob:", "about:")


@dataclass
class Seen:
    """What a page did beside what it shows."""

    outside: list[str] = field(default_factory=list)  # addresses of other hosts that it asked
    wrong: list[str] = field(default_factory=list)  # errors of its scripts


@contextmanager
def browser(base: str, width: int) -> Iterator[tuple[Page, Seen]]:
    """A page so many pixels wide; relative addresses are below `base`."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program(), args=["--no-sandbox"])
        page = running.new_context(base_url=base, viewport={"width": width, "height": 844}).new_page()
        page.set_default_timeout(PATIENCE_MS)
        seen = Seen()
        own = (base, base.replace("http", "ws", 1), *OWN)
        page.on("request", lambda asked: None if asked.url.startswith(own) else seen.outside.append(asked.url))
        page.on("pageerror", lambda error: seen.wrong.append(str(error)))
        page.on("console", lambda said: seen.wrong.append(said.text) if said.type == "error" else None)
        yield page, seen
        running.close()
