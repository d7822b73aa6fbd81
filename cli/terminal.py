"""A program that draws on the whole terminal, kept in a child, so that the terminal is restored however it dies."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import termios
import traceback
from collections.abc import Callable

PR_SET_PDEATHSIG = 1
Attributes = list[int | list[bytes | int]]
RESTORED = (
    "\x1b[?1049l"  # the screen of before
    "\x1b[?25h"  # the cursor
    "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1016l"  # the mouse
    "\x1b[?2004l\x1b[?1004l\x1b[?2048l"  # pasting, focus, told sizes
    "\x1b[<u"  # keys as they were
    "\x1b[?7h\x1b[0m"
)
"""Undoes what a full-screen program asks of a terminal (xterm's control sequences)."""


def guarded(run: Callable[[], int]) -> int:
    """Return the exit code of `run`, which has the terminal; one that is killed leaves it as it was before.

    Without a terminal it is simply run here. When this process dies, the child is told to end.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return run()
    saved = termios.tcgetattr(sys.stdin.fileno())
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        _as_child(run, parent)
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _frame: os.kill(child, received))
    return _wait(child, saved)


def _as_child(run: Callable[[], int], parent: int) -> None:
    code = 1
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        code = run() if os.getppid() == parent else 1
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 1
    except BaseException:  # noqa: BLE001  it must not go on as the parent
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _wait(child: int, saved: Attributes) -> int:
    """Wait for the child; stop and go on with it, as a shell's job control asks."""
    while True:
        _, status = os.waitpid(child, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            restore(saved)
            os.kill(os.getpid(), signal.SIGSTOP)
            os.kill(child, signal.SIGCONT)
        elif os.WIFSIGNALED(status):
            restore(saved)
            number = os.WTERMSIG(status)
            sys.stderr.write(f"the screen was ended by {signal.Signals(number).name}; the terminal is restored\n")
            return 128 + number
        else:
            return os.waitstatus_to_exitcode(status)


def restore(saved: Attributes) -> None:
    """Give the terminal back as it was saved."""
    with contextlib.suppress(OSError, termios.error):
        os.write(sys.stdout.fileno(), RESTORED.encode())
        termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, saved)
