"""The lab's network as data: nodes, links, addresses, metrics, what runs where. The README has the picture of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

PORT = 7000
RUN = "/run/lab"
"""Where the lab keeps its files, inside."""


@dataclass(frozen=True, slots=True)
class Vip:
    """One anycast address: its name in an inventory, and the protocol of the routing daemon that announces it."""

    name: str
    address: str
    protocol: str


VIP = Vip("vip", "203.0.113.10", "rhi")


@dataclass(frozen=True, slots=True)
class Link:
    """A veth pair: node, interface and address of each end; '' where the end has no address (a switch port)."""

    a: str
    a_interface: str
    a_address: str
    b: str
    b_interface: str
    b_address: str


@dataclass(frozen=True, slots=True)
class SitePlan:
    """One data centre: its router, switch, pair of nodes, server and NAT pool."""

    name: str
    router: str
    switch: str
    nodes: tuple[str, str]
    server: str
    lan: str  # first three octets of the LAN of router and nodes
    server_lan: str
    sync_lan: str
    nat_pool: str

    @property
    def floating(self) -> str:
        """The VRRP address of the pair."""
        return f"{self.lan}.10"

    @property
    def router_address(self) -> str:
        """The site router's address on the LAN."""
        return f"{self.lan}.1"

    @property
    def server_address(self) -> str:
        """The application server's address."""
        return f"{self.server_lan}.2"

    def node_address(self, node: str) -> str:
        """Return the LAN address of `node`."""
        return f"{self.lan}.{11 + self.nodes.index(node)}"

    def pool_addresses(self) -> tuple[str, ...]:
        """Return the addresses of the NAT pool that sessions get."""
        prefix = self.nat_pool.rsplit(".", 1)[0]
        return tuple(f"{prefix}.{number}" for number in range(1, 15))


SITES = (
    SitePlan("dc1", "r1", "sw1", ("ace1", "ace2"), "s1", "10.1.1", "10.1.2", "172.16.1", "10.1.100.0/28"),
    SitePlan("dc2", "r2", "sw2", ("ace3", "ace4"), "s2", "10.2.1", "10.2.2", "172.16.2", "10.2.100.0/28"),
)
CLIENTS = {
    "c1": ("a1", "10.10.1"),
    "c2": ("a1", "10.10.2"),
    "c3": ("a2", "10.20.1"),
    "c4": ("a2", "10.20.2"),
}
# (router, router, OSPF cost). r1-r2 costs more than the direct backup of an access router and less than the way
# round it (10 + 100), so that after a withdrawal packets neither loop nor cross the core.
BACKBONE = (
    ("a1", "r1", 10),
    ("a2", "r2", 10),
    ("a1", "r2", 100),
    ("a2", "r1", 100),
    ("r1", "r2", 105),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole lab: what there is, and how each thing does its work. The defaults are the lab of the demo.

    A flavour (lab.flavours) makes another plan of one; all texts and checks are functions of a plan.
    """

    flavours: tuple[str, ...] = ()
    sites: tuple[SitePlan, ...] = SITES
    clients: Mapping[str, tuple[str, str]] = field(default_factory=lambda: dict(CLIENTS))
    access: tuple[str, ...] = ("a1", "a2")
    backbone: tuple[tuple[str, str, int], ...] = BACKBONE
    vips: tuple[Vip, ...] = (VIP,)
    rhi: Literal["static", "bgp"] = "static"
    """Who injects the route to the VIP: the site router by itself, or each node by a BGP session with it."""
    speaker: Literal["bird", "exabgp"] = "bird"
    """What speaks BGP on a node."""
    access_ospf: Literal["bird", "frr"] = "bird"
    """What speaks OSPF on the access routers."""
    health: bool = True
    """Whether the route to the VIP depends on the VIP's health."""
    proxy: bool = False
    """Whether nodes are full proxies; otherwise they translate addresses."""
    replication: bool = True
    """Whether the nodes of a pair tell each other their sessions."""
    preemption: bool = True
    """Whether the first node of a pair takes its role back when it returns."""
    preempt_delay_s: int = 3
    """How long it waits before that, so that its session table is replicated first."""
    bfd_ms: int = 0
    """How often BFD says hello on the BGP sessions; three that are missed end one. 0: there is no BFD."""
    ecmp: bool = False
    """Whether routers balance over ways of equal cost."""
    hash_ports: bool = False
    """Whether they balance flows by ports too; otherwise by addresses alone."""

    @property
    def routers(self) -> tuple[str, ...]:
        """Every router: access routers, then site routers."""
        return (*self.access, *(site.router for site in self.sites))

    @property
    def nodes(self) -> tuple[str, ...]:
        """Every load balancer."""
        return tuple(node for site in self.sites for node in site.nodes)

    @property
    def switches(self) -> tuple[str, ...]:
        """Every switch."""
        return tuple(site.switch for site in self.sites)

    @property
    def servers(self) -> dict[str, str]:
        """The address of every application server."""
        return {site.server: site.server_address for site in self.sites}

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Every machine of the lab; each is a network namespace."""
        return (*self.clients, *self.routers, *self.switches, *self.nodes, *self.servers)

    @property
    def daemons(self) -> tuple[tuple[str, str], ...]:
        """Every long-running program as (node, name); each has /run/lab/start/<node>.<name>."""
        found = [(router, self.ospf(router)) for router in self.routers]
        found += [(router, "zebra") for router in self.routers if self.ospf(router) == "ospfd"]
        if self.rhi == "static" and self.health:
            found += [(site.router, vip.protocol) for site in self.sites for vip in self.vips]
        found += [(node, daemon) for node in self.nodes for daemon in self._of_node()]
        return (*found, *((server, "reflector") for server in self.servers))

    def _of_node(self) -> tuple[str, ...]:
        balancing = ("keepalived", "haproxy") if self.proxy else ("keepalived", "pool")
        announcing = {"bird": ("bird", "rhi"), "exabgp": ("exabgp",)}[self.speaker] if self.rhi == "bgp" else ()
        return (*(("conntrackd",) if self.replication else ()), *balancing, *announcing)

    def ospf(self, router: str) -> str:
        """Return the daemon that speaks OSPF on `router`."""
        return "ospfd" if self.access_ospf == "frr" and router in self.access else "bird"

    def site_of(self, name: str) -> SitePlan:
        """Return the site that `name` (a load balancer, router, switch or server) belongs to. Raises KeyError."""
        for site in self.sites:
            if name in (*site.nodes, site.router, site.switch, site.server):
                return site
        raise KeyError(name)

    def nearest(self, router: str) -> tuple[SitePlan, ...]:
        """Return the sites that an access router has the shortest way to; several where they are equally near."""
        cost = {other: cost for link in self.backbone for me, other, cost in (link, _turned(link)) if me == router}
        ways = {site: cost[site.router] for site in self.sites if site.router in cost}
        return tuple(site for site, way in ways.items() if way == min(ways.values()))

    def links(self) -> tuple[Link, ...]:
        """Return every link of the lab."""
        found = [
            Link(client, "eth0", f"{lan}.2/24", router, client, f"{lan}.1/24")
            for client, (router, lan) in self.clients.items()
        ]
        for number, (one, other, _) in enumerate(self.backbone):
            first = f"10.255.0.{number * 4 + 1}/30"
            second = f"10.255.0.{number * 4 + 2}/30"
            found.append(Link(one, other, first, other, one, second))
        for site in self.sites:
            found.append(Link(site.router, "lan", f"{site.router_address}/24", site.switch, site.router, ""))
            found += [Link(node, "lan", f"{site.node_address(node)}/24", site.switch, node, "") for node in site.nodes]
            one, other = site.nodes
            found.append(Link(one, "sync", f"{site.sync_lan}.1/30", other, "sync", f"{site.sync_lan}.2/30"))
            found.append(
                Link(site.server, "eth0", f"{site.server_address}/24", site.router, "srv", f"{site.server_lan}.1/24")
            )
        return tuple(found)

    def local_addresses(self) -> dict[str, tuple[str, ...]]:
        """Return the addresses that a node has on `lo`: a full proxy owns the VIP and its pool, others do not."""
        if not self.proxy:
            return {}
        vips = tuple(vip.address for vip in self.vips)
        return {node: (*vips, *site.pool_addresses()) for site in self.sites for node in site.nodes}

    def default_routes(self) -> dict[str, str]:
        """Return the default gateway of each node that has one."""
        routes = {client: f"{lan}.1" for client, (_, lan) in self.clients.items()}
        for site in self.sites:
            routes[site.server] = f"{site.server_lan}.1"
            routes |= dict.fromkeys(site.nodes, site.router_address)
        return routes

    def sysctls(self, node: str) -> dict[str, str]:
        """Return the kernel settings of `node`, by path below /proc/sys."""
        settings = {
            "net/ipv4/conf/all/rp_filter": "0",
            "net/ipv4/conf/default/rp_filter": "0",
            "net/ipv4/conf/all/send_redirects": "0",
            "net/ipv4/conf/default/send_redirects": "0",
            "net/ipv4/conf/all/accept_redirects": "0",
            "net/ipv6/conf/all/disable_ipv6": "1",
            "net/ipv6/conf/default/disable_ipv6": "1",
        }
        if node in (*self.routers, *self.nodes):
            settings |= {"net/ipv4/ip_forward": "1", "net/ipv4/icmp_ratelimit": "0"}
        if self.ecmp and node in self.routers:
            settings |= {"net/ipv4/fib_multipath_hash_policy": "1" if self.hash_ports else "0"}
        if node in self.nodes:
            settings |= {
                # A node shows its own address when a probe's TTL ends on it (design: who answered).
                "net/ipv4/icmp_errors_use_inbound_ifaddr": "1",
                # No window state is replicated, so the peer must not judge by windows; and a flow without state
                # must be seen as such, or a lost state table would not show.
                "net/netfilter/nf_conntrack_tcp_be_liberal": "1",
                "net/netfilter/nf_conntrack_tcp_loose": "0",
            }
        return settings


def _turned(link: tuple[str, str, int]) -> tuple[str, str, int]:
    return link[1], link[0], link[2]
