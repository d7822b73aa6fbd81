"""Two sites between a client and a server: an access router, two nodes in dc1 and one in dc2, each with NAT.

The nodes translate without state, so that nothing but addresses decides which session lives: what comes from
another address than before is reset by the server.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.probe.conftest import VIP, Network
from tests.waiting import wait_for

POOLS = {"dc1": "10.1.100.1", "dc2": "10.2.100.1"}
NODES = {"ace1": "dc1", "ace2": "dc1", "ace3": "dc2"}
CLIENT = "10.78.0.2"
ROUTER = (
    "net.ipv4.ip_forward=1",
    "net.ipv4.icmp_ratelimit=0",
    "net.ipv4.icmp_errors_use_inbound_ifaddr=1",
    "net.ipv4.fib_multipath_hash_policy=1",
)
INVENTORY = """
vip: {name: vip, address: 203.0.113.10, port: 7000}
sites:
  dc1:
    nat_pool: {name: N1, network: 10.1.100.0/28}
    nodes:
      ace1: {host: box, addresses: [10.78.1.2]}
      ace2: {host: box, addresses: [10.78.2.2]}
  dc2:
    nat_pool: {name: N2, network: 10.2.100.0/28}
    nodes: {ace3: {host: box, addresses: [10.78.3.2]}}
vantages:
  v1: {host: box, sessions: 25, period_s: 0.01}
hosts:
  box: {transport: local}
"""


@dataclass
class Sites(Network):
    """Namespaces `client`, `access`, the nodes and `server`; `node` is ace1."""

    def name(self, what: str) -> str:
        """Return the namespace of a node or of the access router."""
        return self.client.removesuffix("c") + what

    def route(self, *nodes: str) -> None:
        """Let the access router send what goes to the VIP to a node, or to several by flow."""
        hops = [word for node in nodes for word in ("nexthop", "via", front(node))]
        self.run(self.name("access"), "ip", "route", "replace", VIP, *hops)

    def back(self, site: str, node: str) -> None:
        """Let the server reach a site's NAT pool by a node."""
        self.run(self.server, "ip", "route", "replace", POOLS[site], "via", f"10.79.{number(node)}.1")

    def translate(self, node: str, address: str) -> None:
        """Let a node translate the client's address to `address`, and drop nothing."""
        self.rules(node, address, "")

    def rules(self, node: str, address: str, forward: str) -> None:
        """Set a node's rules; `forward` are those of its forward hook."""
        text = f"""table ip t
delete table ip t
table ip t {{
  chain in {{ type filter hook prerouting priority raw; ip daddr {address} ip daddr set {CLIENT}; }}
  chain through {{ type filter hook forward priority 0; {forward} }}
  chain out {{ type filter hook postrouting priority 100; ip saddr {CLIENT} ip daddr {VIP} ip saddr set {address}; }}
}}
"""
        self.run(self.name(node), "nft", "-f", "-", text=text)

    def balance(self, one: str, other: str) -> None:
        """Let the access router send every second packet to the VIP to `other`, whatever its flow."""
        access = self.name("access")
        self.run(access, "ip", "route", "replace", VIP, "via", front(other), "table", "102")
        self.run(access, "ip", "rule", "add", "fwmark", "2", "lookup", "102")
        self.route(one)
        rule = f"ip daddr {VIP} meta mark set numgen inc mod 2 map {{ 0 : 1, 1 : 2 }}"
        text = f"table ip b {{ chain p {{ type filter hook prerouting priority mangle; {rule}; }}; }}\n"
        self.run(access, "nft", "-f", "-", text=text)


def number(node: str) -> int:
    """Return the number in a node's addresses."""
    return list(NODES).index(node) + 1


def front(node: str) -> str:
    """Return a node's address towards the access router."""
    return f"10.78.{number(node)}.2"


@pytest.fixture
def sites(tmp_path: Path) -> Iterator[Sites]:
    """Bring the network up, with the way to the VIP by ace1; take it down."""
    tag = f"vct{os.getpid()}"
    found = Sites(f"{tag}c", f"{tag}ace1", f"{tag}s", tmp_path)
    access = found.name("access")
    names = [found.client, access, *map(found.name, NODES), found.server]
    try:
        for name in names:
            subprocess.run(["ip", "netns", "add", name], check=True)
            found.run(name, "ip", "link", "set", "lo", "up")
            found.run(name, "sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0")
        for router in names[1:-1]:
            found.run(router, "sysctl", "-qw", *ROUTER)
        _link(found, access, "client", found.client, "uplink", "10.78.0")
        found.run(found.client, "ip", "route", "add", "default", "via", "10.78.0.1")
        found.run(found.server, "ip", "address", "add", f"{VIP}/32", "dev", "lo")
        for node, site in NODES.items():
            _link(found, access, node, found.name(node), "front", f"10.78.{number(node)}")
            _link(found, found.name(node), "back", found.server, node, f"10.79.{number(node)}")
            found.run(found.name(node), "ip", "route", "add", VIP, "via", f"10.79.{number(node)}.2")
            found.run(found.name(node), "ip", "route", "add", "10.78.0.0/24", "via", f"10.78.{number(node)}.1")
            found.translate(node, POOLS[site])
        found.back("dc1", "ace1")
        found.back("dc2", "ace3")
        found.route("ace1")
        found.start(found.server, sys.executable, "-m", "probe.reflector", "--name", "s1")
        wait_for(lambda: ":7000" in found.run(found.server, "ss", "-Hltn"))
        yield found
    finally:
        for process in found.processes:
            process.kill()
            process.wait()
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False)


def _link(sites: Sites, left: str, left_interface: str, right: str, right_interface: str, net: str) -> None:
    sites.run(left, "ip", "link", "add", left_interface, "type", "veth", "peer", right_interface, "netns", right)
    for name, interface, last in ((left, left_interface, 1), (right, right_interface, 2)):
        sites.run(name, "ip", "address", "add", f"{net}.{last}/24", "dev", interface)
        sites.run(name, "ip", "link", "set", interface, "up")
