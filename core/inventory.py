"""The inventory: VIPs, sites, nodes, NAT pools, vantages and how to reach hosts. Values only."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from core.rails import Rails

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class Mode(enum.StrEnum):
    """How the service behind the VIP is spoken to, once a session is open."""

    LINE = "line"
    HTTP = "http"
    TLS = "tls"
    KEEPALIVE = "keepalive"


@dataclass(frozen=True, slots=True)
class Pattern:
    """Where an HTTP answer tells something: the group of `expression` in a header, or in the body where that is ''."""

    header: str
    expression: str


@dataclass(frozen=True, slots=True)
class Service:
    """What stands behind the VIP. The fields after `mode` are for http and tls; each pattern may be None.

    With tls, a `path` means that HTTP is asked inside; '' means that nothing is. `ca` is a file of authorities that
    the certificate is verified against; '': those of the system.
    """

    mode: Mode = Mode.LINE
    path: str = "/"
    host: str = ""
    client: Pattern | None = None
    server: Pattern | None = None
    site: Pattern | None = None
    ca: str = ""

    @property
    def asks_http(self) -> bool:
        """Whether the service is asked by HTTP requests, in the clear or inside TLS."""
        return self.mode is Mode.HTTP or (self.mode is Mode.TLS and bool(self.path))


@dataclass(frozen=True, slots=True)
class Vip:
    """The anycast address and port that clients use, and the service there."""

    name: str
    address: Address
    port: int
    service: Service = Service()


@dataclass(frozen=True, slots=True)
class NatPool:
    """The addresses a site uses towards the servers; it names the site that answered."""

    name: str
    network: Network


@dataclass(frozen=True, slots=True)
class Node:
    """One load balancer; `addresses` are those it may show in ICMP errors."""

    name: str
    host: str
    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class Announces:
    """How to see that a site announces the VIP: `command`, run at host `host`, ends with 0 and says `shows`."""

    host: str
    command: tuple[str, ...]
    shows: str


@dataclass(frozen=True, slots=True)
class Site:
    """A data centre that announces the VIP. Without `announces`, only answers from it tell that it does."""

    name: str
    nat_pool: NatPool
    nodes: tuple[Node, ...]
    announces: Announces | None = None


@dataclass(frozen=True, slots=True)
class Vantage:
    """A place that probes run from, with how many sessions and at which period.

    `sources` are the addresses that the sessions come from, in turn; none: the one that the kernel chooses.
    `elsewhere`: its probe is run by its own agent, which is reached over the bus, and not by the controller.
    """

    name: str
    host: str
    sessions: int
    period_s: float
    sources: tuple[Address, ...] = ()
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Host:
    """How a machine is reached: `transport` and `target`, and what some transports need besides; '' and 0: not said.

    local: this machine. netns: `target` is a namespace of it. ssh: `target` runs programs. cli: `target` has a command
    line, reached by ssh too. https: `target` has a REST interface. The files are paths on this machine. `guard`: the
    machine that all this is said of is that of this guard, which is asked over the bus; '': this one.
    """

    name: str
    transport: str
    target: str
    user: str = ""
    port: int = 0
    identity_file: str = ""
    known_hosts: str = ""
    password_file: str = ""
    credentials_file: str = ""
    credentials_env: str = ""
    ca_file: str = ""
    guard: str = ""


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything that an operator says about the network; whole and checked, or not there at all."""

    vip: Vip
    sites: Mapping[str, Site]
    vantages: Mapping[str, Vantage]
    hosts: Mapping[str, Host]
    allowed_targets: frozenset[str]
    rails: Rails = field(default_factory=Rails)

    def site_of_nat_address(self, address: Address) -> Site | None:
        """Return the site whose NAT pool holds `address`, or None. By prefix, never by equality."""
        for site in self.sites.values():
            if address in site.nat_pool.network:
                return site
        return None

    def site_of_node(self, name: str) -> Site | None:
        """Return the site that the node of this name belongs to, or None."""
        return next((site for site in self.sites.values() if any(node.name == name for node in site.nodes)), None)

    def node_of_address(self, address: Address) -> Node | None:
        """Return the node that shows `address` in ICMP errors, or None."""
        for site in self.sites.values():
            for node in site.nodes:
                if address in node.addresses:
                    return node
        return None


def agents_elsewhere(inventory: Inventory) -> tuple[str, ...]:
    """Return the vantages that are probed from by agents of their own, over the bus."""
    return tuple(sorted(name for name, vantage in inventory.vantages.items() if vantage.elsewhere))
