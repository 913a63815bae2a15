"""Runs a command that must not outlive the process that asked for it: `python leash.py PARENT_PID COMMAND...`

Linux: asks the kernel to kill it when its parent dies (PR_SET_PDEATHSIG survives exec) and becomes the command.
Elsewhere: stays as a small watcher that passes signals on and kills the command once its own parent is gone.

Run as a file by a bare interpreter, so it imports the standard library alone and starts in tens of milliseconds.
Setting the death signal here, after an exec, avoids running Python between fork and exec of a process with threads.
"""

import ctypes
import os
import signal
import sys
import time
from types import FrameType

PR_SET_PDEATHSIG = 1
POLL_SECONDS = 0.1


def become(parent: int, command: list[str]) -> None:
    """Turn into the command, on a leash held by the kernel. Linux only."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the leash was on
        sys.exit(f"{command[0]} not started: the process {parent} that asked for it is gone")
    os.execv(command[0], command)  # noqa: S606 - no shell is what we want


def watch(parent: int, command: list[str]) -> int:
    """Run the command as a child until it ends or the parent is gone; returns its exit code."""
    child = os.posix_spawn(command[0], command, os.environ)

    def pass_on(number: int, frame: FrameType | None) -> None:
        os.kill(child, number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, pass_on)
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        if os.getppid() != parent:
            os.kill(child, signal.SIGKILL)
        time.sleep(POLL_SECONDS)


def main(arguments: list[str]) -> int:
    """`[--watch] PARENT_PID COMMAND...`; --watch takes the way of the other systems on Linux too."""
    watched = arguments[0] == "--watch" or sys.platform != "linux"
    parent, *command = arguments[arguments[0] == "--watch" :]
    try:
        if not watched:
            become(int(parent), command)
        return watch(int(parent), command)
    except OSError as error:
        sys.exit(f"cannot run {command[0]}: {error.strerror}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
