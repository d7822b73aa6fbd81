"""What the lab looks like now, asked of the kernel and the daemons themselves. Runs inside the lab."""

from __future__ import annotations

import dataclasses
import json
import re
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from lab import flavours
from lab.links import inside
from lab.topology import PORT, RUN, VIP, Plan, Vip

ASK_TIMEOUT_S = 0.5


@dataclass(frozen=True, slots=True)
class Status:
    """One look at the lab. `missing` says in words what keeps it from being ready; empty when it is.

    `announced_by` is of the first VIP, `announcers` of each by name. `bgp` tells for each node that speaks it whether
    its session is up. A router that balances has several next hops: r1+r2.
    """

    flavours: tuple[str, ...]
    namespaces: tuple[str, ...]
    daemons: dict[str, bool]
    masters: dict[str, tuple[str, ...]]
    neighbours_full: dict[str, int]
    announced_by: tuple[str, ...]
    announcers: dict[str, tuple[str, ...]]
    bgp: dict[str, bool]
    pools: dict[str, tuple[str, ...]]
    next_hops: dict[str, str]
    answered_from: dict[str, str]
    missing: tuple[str, ...]

    @property
    def ready(self) -> bool:
        """Whether all is as it is when nothing is broken."""
        return not self.missing


def look() -> Status:
    """Ask everything and return what was found; a daemon that does not answer shows as missing, not as an error."""
    plan = flavours.here()
    announcers = {vip.name: _announcers(plan, vip) for vip in plan.vips}
    found = Status(
        flavours=plan.flavours,
        namespaces=tuple(name for name in plan.namespaces if Path("/run/netns", name).exists()),
        daemons={f"{node}.{daemon}": alive(node, daemon) for node, daemon in plan.daemons},
        masters={
            site.name: tuple(node for node in site.nodes if site.floating in _run("ip", "-n", node, "-4", "addr"))
            for site in plan.sites
        },
        neighbours_full={router: _neighbours_full(plan, router) for router in plan.routers},
        announced_by=announcers[VIP.name],
        announcers=announcers,
        bgp={node: _session_up(plan, node) for node in plan.nodes} if plan.rhi == "bgp" else {},
        pools={node: _pool(plan, node) for node in plan.nodes},
        next_hops={router: "+".join(_next_hops(router, VIP)) for router in plan.access},
        answered_from={client: ask(client, VIP) for client in plan.clients},
        missing=(),
    )
    return dataclasses.replace(found, missing=tuple(_missing(plan, found)))


def _missing(plan: Plan, status: Status) -> list[str]:
    missing = [f"namespace {name}" for name in plan.namespaces if name not in status.namespaces]
    missing += [f"daemon {name}" for name, up in status.daemons.items() if not up]
    missing += _missing_in_sites(plan, status)
    for router, full in status.neighbours_full.items():
        wanted = sum(router in link[:2] for link in plan.backbone)
        if full != wanted:
            missing.append(f"{router}: {wanted} OSPF neighbours full (now {full})")
    for node, pool in status.pools.items():
        if set(pool) != set(plan.servers.values()):
            missing.append(f"{node}: {len(plan.servers)} servers in the pool (now {', '.join(pool) or 'none'})")
    for vip in plan.vips:
        missing += _missing_of(plan, vip, status)
    return missing


def _missing_in_sites(plan: Plan, status: Status) -> list[str]:
    missing = []
    for site in plan.sites:
        masters = status.masters[site.name]
        # Without preemption whichever node was first stays active.
        if masters != site.nodes[:1] and (plan.preemption or len(masters) != 1):
            wanted = site.nodes[0] if plan.preemption else "one node"
            missing.append(f"{site.name}: {wanted} alone holding the floating address")
        missing += [
            f"{site.name}: route to {vip.address} announced by {site.router}"
            for vip in plan.vips
            if site.name not in status.announcers[vip.name]
        ]
    return missing + [f"{node}: BGP session with its site router" for node, up in status.bgp.items() if not up]


def _missing_of(plan: Plan, vip: Vip, status: Status) -> list[str]:
    """Return what is missing at the access routers and clients of one VIP; the first is what `status` is about."""
    missing = []
    for router in plan.access:
        nearest = {site.router for site in plan.nearest(router)}
        now = status.next_hops[router].split("+") if vip == VIP else _next_hops(router, vip)
        if set(now) != nearest:
            way = f"{vip.address} routed to {' and '.join(sorted(nearest))}"
            missing.append(f"{router}: {way} (now {' and '.join(now) or 'none'})")
    for client, (router, _) in plan.clients.items():
        wanted = [site.name for site in plan.nearest(router)]
        answered = status.answered_from[client] if vip == VIP else ask(client, vip)
        if answered not in wanted:
            missing.append(f"{client}: answered by {' or '.join(wanted)} (now {answered or 'nobody'})")
    return missing


def alive(node: str, daemon: str) -> bool:
    """Tell whether the daemon's recorded process runs."""
    try:
        pid = int(Path(RUN, f"{node}.{daemon}.pid").read_text())
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (OSError, ValueError, IndexError):
        return False
    return state not in "ZX"


def ask(client: str, vip: Vip) -> str:
    """Return the site that answers a new connection from `client`, by the NAT pool that its server saw; or ''."""
    try:
        with inside(client), socket.create_connection((vip.address, PORT), ASK_TIMEOUT_S) as connection:
            connection.sendall(b"W status\n")
            words = connection.recv(128).decode("ascii", "replace").split()
    except OSError:
        return ""
    seen = words[2] if len(words) > 2 else ""
    return next((site.name for site in flavours.here().sites if seen in site.pool_addresses()), "")


def _announcers(plan: Plan, vip: Vip) -> tuple[str, ...]:
    """Return the sites whose router has the route to `vip` from where the plan says it is injected."""

    def injected(router: str) -> bool:
        if plan.rhi == "bgp":
            return vip.address in _birdc(router, "show", "route", "where", "source", "=", "RTS_BGP")
        row = rf"^{vip.protocol}\s+Static\s+\S+\s+up\b"
        return bool(re.search(row, _birdc(router, "show", "protocols"), re.MULTILINE))

    return tuple(site.name for site in plan.sites if injected(site.router))


def _session_up(plan: Plan, node: str) -> bool:
    row = rf"^{node}\s+BGP\s.*\bEstablished\b"
    return bool(re.search(row, _birdc(plan.site_of(node).router, "show", "protocols"), re.MULTILINE))


def _neighbours_full(plan: Plan, router: str) -> int:
    if plan.ospf(router) == "bird":
        text = _birdc(router, "show", "ospf", "neighbors", "ospf1")
    else:
        text = _run("vtysh", "--vty_socket", f"{RUN}/{router}.frr", "-c", "show ip ospf neighbor")
    return len(re.findall(r"\bFull/", text))


def _pool(plan: Plan, node: str) -> tuple[str, ...]:
    """Return the servers that `node` sends new sessions to."""
    if plan.proxy:
        up = {row[1] for row in _haproxy_rows(node) if row[0] == "servers" and row[17].startswith(("UP", "no check"))}
        return tuple(address for server, address in plan.servers.items() if server in up)
    text = _run("ip", "netns", "exec", node, "nft", "list", "chain", "ip", "lb", "pre")
    return tuple(address for address in plan.servers.values() if re.search(rf": {re.escape(address)}\b", text))


def _haproxy_rows(node: str) -> list[list[str]]:
    """Return the rows of `show stat` of a node's HAProxy; none when it does not answer."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(ASK_TIMEOUT_S)
        try:
            connection.connect(f"{RUN}/{node}.haproxy.sock")
            connection.sendall(b"show stat\n")
            text = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        except OSError:
            return []
    return [line.split(",") for line in text.splitlines() if line and not line.startswith("#")]


def _next_hops(router: str, vip: Vip) -> list[str]:
    return sorted(re.findall(r"\bdev (\S+)", _run("ip", "-n", router, "route", "show", vip.address)))


def _birdc(router: str, *words: str) -> str:
    return _run("birdc", "-s", f"/run/bird/{router}.ctl", *words)


def _run(*argv: str) -> str:
    try:
        return subprocess.run(argv, capture_output=True, text=True, timeout=3, check=False).stdout
    except subprocess.TimeoutExpired:
        return ""


if __name__ == "__main__":
    sys.stdout.write(json.dumps(dataclasses.asdict(look())))
