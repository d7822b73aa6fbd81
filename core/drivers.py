"""Knows which fault drivers there are and which arguments each takes, as data: the loader and chaos/ read one table."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


class ArgumentKind(enum.StrEnum):
    """How a driver's argument is written."""

    NAME = "name"
    OBJECT = "name of an object"  # as the target has it: of a unit, or of a virtual address; also with : @ %
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
_OF_VIP = ("action", ("vip",))

RUNS_PROGRAMS = ("local", "netns", "ssh")
TRANSPORTS: Mapping[str, tuple[str, ...]] = MappingProxyType({"ace": ("cli",), "f5": ("https",)})
"""The transports of the hosts that a driver can be used at; a driver that is not here needs `RUNS_PROGRAMS`."""

DRIVERS: Mapping[str, Mapping[str, Argument]] = MappingProxyType(
    {
        "ace": MappingProxyType(
            {
                "action": Argument(ArgumentKind.NAME, "what is done", ("vip", "switchover")),
                "context": Argument(
                    ArgumentKind.NAME, "the context that the VIP is in", optional=True, only_with=_OF_VIP
                ),
                "policy_map": Argument(ArgumentKind.NAME, "the multi-match policy map of the VIP", only_with=_OF_VIP),
                "class_map": Argument(ArgumentKind.NAME, "the VIP's class in it", only_with=_OF_VIP),
                "ft_group": Argument(
                    ArgumentKind.WHOLE, "the FT group", low=1, high=255, only_with=("action", ("switchover",))
                ),
            }
        ),
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
        "f5": MappingProxyType(
            {
                "action": Argument(
                    ArgumentKind.NAME,
                    "what is done",
                    ("standby", "virtual-address", "virtual-server", "route-advertisement"),
                ),
                "partition": Argument(
                    ArgumentKind.NAME,
                    "the partition that the object is in",
                    default="Common",
                    only_with=("action", ("virtual-address", "virtual-server", "route-advertisement")),
                ),
                "virtual_address": Argument(
                    ArgumentKind.OBJECT,
                    "the virtual address, by its name",
                    only_with=("action", ("virtual-address", "route-advertisement")),
                ),
                "virtual_server": Argument(
                    ArgumentKind.OBJECT, "the virtual server", only_with=("action", ("virtual-server",))
                ),
                "traffic_group": Argument(
                    ArgumentKind.NAME,
                    "the traffic group that the unit gives away",
                    default="traffic-group-1",
                    only_with=("action", ("standby",)),
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
        "service": MappingProxyType(
            {
                "action": Argument(ArgumentKind.NAME, "what is done to the unit", ("stop", "kill", "freeze")),
                "unit": Argument(ArgumentKind.OBJECT, "the unit, with its suffix, such as bird.service"),
            }
        ),
    }
)
