"""Knows which fault drivers there are and which arguments each takes, as data: the loader and chaos/ read one table."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


class ArgumentKind(enum.StrEnum):
    """How a driver's argument is written."""

    NAME = "name"
    PATH = "absolute path"
    COMMAND = "command"  # a list: program (absolute path), then its arguments
    WHOLE = "whole number"  # from `low` to `high`
    ADDRESS = "IP address"
    NETWORK = "address or network"  # those of one fault are of one IP version


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument: required, unless it is `optional` or has a `default`.

    `choices` empty means any value of the kind. `only_with` is an argument before this one in the table and the
    values of it with which this one has a meaning.
    """

    kind: ArgumentKind
    about: str
    choices: tuple[str, ...] = ()
    low: int = 0
    high: int = 0
    default: str | int | None = None
    optional: bool = False
    only_with: tuple[str, tuple[str, ...]] | None = None


_PORT = Argument(ArgumentKind.WHOLE, "port", low=1, high=65535, optional=True, only_with=("protocol", ("tcp", "udp")))
_OF_SERVER = ("action", ("maint", "drain", "shut-sessions"))

DRIVERS: Mapping[str, Mapping[str, Argument]] = MappingProxyType(
    {
        "bird": MappingProxyType(
            {
                "socket": Argument(ArgumentKind.PATH, "BIRD's control socket"),
                "protocol": Argument(ArgumentKind.NAME, "the protocol that the action is done to"),
                "action": Argument(ArgumentKind.NAME, "what is done; reverted by `enable`", choices=("disable",)),
            }
        ),
        "command": MappingProxyType(
            {
                "inject": Argument(ArgumentKind.COMMAND, "the command that injects the fault"),
                "prove": Argument(ArgumentKind.COMMAND, "ends with 0: the fault is out, 1: it is not, else unknown"),
                "revert": Argument(ArgumentKind.COMMAND, "the command that reverts it; it may be run twice"),
            }
        ),
        "conntrack": MappingProxyType(
            {
                "flush": Argument(ArgumentKind.NAME, "which sessions are forgotten", ("all", "destination")),
                "destination": Argument(
                    ArgumentKind.ADDRESS, "those opened to this address", only_with=("flush", ("destination",))
                ),
            }
        ),
        "haproxy": MappingProxyType(
            {
                "socket": Argument(ArgumentKind.PATH, "the stats socket, of level admin"),
                "action": Argument(
                    ArgumentKind.NAME, "what is done", ("maint", "drain", "shut-sessions", "disable-frontend")
                ),
                "backend": Argument(ArgumentKind.NAME, "the server's backend", only_with=_OF_SERVER),
                "server": Argument(ArgumentKind.NAME, "the server", only_with=_OF_SERVER),
                "frontend": Argument(ArgumentKind.NAME, "the frontend", only_with=("action", ("disable-frontend",))),
            }
        ),
        "keepalived": MappingProxyType(
            {
                "track_file": Argument(ArgumentKind.PATH, "the file that the vrrp_instance tracks with weight 1"),
                "lower_by": Argument(
                    ArgumentKind.WHOLE, "what is taken from the priority; 254 gives up", low=1, high=254, default=254
                ),
                "interface": Argument(ArgumentKind.NAME, "the interface that the address is on"),
                "address": Argument(ArgumentKind.ADDRESS, "the virtual address that must move"),
            }
        ),
        "link": MappingProxyType(
            {"interface": Argument(ArgumentKind.NAME, "the interface of the target that is set down")}
        ),
        "nft": MappingProxyType(
            {
                "action": Argument(ArgumentKind.NAME, "what becomes of what matches", ("drop", "reject", "lose")),
                "percent": Argument(
                    ArgumentKind.WHOLE, "so many of a hundred are lost", low=1, high=99, only_with=("action", ("lose",))
                ),
                "hook": Argument(
                    ArgumentKind.NAME, "which way of the packets", ("prerouting", "input", "forward", "output")
                ),
                "source": Argument(ArgumentKind.NETWORK, "source address or network", optional=True),
                "destination": Argument(ArgumentKind.NETWORK, "destination address or network", optional=True),
                "protocol": Argument(
                    ArgumentKind.NAME, "IP protocol", ("icmp", "icmpv6", "ospf", "tcp", "udp", "vrrp"), optional=True
                ),
                "source_port": _PORT,
                "destination_port": _PORT,
            }
        ),
        "process": MappingProxyType(
            {
                "action": Argument(
                    ArgumentKind.NAME, "SIGKILL, SIGTERM or SIGSTOP", ("kill", "stop", "freeze"), default="kill"
                ),
                "name": Argument(ArgumentKind.NAME, "the process's name, so that a reused pid is not hit"),
                "pid_file": Argument(ArgumentKind.PATH, "the file that holds its pid"),
                "start": Argument(
                    ArgumentKind.COMMAND, "the command that starts it again", only_with=("action", ("kill", "stop"))
                ),
            }
        ),
    }
)
