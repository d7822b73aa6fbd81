"""Two routers on one link, each in a namespace: `box`, which faults are injected into, and a BIRD that hears of it."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from chaos.transport import at
from core.inventory import Host
from tests.waiting import wait_for

_NUMBERS = itertools.count()
BOX, PEER = "10.9.0.2", "10.9.0.1"
BOX_AS, PEER_AS = 65001, 65100
VIP = "192.0.2.80/32"
LEARNED = "192.0.2.200/32"
"""The peer announces it, by BGP."""
BGP = f"""log stderr all;
router id {PEER};
protocol device {{ scan time 1; }}
protocol static learned {{ ipv4; route {LEARNED} blackhole; }}
protocol bgp box {{
  local {PEER} as {PEER_AS};
  neighbor {BOX} as {BOX_AS};
  direct;
  hold time 9;
  connect delay time 1;
  connect retry time 1;
  error wait time 1, 1;
  ipv4 {{ import all; export where proto = "learned"; }};
}}
"""
OSPF = f"""log stderr all;
router id {PEER};
protocol device {{ scan time 1; }}
protocol ospf v2 backbone {{
  tick 1;
  ipv4 {{ import all; export none; }};
  area 0 {{ interface "wire" {{ type ptp; hello 1; dead count 4; retransmit 2; cost 10; }}; }};
}}
"""


@dataclass(frozen=True)
class Pair:
    """The two, and where their files are."""

    box: Host
    peer: Host
    directory: Path

    def seen(self, prefix: str = VIP) -> str:
        """Return what the peer's BIRD has of the route, with its attributes, on one line; '' when it has none."""
        argv = ["birdc", "-s", str(self.directory / "peer.ctl"), "show", "route", prefix, "all"]
        _, found, rest = at(self.peer).look(argv).out.partition(prefix)
        return " ".join((found + rest).split())

    def ctl(self) -> str:
        """Return the control socket of a BIRD that is `box`."""
        return str(self.directory / "box.ctl")


@contextlib.contextmanager
def pair(directory: Path, peer: str) -> Iterator[Pair]:
    """Yield the two, the peer with the configuration `peer`."""
    number = next(_NUMBERS)
    names = f"vrb{number}-{os.getpid()}", f"vrp{number}-{os.getpid()}"
    with contextlib.ExitStack() as stack:
        for name in names:
            ip("netns", "add", name)
            stack.callback(ip, "netns", "del", name)
            ip("-n", name, "link", "set", "lo", "up")
        ip("-n", names[0], "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", names[1])
        for name, address in zip(names, (BOX, PEER), strict=True):
            ip("-n", name, "address", "add", f"{address}/24", "dev", "wire")
            ip("-n", name, "link", "set", "wire", "up")
        found = Pair(Host("box", "netns", names[0]), Host("peer", "netns", names[1]), directory)
        stack.enter_context(bird(found.peer, directory, "peer", peer))
        yield found


@contextlib.contextmanager
def bird(host: Host, directory: Path, name: str, configuration: str) -> Iterator[None]:
    """Run a BIRD with the control socket `NAME.ctl` and the configuration `NAME.conf` in `directory`."""
    base = directory / name
    base.with_suffix(".conf").write_text(configuration)
    command = ["bird", "-f", "-c", f"{base}.conf", "-s", f"{base}.ctl", "-P", f"{base}.pid"]
    with running(host, command, base.with_suffix(".log")):
        wait_for(base.with_suffix(".ctl").exists, 5)
        yield


@contextlib.contextmanager
def running(
    host: Host, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Run a daemon in the foreground of a namespace."""
    whole = ["ip", "netns", "exec", host.target, *command]
    variables = {**os.environ, **(environment or {})}
    with log.open("w") as file, subprocess.Popen(whole, stdout=file, stderr=file, env=variables) as daemon:
        try:
            yield
        finally:
            daemon.terminate()
            try:
                daemon.wait(3)
            except subprocess.TimeoutExpired:
                daemon.kill()


def ip(*words: str) -> None:
    """Run `ip`, which must succeed."""
    subprocess.run(["ip", *words], check=True)
