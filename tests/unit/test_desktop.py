"""The demo opens its page for somebody who sits in front of a screen, and for nobody else."""

import stat
import webbrowser
from pathlib import Path

import pytest

from rectrace import desktop


@pytest.mark.parametrize(
    ("env", "platform", "terminal", "opens"),
    [
        ({"DISPLAY": ":0"}, "linux", True, True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True, True),
        ({}, "darwin", True, True),
        ({}, "linux", True, False),
        ({"DISPLAY": ":0"}, "linux", False, False),
        ({"DISPLAY": "localhost:10", "SSH_CONNECTION": "10.0.0.1 5 10.0.0.2 22"}, "linux", True, False),
    ],
)
def test_only_at_a_desktop(env: dict[str, str], platform: str, terminal: bool, opens: bool) -> None:
    assert desktop.here(env, platform, terminal=terminal) is opens


def test_the_browser_of_the_user_gets_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    browser, seen = tmp_path / "browser", tmp_path / "seen"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {seen}\n')
    browser.chmod(browser.stat().st_mode | stat.S_IXUSR)
    for registry, empty in (("_browsers", {}), ("_tryorder", [])):  # nobody else's test gets it
        monkeypatch.setattr(webbrowser, registry, empty)
    webbrowser.register("ours", None, webbrowser.GenericBrowser(str(browser)), preferred=True)
    assert not desktop.show("http://127.0.0.1:1/", wanted=False)
    assert not desktop.show("http://127.0.0.1:1/", wanted=None), "a test is no desktop"
    assert not seen.exists()
    assert desktop.show("http://127.0.0.1:1/", wanted=True)
    assert seen.read_text() == "http://127.0.0.1:1/"
