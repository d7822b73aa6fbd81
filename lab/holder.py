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

from lab import configs, flavours, links
from lab.status import look
from lab.topology import RUN, Plan

READY_WITHIN_S = 40.0
LEASES = Path("/run/vipchaos/leases")
LEASES_WITHIN_S = 120.0
LOOK_AGAIN_S = 0.25


def build(plan: Plan) -> None:
    """Make the whole network and start every daemon. Raises OSError or CalledProcessError when one fails."""
    _mount_tmpfs("/run")
    for name in ("netns", "bird", "lab/start", "vipchaos/leases", "lock"):
        Path("/run", name).mkdir(parents=True)
    for path, (text, mode) in configs.files(plan, sys.executable).items():
        Path(path).write_text(text)
        Path(path).chmod(mode)
    flavours.write_here(plan)
    links.build(
        plan.namespaces,
        plan.links(),
        plan.switches,
        plan.default_routes(),
        {name: plan.sysctls(name) for name in plan.namespaces},
        plan.local_addresses(),
    )
    # Of the router's own health check; where nodes speak BGP, it would send what is for the standby through the active.
    for site in plan.sites if plan.rhi == "static" else ():
        links.add_check_route(site.router, site.router_address, site.floating)
    for node in () if plan.proxy else plan.nodes:
        subprocess.run(["ip", "netns", "exec", node, "nft", "-f", f"{RUN}/{node}.nft"], check=True)
    starts = [(node, daemon, subprocess.Popen([f"{RUN}/start/{node}.{daemon}"])) for node, daemon in plan.daemons]
    for node, daemon, start in starts:
        if start.wait():
            raise OSError(f"{node}.{daemon} did not start; its words are in {RUN}/{node}.{daemon}.out")


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
    parser.add_argument("--flavour", nargs="*", default=[], help="how it differs from the lab of the demo")
    parser.add_argument("--state", type=Path, nargs="*", default=[], help="files to remove at the end")
    arguments = parser.parse_args()
    try:
        build(flavours.planned(arguments.flavour))
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
