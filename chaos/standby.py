"""Runs the command of an injection at its instant to the millisecond: what can be started ahead is, and told then.

A program that is only started at the instant needs some 10 ms until it acts (measured: `make faults`), which vary with
the machine's load. nft(8) and ip(8) take their orders on standard input as well.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Sequence

from chaos.reply import COMMAND_TIMEOUT_S, Reply
from chaos.transport import Target, prefix
from core.inventory import Host

AHEAD_NS = 60_000_000
"""So long before its instant an injection is begun: looks of the driver, and the start of the program."""
_COARSE_NS = 2_000_000
"""A timer may wake so late: the rest of the way the processor is kept."""


class Standby:
    """A host at which the next `do` is done at `at_ns` of the monotonic clock, at once when that is past.

    `began_ns`: when its command was told, or started; 0 as long as there was none.
    """

    def __init__(self, host: Host, target: Target, at_ns: int) -> None:
        self._prefix = prefix(host)
        self._target = target
        self._at_ns = at_ns
        self.began_ns = 0

    def look(self, argv: Sequence[str]) -> Reply:
        """See `Target.look`."""
        return self._target.look(argv)

    def prepare(self, argv: Sequence[str]) -> Reply:
        """See `Target.prepare`: at once."""
        return self._target.prepare(argv)

    def do(self, argv: Sequence[str]) -> Reply:
        """See `Target.do`; later ones are done at once."""
        ahead = _ahead(argv) if self._prefix is not None and not self.began_ns else None
        if ahead is None or self._prefix is None:
            self._wait()
            return self._target.do(argv)
        program, order = ahead
        try:
            process = subprocess.Popen(
                (*self._prefix, *program),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
            )
        except OSError as error:
            return Reply(tuple(argv), -1, "", str(error))
        with process:
            _hurry(process.pid)
            self._wait()
            try:
                out, error_words = process.communicate(order, COMMAND_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                return Reply(tuple(argv), -1, "", f"no end within {COMMAND_TIMEOUT_S:g} s")
        return Reply((*self._prefix, *argv), process.returncode, out, error_words)

    def _wait(self) -> None:
        sleep_until(self._at_ns)
        self.began_ns = self.began_ns or time.monotonic_ns()


def _hurry(pid: int) -> None:
    """Let a program that waits for its order run as soon as it has it, whoever else wants the processor.

    Without that its effect was up to 9 ms after its order on a machine whose processors the probes kept busy
    (`make faults`). It ends within some ms, and the kernel bounds what real-time programs take.
    """
    with contextlib.suppress(OSError):  # only a wish: what was told and when is recorded in any case
        os.sched_setscheduler(pid, os.SCHED_RR, os.sched_param(1))


def _ahead(argv: Sequence[str]) -> tuple[tuple[str, ...], str] | None:
    """Return the program that waits for an order, and the order; None where a command knows no such form."""
    match argv:
        case ["nft", rules]:
            return ("nft", "-f", "-"), f"{rules}\n"
        case ["ip", "link", *words]:
            return ("ip", "-batch", "-"), f"link {' '.join(words)}\n"
        case _:
            return None


def sleep_until(at_ns: int) -> None:
    """Return at `at_ns` of the monotonic clock, within some us of it."""
    while (left_ns := at_ns - time.monotonic_ns()) > 0:
        if left_ns > _COARSE_NS:
            time.sleep((left_ns - _COARSE_NS) / 1e9)
