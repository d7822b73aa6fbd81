"""Every file that the lab's daemons need, as a function of the plan: their texts, and the scripts that start them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from lab import balancing, routing
from lab.topology import PORT, RUN, Plan

FRR = "/usr/lib/frr"


def start_scripts(plan: Plan, python: str) -> Mapping[str, str]:
    """Return the start script of each daemon, by 'node.daemon'; `python` runs the lab's own monitors.

    Each is idempotent: a running daemon is left alone, files that a kill -9 leaves behind are removed, and the
    script returns when the daemon has its pid file and goes by its name.
    """
    return {f"{node}.{daemon}": _script(node, daemon, _command(node, daemon, python)) for node, daemon in plan.daemons}


def _command(node: str, daemon: str, python: str) -> list[str]:
    base = f"{RUN}/{node}.{daemon}"
    match daemon:
        case "bird":
            return ["bird", "-f", "-c", f"{base}.conf", "-s", f"/run/bird/{node}.ctl"]
        case "keepalived":
            return [
                "keepalived",
                "-n",
                "-l",
                "-P",
                "-f",
                f"{base}.conf",
                "-p",
                f"{base}.parent.pid",
                "-r",
                f"{base}.vrrp.pid",
            ]
        case "conntrackd":
            return ["conntrackd", "-C", f"{base}.conf"]
        case "haproxy":
            return ["haproxy", "-db", "-f", f"{base}.conf"]
        case "zebra" | "ospfd":
            own = f"{RUN}/{node}.frr"
            paths = ["-f", f"{base}.conf", "-i", f"{own}/{daemon}.pid", "-z", f"{own}/zserv", "--vty_socket", own]
            return [f"{FRR}/{daemon}", *paths]
        case "exabgp":
            settings = ("daemon.user=root", "daemon.drop=false", "api.ack=false", "api.cli=false", "tcp.bind=")
            return ["env", *(f"exabgp.{setting}" for setting in settings), "exabgp", f"{base}.conf"]
        case "reflector":
            return [python, "-m", "probe.reflector", "--name", node, "--port", str(PORT)]
        case _:
            return [python, "-m", "lab.health", daemon, node]


def _script(node: str, daemon: str, command: Sequence[str]) -> str:
    base = f"{RUN}/{node}.{daemon}"
    left_behind = {
        "conntrackd": f"{base}.lock {base}.sock",
        "keepalived": f"{base}.parent.pid {base}.vrrp.pid",
        "bird": f"/run/bird/{node}.ctl",
    }.get(daemon, "")
    clean = f"rm -f {left_behind}\n" if left_behind else ""
    if daemon in ("zebra", "ospfd"):
        # FRR's daemons leave root, and put their sockets here.
        clean += f"install -d -o frr -g frrvty -m 750 {RUN}/{node}.frr\n"
    # The daemon replaces the shell that wrote its own pid, so the file is right whatever the daemon does itself.
    return f"""#!/bin/sh
# Starts {daemon} on {node} unless it runs; returns when it does.
if [ -s {base}.pid ] && kill -0 "$(cat {base}.pid)" 2>/dev/null; then exit 0; fi
rm -f {base}.pid
{clean}setsid ip netns exec {node} sh -c 'echo $$ > {base}.pid.new && mv {base}.pid.new {base}.pid && exec "$@"' \\
  sh {shlex.join(command)} </dev/null >>{base}.out 2>&1 &
for _ in $(seq 200); do
  [ -s {base}.pid ] && [ "$(cat /proc/"$(cat {base}.pid)"/comm)" = {daemon} ] && exit 0
  sleep 0.02
done
echo "{daemon} on {node} did not start" >&2
exit 1
"""


def files(plan: Plan, python: str) -> Mapping[str, tuple[str, int]]:
    """Return every file that the daemons need, as path -> (text, mode)."""
    texts = {(node, daemon): _text(plan, node, daemon) for node, daemon in plan.daemons}
    found = {f"{RUN}/{node}.{daemon}.conf": (text, 0o644) for (node, daemon), text in texts.items() if text}
    for site in plan.sites:
        # Replaced by a fault that drains the site by metric.
        found[f"{RUN}/{site.router}.metric.conf"] = ("define chaos_metric = 0;\n", 0o644)
    for node in plan.nodes:
        found[f"{RUN}/{node}.notify"] = (balancing.notify(plan, node), 0o755)
        if not plan.proxy:
            found[f"{RUN}/{node}.nft"] = (balancing.nftables(plan, node, list(plan.servers.values())), 0o644)
        if plan.rhi == "bgp":
            found[f"{RUN}/{node}.healthy"] = (balancing.healthy(plan, node, python), 0o755)
    for name, text in start_scripts(plan, python).items():
        found[f"{RUN}/start/{name}"] = (text, 0o755)
    return found


def _text(plan: Plan, node: str, daemon: str) -> str:
    """Return the configuration of a daemon; '' when it has none."""
    match daemon:
        case "bird":
            return routing.bird(plan, node) if node in plan.routers else routing.node_bird(plan, node)
        case "ospfd":
            return routing.ospfd(plan, node)
        case "zebra":
            return f"hostname {node}\nlog stdout\n"
        case "exabgp":
            return routing.exabgp(plan, node)
        case "keepalived":
            return balancing.keepalived(plan, node)
        case "conntrackd":
            return balancing.conntrackd(plan, node)
        case "haproxy":
            return balancing.haproxy(plan, node)
        case _:
            return ""
