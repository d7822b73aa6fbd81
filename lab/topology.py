"""The lab's network as data: nodes, links, addresses, metrics. The picture of it is in the README."""

from __future__ import annotations

from dataclasses import dataclass

VIP = "203.0.113.10"
PORT = 7000


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
ACCESS = ("a1", "a2")
# (router, router, OSPF cost). r1-r2 costs more than the direct backup of an access router and less than the way
# round it (10 + 100), so that after a withdrawal packets neither loop nor cross the core.
BACKBONE = (
    ("a1", "r1", 10),
    ("a2", "r2", 10),
    ("a1", "r2", 100),
    ("a2", "r1", 100),
    ("r1", "r2", 105),
)
ROUTERS = ("a1", "a2", "r1", "r2")
NODES = tuple(node for site in SITES for node in site.nodes)
SWITCHES = tuple(site.switch for site in SITES)
SERVERS = {site.server: site.server_address for site in SITES}
NAMESPACES = (*CLIENTS, *ROUTERS, *SWITCHES, *NODES, *SERVERS)
DAEMONS = tuple(
    [(router, "bird") for router in ROUTERS]
    + [(site.router, "rhi") for site in SITES]
    + [(node, daemon) for node in NODES for daemon in ("conntrackd", "keepalived", "pool")]
    + [(server, "reflector") for server in SERVERS]
)
"""Every long-running program of the lab as (node, name); each has /run/lab/start/<node>.<name>."""


def site_of(node: str) -> SitePlan:
    """Return the site that `node` (a load balancer, router, switch or server) belongs to. Raises KeyError."""
    for site in SITES:
        if node in (*site.nodes, site.router, site.switch, site.server):
            return site
    raise KeyError(node)


def links() -> tuple[Link, ...]:
    """Return every link of the lab."""
    found = [
        Link(client, "eth0", f"{lan}.2/24", router, client, f"{lan}.1/24") for client, (router, lan) in CLIENTS.items()
    ]
    for number, (one, other, _) in enumerate(BACKBONE):
        first = f"10.255.0.{number * 4 + 1}/30"
        second = f"10.255.0.{number * 4 + 2}/30"
        found.append(Link(one, other, first, other, one, second))
    for site in SITES:
        found.append(Link(site.router, "lan", f"{site.router_address}/24", site.switch, site.router, ""))
        found += [Link(node, "lan", f"{site.node_address(node)}/24", site.switch, node, "") for node in site.nodes]
        one, other = site.nodes
        found.append(Link(one, "sync", f"{site.sync_lan}.1/30", other, "sync", f"{site.sync_lan}.2/30"))
        found.append(
            Link(site.server, "eth0", f"{site.server_address}/24", site.router, "srv", f"{site.server_lan}.1/24")
        )
    return tuple(found)


def default_routes() -> dict[str, str]:
    """Return the default gateway of each node that has one."""
    routes = {client: f"{lan}.1" for client, (_, lan) in CLIENTS.items()}
    for site in SITES:
        routes[site.server] = f"{site.server_lan}.1"
        routes |= dict.fromkeys(site.nodes, site.router_address)
    return routes


def sysctls(node: str) -> dict[str, str]:
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
    if node in (*ROUTERS, *NODES):
        settings |= {"net/ipv4/ip_forward": "1", "net/ipv4/icmp_ratelimit": "0"}
    if node in NODES:
        settings |= {
            # A node shows its own address when a probe's TTL ends on it (design: who answered).
            "net/ipv4/icmp_errors_use_inbound_ifaddr": "1",
            # No window state is replicated, so the peer must not judge by windows; and a flow without state
            # must be seen as such, or a lost state table would not show.
            "net/netfilter/nf_conntrack_tcp_be_liberal": "1",
            "net/netfilter/nf_conntrack_tcp_loose": "0",
        }
    return settings
