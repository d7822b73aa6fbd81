"""Two namespaces and a veth pair: the VIP and its reflector at the far end, as many source addresses as are needed."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lab.client import environment

VIP = "203.0.113.10"
PORT = 7000
CLOSED_PORT = 7001
FAR = "10.99.0.1"
LARGEST_FILES = 18_000
"""Connections that one process of the reflector holds: below the usual limit of open files, 20 000."""


def source(number: int) -> str:
    """Return the near end's address number `number`."""
    return f"10.99.{1 + number // 250}.{1 + number % 250}"


@dataclass
class World:
    """The two ends. `run` and `start` execute at the near one."""

    near: str
    far: str
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def argv(self, words: list[str], *, far: bool = False) -> list[str]:
        """Return the command that runs `words` at one end."""
        return ["ip", "netns", "exec", self.far if far else self.near, *words]

    def start(self, words: list[str], *, far: bool = False, log: Path | None = None) -> subprocess.Popen[bytes]:
        """Start a program that ends with this world."""
        with (log or Path(os.devnull)).open("wb") as out:
            process = subprocess.Popen(
                self.argv(words, far=far), stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment()
            )
        self.processes.append(process)
        return process

    def must(self, words: list[str], *, far: bool = False) -> str:
        """Run a command that must succeed; return what it prints. Raises CalledProcessError."""
        return subprocess.run(
            self.argv(words, far=far), check=True, capture_output=True, text=True, env=environment()
        ).stdout


@contextlib.contextmanager
def world(sources: int = 1, sessions: int = 100) -> Iterator[World]:
    """Bring both ends up, with a reflector that can hold `sessions`; take them down."""
    tag = f"vcb{os.getpid()}"
    found = World(f"{tag}n", f"{tag}f")
    try:
        for name in (found.near, found.far):
            subprocess.run(["ip", "netns", "add", name], check=True)
        found.must(["ip", "link", "add", "uplink", "type", "veth", "peer", "downlink", "netns", found.far])
        for far, link, address in ((False, "uplink", "10.99.0.2/16"), (True, "downlink", f"{FAR}/16")):
            found.must(["ip", "link", "set", "lo", "up"], far=far)
            found.must(["ip", "address", "add", address, "dev", link], far=far)
            found.must(["ip", "link", "set", link, "up"], far=far)
        for number in range(sources):
            found.must(["ip", "address", "add", f"{source(number)}/16", "dev", "uplink"])
        found.must(["ip", "route", "add", VIP, "via", FAR])
        found.must(["ip", "address", "add", f"{VIP}/32", "dev", "lo"], far=True)
        found.must(["sysctl", "-qw", "net.ipv4.icmp_ratelimit=0", "net.ipv4.tcp_max_syn_backlog=65536"], far=True)
        reflector = [sys.executable, "-m", "probe.reflector", "--name", "s1", "--port", str(PORT)]
        processes = -(-sessions // LARGEST_FILES)
        found.start([*reflector, "--processes", str(processes), "--most", str(LARGEST_FILES)], far=True)
        _wait(lambda: found.must(["ss", "-Hltn"], far=True).count(f":{PORT} ") >= processes)
        yield found
    finally:
        for process in found.processes:
            process.terminate()
        for process in found.processes:
            process.wait()
        for name in (found.near, found.far):
            subprocess.run(["ip", "netns", "del", name], check=False)


def _wait(condition: object, within_s: float = 20.0) -> None:
    until_s = time.monotonic() + within_s
    while not condition():  # type: ignore[operator]
        if time.monotonic() > until_s:
            raise TimeoutError(f"not within {within_s} s: {condition}")
        time.sleep(0.02)
