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

from lab.configs import RUN
from lab.links import inside
from lab.topology import ACCESS, BACKBONE, CLIENTS, DAEMONS, NAMESPACES, NODES, PORT, ROUTERS, SERVERS, SITES, VIP

ASK_TIMEOUT_S = 0.5


@dataclass(frozen=True, slots=True)
class Status:
    """One look at the lab. `missing` says in words what keeps it from being ready; empty when it is."""

    namespaces: tuple[str, ...]
    daemons: dict[str, bool]
    masters: dict[str, tuple[str, ...]]
    neighbours_full: dict[str, int]
    announced_by: tuple[str, ...]
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
    namespaces = tuple(name for name in NAMESPACES if Path("/run/netns", name).exists())
    daemons = {f"{node}.{daemon}": alive(node, daemon) for node, daemon in DAEMONS}
    masters = {
        site.name: tuple(node for node in site.nodes if site.floating in _run("ip", "-n", node, "-4", "addr"))
        for site in SITES
    }
    full = {
        router: len(re.findall(r"\bFull/", _birdc(router, "show", "ospf", "neighbors", "ospf1"))) for router in ROUTERS
    }
    announced = tuple(
        site.name
        for site in SITES
        if re.search(r"^rhi\s+Static\s+\S+\s+up\b", _birdc(site.router, "show", "protocols"), re.MULTILINE)
    )
    pools = {node: _pool(node) for node in NODES}
    next_hops = {router: _next_hop(router) for router in ACCESS}
    answered = {client: ask(client) for client in CLIENTS}
    found = Status(namespaces, daemons, masters, full, announced, pools, next_hops, answered, ())
    return dataclasses.replace(found, missing=tuple(_missing(found)))


def _missing(status: Status) -> list[str]:
    missing = [f"namespace {name}" for name in NAMESPACES if name not in status.namespaces]
    missing += [f"daemon {name}" for name, up in status.daemons.items() if not up]
    for site in SITES:
        if status.masters[site.name] != site.nodes[:1]:
            missing.append(f"{site.name}: {site.nodes[0]} alone holding the floating address")
        if site.name not in status.announced_by:
            missing.append(f"{site.name}: route to the VIP announced by {site.router}")
    for router, full in status.neighbours_full.items():
        wanted = sum(router in link[:2] for link in BACKBONE)
        if full != wanted:
            missing.append(f"{router}: {wanted} OSPF neighbours full (now {full})")
    for node, pool in status.pools.items():
        if set(pool) != set(SERVERS.values()):
            missing.append(f"{node}: both servers in the pool (now {', '.join(pool) or 'none'})")
    for number, router in enumerate(ACCESS):
        if status.next_hops[router] != SITES[number].router:
            missing.append(f"{router}: VIP routed to {SITES[number].router} (now {status.next_hops[router] or 'none'})")
    for client, (router, _) in CLIENTS.items():
        wanted_pool = SITES[ACCESS.index(router)].name
        if status.answered_from[client] != wanted_pool:
            missing.append(f"{client}: answered by {wanted_pool} (now {status.answered_from[client] or 'nobody'})")
    return missing


def alive(node: str, daemon: str) -> bool:
    """Tell whether the daemon's recorded process runs."""
    try:
        pid = int(Path(RUN, f"{node}.{daemon}.pid").read_text())
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (OSError, ValueError, IndexError):
        return False
    return state not in "ZX"


def ask(client: str) -> str:
    """Return the site that answers a new connection from `client`, by the NAT pool that its server saw; or ''."""
    try:
        with inside(client), socket.create_connection((VIP, PORT), ASK_TIMEOUT_S) as connection:
            connection.sendall(b"W status\n")
            words = connection.recv(128).decode("ascii", "replace").split()
    except OSError:
        return ""
    seen = words[2] if len(words) > 2 else ""
    return next((site.name for site in SITES if seen.startswith(site.nat_pool.rsplit(".", 1)[0] + ".")), "")


def _pool(node: str) -> tuple[str, ...]:
    text = _run("ip", "netns", "exec", node, "nft", "list", "chain", "ip", "lb", "pre")
    return tuple(address for address in SERVERS.values() if re.search(rf": {re.escape(address)}\b", text))


def _next_hop(router: str) -> str:
    found = re.search(r"\bdev (\S+)", _run("ip", "-n", router, "route", "get", VIP))
    return found[1] if found else ""


def _birdc(router: str, *words: str) -> str:
    return _run("birdc", "-s", f"/run/bird/{router}.ctl", *words)


def _run(*argv: str) -> str:
    try:
        return subprocess.run(argv, capture_output=True, text=True, timeout=3, check=False).stdout
    except subprocess.TimeoutExpired:
        return ""


if __name__ == "__main__":
    sys.stdout.write(json.dumps(dataclasses.asdict(look())))
