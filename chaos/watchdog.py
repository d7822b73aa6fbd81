"""The watchdog of one lease: a process of its own that reverts at the deadline, whoever else is dead by then.

`python -m chaos.watchdog LEASE READY` says `armed` on the descriptor READY, then waits for the lease to go
or to end. It has its own session and ignores the signals that stop a controller.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from chaos import lease as leases
from core.errors import BlockedError

LOOK_EVERY_S = 0.05
ARMED_WITHIN_S = 10.0


def start(path: Path) -> None:
    """Start the watchdog of the lease at `path` and return when it holds it. Raises BlockedError when it does not."""
    read_end, write_end = os.pipe()
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "chaos.watchdog", str(path), str(write_end)],
            pass_fds=[write_end],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(write_end)
        ready = select.select([read_end], [], [], ARMED_WITHIN_S)[0]
        if not ready or os.read(read_end, 16) != b"armed":
            process.kill()
            process.wait()
            raise BlockedError(f"the watchdog of lease {path.stem} did not start: nothing was injected")
        # It outlives us or we outlive it; in the second case it must not stay behind as a zombie.
        threading.Thread(target=process.wait, daemon=True).start()
    finally:
        os.close(read_end)


def watch(path: Path) -> None:
    """Wait until the lease is gone, or revert it when its time is over."""
    try:
        while not leases.read(path).expired:
            time.sleep(LOOK_EVERY_S)
        lease = leases.read(path)
    except FileNotFoundError:
        return
    from chaos.told import told  # noqa: PLC0415  a lease that is released in time needs no journal

    with told(Path(lease.guard_journal), f"guard {lease.lease}") as record:
        leases.release(path, record, None)


def main() -> None:
    """Hold one lease."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    path, ready = Path(sys.argv[1]), int(sys.argv[2])
    leases.read(path)
    os.write(ready, b"armed")
    os.close(ready)
    watch(path)


if __name__ == "__main__":
    main()
