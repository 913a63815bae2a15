"""What every page has: header, navigation, search, dark or light. Pages fill it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from nicegui import ui
from starlette.requests import Request

from rectrace.console import addresses, states
from rectrace.console.addresses import BadAddress

NAVIGATION: Final = {
    "Live": "/", "Requests": "/requests", "Items": "/items", "Segments": "/segments", "Experiments": "/experiments",
    "Rules": "/rules", "Alerts": "/alerts", "Playground": "/playground",
}  # fmt: skip
DARK_COOKIE: Final = "rectrace_dark"
_HEAD: Final = """
<script>
addEventListener("keydown", event => {
  const field = document.querySelector("[aria-label='Search']");
  if (event.key === "/" && field && !event.ctrlKey && !event.metaKey && !event.altKey
      && !event.target.closest("input, textarea, select, [contenteditable]")) {
    event.preventDefault();
    field.focus();
  }
});
</script>
<style>
body { font-variant-numeric: tabular-nums; }
.q-table td, .q-table th { padding: 4px 10px; }
a.id { text-decoration: underline; text-underline-offset: 2px; color: inherit; }
</style>
"""


@contextmanager
def page(request: Request, title: str, at: str = "") -> Iterator[None]:
    """A page with this title; at: its entry of the navigation. What is wrong with its address is said in its place."""
    ui.page_title(f"{title} · rectrace")
    ui.add_head_html(_HEAD)
    ui.colors(primary="#2f6f8f")
    chosen = request.cookies.get(DARK_COOKIE)
    dark = ui.dark_mode({"1": True, "0": False}.get(chosen or ""))
    with ui.header().classes("items-center gap-x-4 gap-y-1 px-4 py-2 flex-wrap"):
        ui.link("rectrace", "/").classes("text-white text-lg font-bold no-underline")
        for name, address in NAVIGATION.items():
            ui.link(name, address).classes(f"text-white no-underline {'font-bold' if name == at else 'opacity-80'}")
        ui.space()
        field = ui.input(placeholder="request, user or item  ( / )").classes("w-64 max-w-full")
        field.props('dense dark standout aria-label="Search"').mark("search")
        field.on("keydown.enter", lambda: _search(field.value or ""))
        ui.button(icon="contrast", on_click=lambda: _toggle(dark)).props(
            'flat round dense color=white aria-label="Dark or light"'
        )
    with ui.column().classes("w-full max-w-screen-xl mx-auto p-2 sm:p-4 gap-4"):
        ui.label(title).classes("text-xl font-bold break-all").props('role="heading" aria-level="1"')
        try:
            yield
        except BadAddress as error:
            states.nothing(str(error))


def section(title: str) -> None:
    """A heading within a page."""
    ui.label(title).classes("text-base font-bold mt-2").props('role="heading" aria-level="2"')


def _search(text: str) -> None:
    if text.strip():
        ui.navigate.to(addresses.to("/search", q=text.strip()))


def _toggle(dark: ui.dark_mode) -> None:
    """The browser's own wish, until somebody says otherwise; then a cookie keeps it."""
    now_dark = dark.value is not True
    dark.set_value(now_dark)
    ui.run_javascript(f"document.cookie = '{DARK_COOKIE}={int(now_dark)}; path=/; max-age=31536000; samesite=lax'")
