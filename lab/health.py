"""The two health checks of the lab, as commands: `rhi NODE` on a site router, `pool NODE` on a load balancer.

`rhi` asks the VIP through its own site's floating address and enables or disables BIRD's route to it when health
changes. It acts on changes only: a route that somebody else withdrew stays withdrawn while the VIP is healthy.
`pool` asks each application server and loads the node's rules again when one comes or goes.
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

from lab import configs
from lab.topology import PORT, SERVERS, VIP, site_of

CHECK_EVERY_S = 0.3
CHECK_TIMEOUT_S = 0.4


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


def answers(address: str, source: str | None) -> bool:
    """Tell whether a TCP connection to `address` opens in time. It is closed by a reset, to leave no state behind."""
    with socket.socket() as connection:
        connection.settimeout(CHECK_TIMEOUT_S)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        try:
            if source:
                connection.bind((source, 0))
            connection.connect((address, PORT))
        except OSError:
            return False
    return True


def watch_vip(router: str) -> None:
    """Keep BIRD's route to the VIP in step with the VIP's health as seen through this site. Does not return.

    Three failures in a row take longer than a takeover inside the pair, so a node failover moves no route.
    """
    site = site_of(router)
    health = Health(up=False)

    def check() -> None:
        nonlocal health
        after = health.after(answers(VIP, site.router_address), rise=3, fall=3)
        if after.up != health.up:
            verb = "enable" if after.up else "disable"
            subprocess.run(["birdc", "-s", f"/run/bird/{router}.ctl", verb, "rhi"], check=True, timeout=5)
        health = after

    _every(check)


def watch_pool(node: str) -> None:
    """Keep the node's rules in step with the health of the application servers. Does not return."""
    healths = {address: Health(up=True) for address in SERVERS.values()}
    _load(node, list(healths))

    def check() -> None:
        before = [address for address, health in healths.items() if health.up]
        for address, health in healths.items():
            healths[address] = health.after(answers(address, None), rise=2, fall=2)
        after = [address for address, health in healths.items() if health.up]
        if after != before:
            _load(node, after)

    _every(check)


def _load(node: str, servers: list[str]) -> None:
    path = Path(configs.RUN, f"{node}.nft")
    new = path.with_suffix(".nft.new")
    new.write_text(configs.nftables(node, servers))
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


if __name__ == "__main__":
    {"rhi": watch_vip, "pool": watch_pool}[sys.argv[1]](sys.argv[2])
