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
    COMMUNITIES = "BGP communities"  # a list of 65001:80


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
_OF_METRIC = ("action", ("metric",))
_OF_ANNOUNCE = ("action", ("announce",))
_OF_BGP = ("action", ("shutdown-neighbor", "withdraw-network"))
_ANNOUNCED: Mapping[str, Argument] = MappingProxyType(
    {
        "next_hop": Argument(ArgumentKind.ADDRESS, "the next hop announced", only_with=_OF_ANNOUNCE),
        "med": Argument(
            ArgumentKind.WHOLE, "the MED announced", high=4_294_967_295, optional=True, only_with=_OF_ANNOUNCE
        ),
        "communities": Argument(
            ArgumentKind.COMMUNITIES, "the communities announced", optional=True, only_with=_OF_ANNOUNCE
        ),
    }
)
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
                "protocol": Argument(ArgumentKind.NAME, "the protocol that is disabled, or that announces the metric"),
                "action": Argument(ArgumentKind.NAME, "what is done", choices=("disable", "metric")),
                "file": Argument(
                    ArgumentKind.PATH, "the included file that defines a constant, alone in it", only_with=_OF_METRIC
                ),
                "metric": Argument(
                    ArgumentKind.WHOLE, "what the constant is set to", high=16_777_214, only_with=_OF_METRIC
                ),
                "prefix": Argument(
                    ArgumentKind.NETWORK, "the route whose announced metric must change", only_with=_OF_METRIC
                ),
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
        "exabgp": MappingProxyType(
            {
                "pipe": Argument(ArgumentKind.PATH, "the path of ExaBGP's two FIFOs, without `.in` and `.out`"),
                "action": Argument(ArgumentKind.NAME, "what is done", ("withdraw", "announce")),
                "prefix": Argument(ArgumentKind.NETWORK, "the route"),
                "neighbor": Argument(ArgumentKind.ADDRESS, "at this neighbour only", optional=True),
                **_ANNOUNCED,
            }
        ),
        "frr": MappingProxyType(
            {
                "vty_socket": Argument(
                    ArgumentKind.PATH, "the directory of the daemons' sockets", default="/var/run/frr"
                ),
                "action": Argument(
                    ArgumentKind.NAME,
                    "what is done",
                    (
                        "shutdown-neighbor",
                        "withdraw-network",
                        "withdraw-static",
                        "interface-cost",
                        "redistributed-metric",
                    ),
                ),
                "asn": Argument(
                    ArgumentKind.WHOLE, "the number in `router bgp`", low=1, high=4_294_967_295, only_with=_OF_BGP
                ),
                "neighbor": Argument(
                    ArgumentKind.ADDRESS,
                    "the neighbour that is shut down",
                    only_with=("action", ("shutdown-neighbor",)),
                ),
                "prefix": Argument(
                    ArgumentKind.NETWORK,
                    "the route",
                    only_with=("action", ("withdraw-network", "withdraw-static", "redistributed-metric")),
                ),
                "interface": Argument(
                    ArgumentKind.NAME, "the interface that gets the cost", only_with=("action", ("interface-cost",))
                ),
                "cost": Argument(
                    ArgumentKind.WHOLE, "its OSPF cost", low=1, high=65535, only_with=("action", ("interface-cost",))
                ),
                "source": Argument(
                    ArgumentKind.NAME,
                    "what is redistributed into OSPF",
                    ("bgp", "connected", "kernel", "static"),
                    only_with=("action", ("redistributed-metric",)),
                ),
                "metric": Argument(
                    ArgumentKind.WHOLE, "its metric", high=16_777_214, only_with=("action", ("redistributed-metric",))
                ),
            }
        ),
        "gobgp": MappingProxyType(
            {
                "port": Argument(ArgumentKind.WHOLE, "the port of its gRPC API", low=1, high=65535, default=50051),
                "action": Argument(ArgumentKind.NAME, "what is done", ("withdraw", "announce", "disable-neighbor")),
                "prefix": Argument(ArgumentKind.NETWORK, "the route", only_with=("action", ("withdraw", "announce"))),
                **_ANNOUNCED,
                "neighbor": Argument(
                    ArgumentKind.ADDRESS, "the neighbour that is disabled", only_with=("action", ("disable-neighbor",))
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
