"""Namespaces, links, addresses and routes, through netlink: the lab's one door to pyroute2."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pyroute2 import NetNS, netns

from lab.topology import Link


def build(
    namespaces: Iterable[str],
    links: Iterable[Link],
    bridges: Iterable[str],
    gateways: Mapping[str, str],
    sysctls: Mapping[str, Mapping[str, str]],
    local_addresses: Mapping[str, Iterable[str]],
) -> None:
    """Make all namespaces, veth pairs, bridges ("br"), addresses and default routes, and set the kernel settings.

    Settings are written before any interface exists, because an interface takes its own from "default".
    """
    handles = {}
    for name in namespaces:
        netns.create(name)
        _set_sysctls(name, sysctls.get(name, {}))
        handles[name] = NetNS(name)
    try:
        for handle in handles.values():
            handle.link("set", ifname="lo", state="up")
        for name in bridges:
            handles[name].link("add", ifname="br", kind="bridge")
            handles[name].link("set", ifname="br", state="up")
        for link in links:
            _connect(handles, link, frozenset(bridges))
        for name, addresses in local_addresses.items():
            for address in addresses:
                handles[name].addr(
                    "add", index=handles[name].link_lookup(ifname="lo")[0], address=address, prefixlen=32
                )
        for name, gateway in gateways.items():
            handles[name].route("add", dst="default", gateway=gateway)
    finally:
        for handle in handles.values():
            handle.close()


def _connect(handles: Mapping[str, NetNS], link: Link, bridges: frozenset[str]) -> None:
    first = handles[link.a]
    first.link("add", ifname=link.a_interface, kind="veth", peer={"ifname": link.b_interface, "net_ns_fd": link.b})
    ends = ((link.a, link.a_interface, link.a_address), (link.b, link.b_interface, link.b_address))
    for node, interface, address in ends:
        handle = handles[node]
        index = handle.link_lookup(ifname=interface)[0]
        if address:
            host, length = address.split("/")
            handle.addr("add", index=index, address=host, prefixlen=int(length))
        if node in bridges:
            handle.link("set", index=index, master=handle.link_lookup(ifname="br")[0])
        handle.link("set", index=index, state="up")


def _set_sysctls(namespace: str, settings: Mapping[str, str]) -> None:
    with inside(namespace):
        for name, value in settings.items():
            path = Path("/proc/sys", name)
            if path.exists():
                path.write_text(value)


def add_check_route(router: str, source: str, gateway: str) -> None:
    """Send what `router` itself sends from `source` to `gateway`, whatever its routing says.

    So the health check of a site goes through that site even while the route to the VIP points elsewhere.
    """
    check_table = 100
    with NetNS(router) as handle:
        handle.rule("add", src=source, src_len=32, table=check_table, priority=100)
        handle.route("add", dst="default", gateway=gateway, table=check_table)


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """Run the calling thread's body inside `namespace`; sockets opened there stay there."""
    netns.pushns(namespace)
    try:
        yield
    finally:
        netns.popns()
