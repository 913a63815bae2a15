"""Whether the machine has a browser. Light: every test run asks."""

import shutil
from typing import Final

PROGRAMS: Final = ("chromium", "chromium-browser", "google-chrome")


def program() -> str | None:
    """The path of the first that is there."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


def missing() -> str | None:
    """Why there is none here, and how to get one."""
    if program():
        return None
    return "needs Chromium: apt-get install --no-install-recommends chromium, or put one of that name on the PATH"
