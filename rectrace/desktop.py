"""Opening a page for the person in front of the screen, where there is one."""

import os
import sys
import webbrowser
from collections.abc import Mapping


def here(env: Mapping[str, str], platform: str, *, terminal: bool) -> bool:
    """Whether somebody started this at a desktop: from a terminal, on this machine, with a screen."""
    screen = platform in ("darwin", "win32") or bool(env.get("DISPLAY") or env.get("WAYLAND_DISPLAY"))
    return terminal and screen and not env.get("SSH_CONNECTION")


def show(url: str, wanted: bool | None) -> bool:
    """Open it in the browser, if that is wanted; None: at a desktop. Returns whether a browser took it."""
    if not (here(os.environ, sys.platform, terminal=sys.stdout.isatty()) if wanted is None else wanted):
        return False
    try:
        return webbrowser.open(url)
    except webbrowser.Error:
        return False
