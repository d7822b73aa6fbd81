"""What a command said; and the starting of one on this machine, without a shell and never without a time limit."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

COMMAND_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What a command said. `code` is -1 when it did not end in time, could not be started or could not be sent."""

    argv: tuple[str, ...]
    code: int
    out: str
    error: str

    @property
    def words(self) -> str:
        """The command and what it said, on one line, for records."""
        said = " ".join((self.out + " " + self.error).split())[:200]
        return f"{' '.join(self.argv)} -> {self.code}{': ' + said if said else ''}"


def run(argv: Sequence[str]) -> Reply:
    """Run a program of this machine, with nothing to read, for `COMMAND_TIMEOUT_S` at most."""
    whole = tuple(argv)
    try:
        done = subprocess.run(
            whole,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=COMMAND_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return Reply(whole, -1, "", f"no end within {COMMAND_TIMEOUT_S:g} s")
    except OSError as error:
        return Reply(whole, -1, "", str(error))
    return Reply(whole, done.returncode, done.stdout, done.stderr)
