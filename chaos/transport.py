"""How a command reaches a host: on this machine, or in a network namespace of it. Never through a shell."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from core.inventory import Host

COMMAND_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What a command said. `code` is -1 when it did not end in time or could not be started."""

    argv: tuple[str, ...]
    code: int
    out: str
    error: str

    @property
    def words(self) -> str:
        """The command and what it said, on one line, for records."""
        said = " ".join((self.out + " " + self.error).split())[:200]
        return f"{' '.join(self.argv)} -> {self.code}{': ' + said if said else ''}"


class Target(Protocol):
    """A host that commands are run at: argv lists, each with its own time limit."""

    def look(self, argv: Sequence[str]) -> Reply:
        """Run what only reads."""
        ...

    def do(self, argv: Sequence[str]) -> Reply:
        """Run what may change something."""
        ...


@dataclass(frozen=True, slots=True)
class _Commanded:
    """A host whose programs are started with `prefix` ahead of them."""

    prefix: tuple[str, ...]

    def look(self, argv: Sequence[str]) -> Reply:
        return _run(self.prefix, argv)

    def do(self, argv: Sequence[str]) -> Reply:
        return _run(self.prefix, argv)


@dataclass(frozen=True, slots=True)
class Untouched:
    """The dry run of a target: looks at it, and tells `tell` what would be done instead of doing it."""

    target: Target
    tell: Callable[[tuple[str, ...]], None]

    def look(self, argv: Sequence[str]) -> Reply:
        """See `Target.look`."""
        return self.target.look(argv)

    def do(self, argv: Sequence[str]) -> Reply:
        """Return the reply of a command that went well and said nothing."""
        self.tell(tuple(argv))
        return Reply(tuple(argv), 0, "", "not done: dry run")


def at(host: Host) -> Target:
    """Return what runs commands at `host`."""
    return _Commanded(("ip", "netns", "exec", host.target) if host.transport == "netns" else ())


def _run(prefix: tuple[str, ...], argv: Sequence[str]) -> Reply:
    whole = (*prefix, *argv)
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
    # `ip netns exec` ends with 1 when it cannot start the program: not to be taken for the program's own 1.
    started = not (prefix and done.returncode == 1 and done.stderr.startswith('exec of "'))
    return Reply(whole, done.returncode if started else -1, done.stdout, done.stderr)
