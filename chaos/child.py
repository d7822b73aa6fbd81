"""The process of one planned run: started with a lifeline, known to be alive by a lock that the kernel keeps.

The child's standard input is its lifeline: it ends when we do, however we do. The lock is on an open file that the
child inherits; whoever finds it taken knows that a run is still ending, though its parent is dead.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from store.alone import take

END_WAIT_S = 60.0
_LOOK_S = 0.05


class StillRunningError(Exception):
    """A run that was started before has not ended."""


def take_lock(place: Path, wait_s: float = 0.0) -> int:
    """Return a descriptor that holds the lock of the running run; waits for `wait_s`. Raises StillRunningError."""
    until_s = time.monotonic() + wait_s
    while True:
        try:
            return take(place / "run.lock")
        except BlockingIOError:
            if time.monotonic() >= until_s:
                raise StillRunningError from None
            time.sleep(_LOOK_S)


def ended(place: Path, wait_s: float) -> bool:
    """Whether no run is running; waits for that for `wait_s`."""
    try:
        os.close(take_lock(place, wait_s))
    except StillRunningError:
        return False
    return True


class Child:
    """A command that runs with a lifeline, its output in `log`. Raises StillRunningError, OSError."""

    def __init__(self, argv: Sequence[str], place: Path, log: Path) -> None:
        self.log = log
        lock = take_lock(place)
        try:
            with log.open("wb") as output:
                self._process = subprocess.Popen(
                    argv,
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=output,
                    pass_fds=[lock],
                    start_new_session=True,  # a Ctrl-C at the terminal is ours to pass on, once and in order
                )
        finally:
            os.close(lock)

    def wait(self) -> int:
        """Return the exit code once it has ended; negative: the signal that ended it."""
        code = self._process.wait()
        self.stop()  # nobody is at the other end of the lifeline any more
        return code

    def stop(self) -> None:
        """Tell it to end in order. Twice without harm."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def last_line(self) -> str:
        """Return the last line that it printed, shortened, or ''."""
        lines = [line.strip() for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        return lines[-1][:200] if lines else ""
