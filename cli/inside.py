"""A controller as a child of a command: here, or inside the namespaces of a lab; its standard input is its lifeline."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence

END_WAIT_S = 45.0


def controller_argv(arguments: Sequence[str]) -> list[str]:
    """Return the command of a controller."""
    return [sys.executable, "-m", "cli.controller", *arguments]


def controlled(argv: Sequence[str]) -> int:
    """Run a controller and return its exit code; an interrupt is passed on, once and in order."""
    child = subprocess.Popen(argv, stdin=subprocess.PIPE, start_new_session=True)
    assert child.stdin is not None

    def pass_on(_signal: int, _frame: object) -> None:
        # Closing the lifeline is the one order that reaches the controller through every namespace.
        assert child.stdin is not None
        child.stdin.close()

    previous = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        return child.wait()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        if not child.stdin.closed:
            child.stdin.close()
        try:
            child.wait(END_WAIT_S)
        except subprocess.TimeoutExpired:
            child.kill()
