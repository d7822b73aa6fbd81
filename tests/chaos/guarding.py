"""Guards of a test's own: asking them, finding their processes, and leaving none behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from chaos import lease as leases
from chaos.drivers import DRIVERS
from chaos.guard.client import GuardClient
from chaos.transport import at
from core.inventory import Host
from core.lease import Lease, LeasedFault, LeasedSite
from tests.waiting import wait_for

LINKS = ("left", "right")
SITES = (LeasedSite("dc1", ("ace1", "ace2")), LeasedSite("dc2", ("ace3", "ace4")))
ANSWERING = ("dc1", "dc2")


def asked(
    host: Host, base: Path, name: str = "one", *links: str, run: str = "run", takes: tuple[str, ...] = ()
) -> Lease:
    """A lease on links of `host`, as a run would ask for it."""
    faults = tuple(LeasedFault(link, "link", host, {"interface": link}, {}, takes) for link in links or LINKS)
    journal = str(base / f"guard-{name}.db")
    return Lease(name, run, "exp", 0, "", journal, faults, vip="vip", sites=SITES, who="a test")


def out(host: Host) -> dict[str, bool | None]:
    """Which links are down."""
    return {link: DRIVERS["link"].is_out(at(host), {"interface": link}, {})[0] for link in LINKS}


def processes(directory: Path) -> list[int]:
    """The guard's processes, those of its keeper first."""
    found = subprocess.run(
        ["pgrep", "-f", f"chaos.guard.keeper {directory}"], capture_output=True, text=True, check=False
    )
    return [int(word) for word in found.stdout.split()]


@contextlib.contextmanager
def guarded(directory: Path, caps: Path | None = None) -> Iterator[GuardClient]:
    """A client of the directory's guard; at the end nothing is out and no process is left."""
    client = GuardClient(directory, caps or directory.parent / "no-caps.yaml")
    try:
        yield client
    finally:
        client.close()
        for path in leases.unfinished(directory):
            leases.release(path, lambda _: None, 5)
        gone(directory)


def gone(directory: Path) -> None:
    """Wait until the guard has gone by itself."""
    wait_for(lambda: not processes(directory), 10)


def kill(pid: int) -> None:
    """kill -9."""
    os.kill(pid, signal.SIGKILL)


def guard_pid(directory: Path) -> int:
    """The pid of the process that guards: the child of the other."""
    pids = processes(directory)
    return next(pid for pid in pids if _parent(pid) in pids)


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def now_ns() -> int:
    """This instant of the monotonic clock."""
    return time.monotonic_ns()
