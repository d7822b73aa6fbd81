"""How a host of the inventory is reached: by programs here, in a namespace or by ssh, by REST, by a command line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from chaos.device_line import DeviceLine
from chaos.reply import COMMAND_TIMEOUT_S, Reply, run
from chaos.rest import Rest
from chaos.ssh import Ssh
from core.inventory import Host

__all__ = ["COMMAND_TIMEOUT_S", "Reply", "Target", "Untouched", "at", "prefix"]


class Target(Protocol):
    """A host that commands are run at, each with its own time limit.

    A command is a program and its arguments, never read by a shell; at a REST interface a method, a path and a body;
    at the command line of a device the lines that are typed.
    """

    def look(self, argv: Sequence[str]) -> Reply:
        """Run what only reads."""
        ...

    def prepare(self, argv: Sequence[str]) -> Reply:
        """Run what changes something that has no effect yet, ahead of the instant at which `do` gives it one."""
        ...

    def do(self, argv: Sequence[str]) -> Reply:
        """Run what may change something."""
        ...


@dataclass(frozen=True, slots=True)
class _Commanded:
    """A host whose programs are started with `prefix` ahead of them."""

    prefix: tuple[str, ...]

    def look(self, argv: Sequence[str]) -> Reply:
        return self._run(argv)

    def prepare(self, argv: Sequence[str]) -> Reply:
        return self._run(argv)

    def do(self, argv: Sequence[str]) -> Reply:
        return self._run(argv)

    def _run(self, argv: Sequence[str]) -> Reply:
        reply = run((*self.prefix, *argv))
        # `ip netns exec` ends with 1 when it cannot start the program: not to be taken for the program's own 1.
        started = not (self.prefix and reply.code == 1 and reply.error.startswith('exec of "'))
        return reply if started else Reply(reply.argv, -1, reply.out, reply.error)


@dataclass(frozen=True, slots=True)
class Untouched:
    """The dry run of a target: looks at it, and tells `tell` what would be done instead of doing it."""

    target: Target
    tell: Callable[[tuple[str, ...]], None]

    def look(self, argv: Sequence[str]) -> Reply:
        """See `Target.look`."""
        return self.target.look(argv)

    def prepare(self, argv: Sequence[str]) -> Reply:
        """See `do`."""
        return self.do(argv)

    def do(self, argv: Sequence[str]) -> Reply:
        """Return the reply of a command that went well and said nothing."""
        self.tell(tuple(argv))
        return Reply(tuple(argv), 0, "", "not done: dry run")


def prefix(host: Host) -> tuple[str, ...] | None:
    """Return what stands ahead of a program that is run at `host` by this machine; None where none can be."""
    return {"local": (), "netns": ("ip", "netns", "exec", host.target)}.get(host.transport)


def at(host: Host) -> Target:
    """Return what runs commands at `host`."""
    match host.transport:
        case "ssh":
            return Ssh(host)
        case "https":
            return Rest(host)
        case "cli":
            return DeviceLine(host)
        case _:
            return _Commanded(prefix(host) or ())
