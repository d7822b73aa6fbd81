"""Process 1 of a lab: makes the network, starts its daemons, reaps, and by its end takes everything along.

It runs in mount, pid and net (and, without privilege, user) namespaces of its own, so that the kernel itself
removes every process, namespace, rule and file of the lab when it dies, however it dies.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

from lab import configs, links, topology
from lab.status import look

READY_WITHIN_S = 40.0
LEASES = Path("/run/vipchaos/leases")
LEASES_WITHIN_S = 120.0
LOOK_AGAIN_S = 0.25


def build() -> None:
    """Make the whole network and start every daemon. Raises OSError or CalledProcessError when one fails."""
    _mount_tmpfs("/run")
    for name in ("netns", "bird", "lab/start", "vipchaos/leases", "lock"):
        Path("/run", name).mkdir(parents=True)
    for path, (text, mode) in configs.files(sys.executable).items():
        Path(path).write_text(text)
        Path(path).chmod(mode)
    links.build(
        topology.NAMESPACES,
        topology.links(),
        topology.SWITCHES,
        topology.default_routes(),
        {name: topology.sysctls(name) for name in topology.NAMESPACES},
    )
    for site in topology.SITES:
        links.add_check_route(site.router, site.router_address, site.floating)
    for node in topology.NODES:
        subprocess.run(["ip", "netns", "exec", node, "nft", "-f", f"{configs.RUN}/{node}.nft"], check=True)
    starts = [
        (node, daemon, subprocess.Popen([f"{configs.RUN}/start/{node}.{daemon}"])) for node, daemon in topology.DAEMONS
    ]
    for node, daemon, start in starts:
        if start.wait():
            raise OSError(f"{node}.{daemon} did not start; its words are in {configs.RUN}/{node}.{daemon}.out")


def _mount_tmpfs(target: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tmpfs", target.encode(), b"tmpfs", 0, b"mode=755"):
        raise OSError(ctypes.get_errno(), f"mounting a tmpfs on {target}")


def wait_ready() -> str:
    """Return '' once the lab is ready, or what was still missing after the time allowed."""
    deadline_s = time.monotonic() + READY_WITHIN_S
    while True:
        missing = look().missing
        if not missing:
            return ""
        if time.monotonic() > deadline_s:
            return "; ".join(missing)
        time.sleep(LOOK_AGAIN_S)


def hold(lifeline: int | None) -> None:
    """Reap orphans until told to end; at the end of the lifeline wait for leases that are still out."""
    stopping = False

    def stop(_signal: int, _frame: object) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    watched = [] if lifeline is None else [lifeline]
    while not stopping:
        readable, _, _ = select.select(watched, [], [], 0.2)
        _reap()
        if readable and not os.read(readable[0], 64):
            break
    deadline_s = time.monotonic() + LEASES_WITHIN_S
    while not stopping and any(LEASES.iterdir()) and time.monotonic() < deadline_s:
        time.sleep(0.1)
        _reap()


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def main() -> None:
    """Build, say READY or what failed on the descriptor given, and hold."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--ready", type=int, required=True)
    parser.add_argument("--lifeline", type=int)
    parser.add_argument("--state", type=Path, nargs="*", default=[], help="files to remove at the end")
    arguments = parser.parse_args()
    try:
        build()
        failed = wait_ready()
    except (OSError, subprocess.SubprocessError) as error:
        failed = f"{type(error).__name__}: {error}"
    os.write(arguments.ready, (f"FAILED {failed}" if failed else "READY").encode()[: select.PIPE_BUF])
    os.close(arguments.ready)
    if not failed:
        hold(arguments.lifeline)
        for path in arguments.state:
            path.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
