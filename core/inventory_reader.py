"""Reads and checks an inventory: every rule that makes one sound is here."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

from core.inventory import Host, Inventory, NatPool, Node, Site, Vantage, Vip
from core.reader import Reader
from core.yaml_nodes import Mapping, Problems

TRANSPORTS = ("local", "netns")
KEYS = ("vip", "sites", "vantages", "hosts", "allowed_targets")


def read_inventory(root: Mapping, problems: Problems) -> Inventory | None:
    """Return the inventory, or None with the reasons among the problems."""
    reader = Reader(root, "", problems)
    reader.only(*KEYS)
    hosts = _hosts(reader)
    vip = _vip(reader)
    sites = _sites(reader, hosts)
    vantages = _vantages(reader, hosts)
    targets = _targets(reader, hosts)
    if problems or vip is None:
        return None
    return Inventory(vip, sites, vantages, hosts, frozenset(targets))


def _vip(reader: Reader) -> Vip | None:
    section = reader.section("vip", "a mapping with name, address and port")
    if section is None:
        return None
    section.only("name", "address", "port")
    name, address, port = section.name("name"), section.address("address"), section.whole("port", 1, 65535)
    return None if name is None or address is None or port is None else Vip(name, address, port)


def _hosts(reader: Reader) -> dict[str, Host]:
    section = reader.section("hosts", "a mapping of host names")
    hosts: dict[str, Host] = {}
    for name, host in section.named_sections() if section else ():
        transport = host.choice("transport", TRANSPORTS, "transport")
        host.only("transport", "target")
        target = host.name("target") if transport == "netns" or host.has("target") else ""
        if transport is not None and target is not None:
            hosts[name] = Host(name, transport, target)
    return hosts


def _sites(reader: Reader, hosts: dict[str, Host]) -> dict[str, Site]:
    section = reader.section("sites", "a mapping of site names")
    sites: dict[str, Site] = {}
    pools: list[tuple[str, str, IPv4Network]] = []
    homes: dict[str, str] = {}
    shown: dict[IPv4Address, str] = {}
    for name, site in section.named_sections() if section else ():
        site.only("nat_pool", "nodes")
        pool = _pool(site, name, pools)
        nodes = _nodes(site, name, hosts, homes, shown)
        if pool is not None:
            sites[name] = Site(name, pool, tuple(nodes))
    return sites


def _pool(site: Reader, site_name: str, pools: list[tuple[str, str, IPv4Network]]) -> NatPool | None:
    section = site.section("nat_pool", "a mapping with name and network")
    if section is None:
        return None
    section.only("name", "network")
    name, network = section.name("name"), section.network("network")
    if name is None or network is None:
        return None
    for other_site, other, taken in pools:
        if network.overlaps(taken):
            line = section.line_of("network")
            section.problem(
                line,
                "network",
                f"{network} overlaps NAT pool {other} of site {other_site} ({taken})",
                "a network that no other NAT pool overlaps",
            )
        if name == other:
            section.problem(
                section.line_of("name"),
                "name",
                f"{name} is the NAT pool of site {other_site} too",
                "a name that no other NAT pool has",
            )
    pools.append((site_name, name, network))
    return NatPool(name, network)


def _nodes(
    site: Reader, site_name: str, hosts: dict[str, Host], homes: dict[str, str], shown: dict[IPv4Address, str]
) -> list[Node]:
    section = site.section("nodes", "a mapping of node names")
    nodes: list[Node] = []
    for name, node in section.named_sections() if section else ():
        node.only("host", "addresses")
        if name in homes:
            node.problem(node.line, "", f"node {name} is in site {homes[name]} already", "each node in one site")
        homes.setdefault(name, site_name)
        host = node.choice("host", hosts, "host of the inventory")
        addresses = []
        for line, text in node.names("addresses", "a list of IPv4 addresses"):
            address = node.checked_address(text, "addresses", line)
            if address is not None and shown.setdefault(address, name) != name:
                node.problem(
                    line,
                    "addresses",
                    f"{address} is an address of node {shown[address]} too",
                    "addresses that no other node has",
                )
            if address is not None:
                addresses.append(address)
        if host is not None:
            nodes.append(Node(name, host, tuple(addresses)))
    return nodes


def _vantages(reader: Reader, hosts: dict[str, Host]) -> dict[str, Vantage]:
    section = reader.section("vantages", "a mapping of vantage names")
    vantages: dict[str, Vantage] = {}
    for name, vantage in section.named_sections() if section else ():
        vantage.only("host", "sessions", "period_s")
        host = vantage.choice("host", hosts, "host of the inventory")
        sessions = vantage.whole("sessions", 1, 1_000)
        period_s = vantage.number("period_s", 0.005, 10)
        if host is not None and sessions is not None and period_s is not None:
            vantages[name] = Vantage(name, host, sessions, period_s)
    return vantages


def _targets(reader: Reader, hosts: dict[str, Host]) -> set[str]:
    if not reader.has("allowed_targets"):
        return set()  # nothing may be touched
    targets = set()
    for line, name in reader.names("allowed_targets", "a list of host names; leave the key out to allow none"):
        if name not in hosts:
            reader.problem(line, "allowed_targets", f"{name} is no host of the inventory", ", ".join(sorted(hosts)))
        targets.add(name)
    return targets
