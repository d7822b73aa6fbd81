"""The health checks of the lab, as commands: `rhi NODE`, `pool NODE`, `servers NODE`.

`rhi` enables or disables BIRD's route to a VIP when health changes; it is called by the name of the route. On a site
router it asks the VIP through its own site's floating address; on a load balancer, whether it is active and serves.
It acts on changes only: a route that somebody else withdrew stays withdrawn while the VIP is healthy.
`pool` asks each application server and loads the node's rules again when one comes or goes. `servers` asks them once
and exits with 0 when one answers.
"""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from lab import balancing, flavours
from lab.topology import PORT, RUN, Plan

CHECK_EVERY_S = 0.3
CHECK_TIMEOUT_S = 0.4
START_CHECKS = 15
"""So many failures more does a site get that has just been started."""


@dataclass(frozen=True, slots=True)
class Health:
    """A judgement with hysteresis: `streak` checks in a row spoke against `up`."""

    up: bool
    streak: int = 0

    def after(self, passed: bool, rise: int, fall: int) -> Health:
        """Return the judgement after one more check; it flips after `rise` good or `fall` bad ones in a row."""
        if passed == self.up:
            return replace(self, streak=0)
        streak = self.streak + 1
        return Health(not self.up) if streak >= (rise if passed else fall) else replace(self, streak=streak)


def answers(address: str, source: str | None, ask: bool = False) -> bool:
    """Tell whether a TCP connection to `address` opens in time. It is closed by a reset, to leave no state behind.

    With `ask`, also whether a question is answered: a proxy opens connections whether or not it has a server.
    """
    with socket.socket() as connection:
        connection.settimeout(CHECK_TIMEOUT_S)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        try:
            if source:
                connection.bind((source, 0))
            connection.connect((address, PORT))
            if ask:
                connection.sendall(b"W health\n")
                return bool(connection.recv(128))
        except OSError:
            return False
    return True


def watch_vip(plan: Plan, router: str, protocol: str) -> None:
    """Keep BIRD's route to a VIP in step with the VIP's health as seen through this site. Does not return.

    Three failures in a row take longer than a takeover inside the pair, so a node failover moves no route.
    """
    source = plan.site_of(router).router_address
    vip = next(vip for vip in plan.vips if vip.protocol == protocol)
    # As the daemon starts: its route is there.
    health = Health(up=True, streak=-START_CHECKS)
    _watch(health, lambda: answers(vip.address, source, ask=plan.proxy), 3, lambda verb: _tell(router, verb, protocol))


def watch_node(plan: Plan, node: str) -> None:
    """Keep what this node announces in step with whether it is active and serves. Does not return.

    It announces at once when it becomes active, and withdraws after three failures, when its peer announces.
    """

    def tell(verb: str) -> None:
        for vip in plan.vips:
            _tell(node, verb, vip.protocol)

    healthy = [f"{RUN}/{node}.healthy"]
    _watch(Health(up=False), lambda: subprocess.run(healthy, check=False, timeout=5).returncode == 0, 1, tell)


def _watch(health: Health, passes: Callable[[], bool], rise: int, tell: Callable[[str], None]) -> None:
    def check() -> None:
        nonlocal health
        after = health.after(passes(), rise=rise, fall=3)
        if after.up != health.up:
            tell("enable" if after.up else "disable")
        health = after

    _every(check)


def _tell(node: str, verb: str, protocol: str) -> None:
    subprocess.run(["birdc", "-s", f"/run/bird/{node}.ctl", verb, protocol], check=True, timeout=5)


def watch_pool(plan: Plan, node: str) -> None:
    """Keep the node's rules in step with the health of the application servers. Does not return."""
    healths = {address: Health(up=True) for address in plan.servers.values()}
    _load(plan, node, list(healths))

    def check() -> None:
        before = [address for address, health in healths.items() if health.up]
        for address, health in healths.items():
            healths[address] = health.after(answers(address, None), rise=2, fall=2)
        after = [address for address, health in healths.items() if health.up]
        if after != before:
            _load(plan, node, after)

    _every(check)


def _load(plan: Plan, node: str, servers: list[str]) -> None:
    path = Path(RUN, f"{node}.nft")
    new = path.with_suffix(".nft.new")
    new.write_text(balancing.nftables(plan, node, servers))
    new.rename(path)
    subprocess.run(["nft", "-f", str(path)], check=True, timeout=5)


def _every(check: Callable[[], None]) -> None:
    due_s = time.monotonic()
    while True:
        try:
            check()
        except (OSError, subprocess.SubprocessError) as error:
            # The daemon that is told may be down just now; the next change tells it again.
            sys.stderr.write(f"{error}\n")
        due_s = max(due_s + CHECK_EVERY_S, time.monotonic())
        time.sleep(max(0.0, due_s - time.monotonic()))


def main() -> None:
    """Run the check that the first argument names, at the node that the second names."""
    what, node = sys.argv[1:]
    Path("/proc/self/comm").write_text(what)  # so that a fault can tell it from any other Python
    plan = flavours.here()
    if what == "pool":
        watch_pool(plan, node)
    elif what == "servers":
        sys.exit(not any(answers(address, None) for address in plan.servers.values()))
    elif node in plan.routers:
        watch_vip(plan, node, what)
    else:
        watch_node(plan, node)


if __name__ == "__main__":
    main()
