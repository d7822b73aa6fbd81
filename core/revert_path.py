"""Would a fault cut the way by which it is to be reverted? Decided from where the way back from its target leads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ROUTING_DRIVERS = frozenset({"bird", "exabgp", "frr", "gobgp"})
ROUTING_DAEMONS = frozenset({"bird", "bgpd", "ospfd", "zebra", "isisd", "frr", "exabgp", "gobgpd", "watchfrr"})
NETWORK_DAEMONS = frozenset(
    {"sshd", "ssh", "networking", "network", "NetworkManager", "systemd-networkd", "dhclient", "ifupdown"}
)
LASTING = frozenset({"kernel", "boot", "static"})
"""Origins of a route that no routing daemon takes away (/etc/iproute2/rt_protos)."""


@dataclass(frozen=True, slots=True)
class WayBack:
    """How a target reaches who commands it.

    `address` is its own end of the connection, `device` the interface of the route back, `protocol` that route's
    origin.
    """

    address: str
    device: str
    protocol: str


def cut(driver: str, arguments: Mapping[str, object], way: WayBack) -> str:
    """Return why a fault would cut `way`, '' when nothing says so.

    A fault of `nft` ends in the kernel of the target with its lease, whoever is cut off. What `command` does nobody
    knows but who wrote it.
    """
    routed = way.protocol not in LASTING
    by_routing = f"the way back by {way.device} is a route that {way.protocol or 'an unknown protocol'} made"
    if driver == "link" and arguments.get("interface") == way.device:
        return f"the way back leads by {way.device}"
    if driver == "keepalived" and arguments.get("address") == way.address:
        return f"the way back is from {way.address}, which would move to the peer"
    if driver in ROUTING_DRIVERS and routed:
        return by_routing
    if driver in ("process", "service"):
        name = str(arguments.get("name") or arguments.get("unit")).removesuffix(".service")
        if name in NETWORK_DAEMONS:
            return f"{name} is what the way back needs"
        if name in ROUTING_DAEMONS and routed:
            return by_routing
    return ""
