"""Reads and checks an inventory: every rule that makes one sound is here."""

from __future__ import annotations

import re

from core.host_reader import read_hosts
from core.inventory import (
    Address,
    Announces,
    Host,
    Inventory,
    Mode,
    NatPool,
    Network,
    Node,
    Pattern,
    Service,
    Site,
    Vantage,
    Vip,
)
from core.rails_reader import read_rails
from core.reader import Reader
from core.shapes import (
    AGENTS,
    ANNOUNCES,
    INVENTORY,
    MOST_SOURCES,
    NAT_POOL,
    NODE,
    PATTERN,
    SERVICE,
    SITE,
    VANTAGE,
    VIP,
)
from core.yaml_nodes import Mapping, Problems

SESSIONS_A_SOURCE = 20_000
VANTAGE_TRANSPORTS = ("local", "netns")


def read_inventory(root: Mapping, problems: Problems) -> Inventory | None:
    """Return the inventory, or None with the reasons among the problems."""
    reader = Reader(root, "", problems)
    reader.only(*INVENTORY)
    hosts = read_hosts(reader)
    vip = _vip(reader)
    sites = _sites(reader, hosts)
    vantages = _vantages(reader, hosts, vip)
    targets = _targets(reader, hosts)
    rails = read_rails(reader)
    if problems or vip is None:
        return None
    return Inventory(vip, sites, vantages, hosts, frozenset(targets), rails)


def _vip(reader: Reader) -> Vip | None:
    section = reader.section("vip", "a mapping with name, address and port")
    if section is None:
        return None
    section.only(*VIP)
    name, address = section.name("name"), section.address("address")
    port = section.whole("port", *VIP["port"].whole_range)
    service = _service(section, str(address)) if section.has("service") else Service()
    if address is not None and (address.is_multicast or address.is_unspecified or int(address) == 0xFFFF_FFFF):
        section.problem(section.line_of("address"), "address", f"is {address}", "an address that one host can have")
        return None
    if name is None or address is None or port is None or service is None:
        return None
    return Vip(name, address, port, service)


def _service(vip: Reader, address: str) -> Service | None:
    section = vip.section("service", "a mapping with mode")
    mode = section.choice("mode", Mode, "mode") if section else None
    if section is None or mode is None:
        return None
    section.only(*(name for name, key in SERVICE.items() if key.with_ is None or mode in key.with_[1]))
    if mode not in (Mode.HTTP, Mode.TLS):
        return Service(Mode(mode))
    # Inside TLS nothing is asked, unless something here says what.
    asked = mode == Mode.HTTP or any(section.has(key) for key in ("client", "server", "site"))
    path = section.text("path", "a path that begins with /") if section.has("path") else "/" * asked
    host = section.name("host") if section.has("host") else address
    if path is not None and section.has("path") and not path.startswith("/"):
        section.problem(section.line_of("path"), "path", f"is {path!r}", "a path that begins with /")
    ca = section.text("ca", "the path of a PEM file of authorities") if section.has("ca") else ""
    client, server, site = (_pattern(section, key) for key in ("client", "server", "site"))
    if path is None or host is None or ca is None:
        return None
    return Service(Mode(mode), path, host, client, server, site, ca)


def _pattern(service: Reader, key: str) -> Pattern | None:
    if not service.has(key):
        return None
    section = service.section(key, "a mapping with pattern, and header where it is not in the body")
    if section is None:
        return None
    section.only(*PATTERN)
    header = section.name("header") if section.has("header") else ""
    expression = section.text("pattern", "a regular expression with one group")
    if header is None or expression is None:
        return None
    try:
        groups = re.compile(expression).groups
    except re.error as error:
        section.problem(section.line_of("pattern"), "pattern", f"is none ({error})", "a regular expression")
        return None
    if groups != 1:
        section.problem(section.line_of("pattern"), "pattern", f"has {groups} groups", "one group")
        return None
    return Pattern(header, expression)


def _sites(reader: Reader, hosts: dict[str, Host]) -> dict[str, Site]:
    section = reader.section("sites", "a mapping of site names")
    sites: dict[str, Site] = {}
    pools: list[tuple[str, str, Network]] = []
    homes: dict[str, str] = {}
    shown: dict[Address, str] = {}
    for name, site in section.named_sections() if section else ():
        site.only(*SITE)
        pool = _pool(site, name, pools)
        nodes = _nodes(site, name, hosts, homes, shown)
        if pool is not None:
            sites[name] = Site(name, pool, tuple(nodes), _announces(site, hosts))
    return sites


def _announces(site: Reader, hosts: dict[str, Host]) -> Announces | None:
    if not site.has("announces"):
        return None
    section = site.section("announces", "a mapping with host, command and shows")
    if section is None:
        return None
    section.only(*ANNOUNCES)
    host = section.choice("host", hosts, "host of the inventory")
    command = tuple(word for _, word in section.words("command", "a list: a program and its arguments"))
    shows = section.text("shows", "text that the command prints while the site announces the VIP")
    return Announces(host, command, shows) if host and command and shows else None


def _pool(site: Reader, site_name: str, pools: list[tuple[str, str, Network]]) -> NatPool | None:
    section = site.section("nat_pool", "a mapping with name and network")
    if section is None:
        return None
    section.only(*NAT_POOL)
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
    site: Reader, site_name: str, hosts: dict[str, Host], homes: dict[str, str], shown: dict[Address, str]
) -> list[Node]:
    section = site.section("nodes", "a mapping of node names")
    nodes: list[Node] = []
    for name, node in section.named_sections() if section else ():
        node.only(*NODE)
        if name in homes:
            node.problem(node.line, "", f"node {name} is in site {homes[name]} already", "each node in one site")
        homes.setdefault(name, site_name)
        host = node.choice("host", hosts, "host of the inventory")
        addresses = []
        for line, text in node.names("addresses", "a list of IP addresses"):
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


def _vantages(reader: Reader, hosts: dict[str, Host], vip: Vip | None) -> dict[str, Vantage]:
    section = reader.section("vantages", "a mapping of vantage names")
    vantages: dict[str, Vantage] = {}
    for name, vantage in section.named_sections() if section else ():
        vantage.only(*VANTAGE)
        host = vantage.choice("host", hosts, "host of the inventory")
        elsewhere = vantage.has("agent") and vantage.choice("agent", AGENTS, "agent") == "bus"
        if not elsewhere:
            _check_reach(vantage, hosts, host)
        sessions = vantage.whole("sessions", *VANTAGE["sessions"].whole_range)
        period_s = vantage.number("period_s", *VANTAGE["period_s"].range)
        if host is not None and sessions is not None and period_s is not None:
            vantages[name] = Vantage(name, host, sessions, period_s, tuple(_sources(vantage, vip, sessions)), elsewhere)
    return vantages


def _check_reach(vantage: Reader, hosts: dict[str, Host], host: str | None) -> None:
    """Note a vantage elsewhere: probes run on this machine."""
    if host is not None and hosts[host].transport not in VANTAGE_TRANSPORTS:
        vantage.problem(
            vantage.line_of("host"),
            "host",
            f"{host} is reached by {hosts[host].transport}, and probes run on this machine only",
            f"a host with transport {' or '.join(VANTAGE_TRANSPORTS)}",
        )


def _sources(vantage: Reader, vip: Vip | None, sessions: int) -> list[Address]:
    sources: list[Address] = []
    if vantage.has("sources"):
        for line, text in vantage.names("sources", "a list of addresses of the host; leave the key out for its own"):
            source = vantage.checked_address(text, "sources", line)
            if source is not None and vip is not None and source.version != vip.address.version:
                vantage.problem(line, "sources", f"{source} is not of the VIP's family", f"IPv{vip.address.version}")
            elif source is not None:
                sources.append(source)
    if sessions > SESSIONS_A_SOURCE * max(1, len(sources)):
        least = -(-sessions // SESSIONS_A_SOURCE)
        vantage.problem(
            vantage.line_of("sessions"),
            "sessions",
            f"{sessions} sessions do not find enough source ports",
            f"at most {SESSIONS_A_SOURCE} for each of `sources`, so {least} addresses",
        )
    if len(sources) > MOST_SOURCES:
        vantage.problem(vantage.line_of("sources"), "sources", "has too many", f"at most {MOST_SOURCES}")
    return sources


def _targets(reader: Reader, hosts: dict[str, Host]) -> set[str]:
    if not reader.has("allowed_targets"):
        return set()  # nothing may be touched
    targets = set()
    for line, name in reader.names("allowed_targets", "a list of host names; leave the key out to allow none"):
        if name not in hosts:
            reader.problem(line, "allowed_targets", f"{name} is no host of the inventory", ", ".join(sorted(hosts)))
        targets.add(name)
    return targets
