"""A stand-in for `vipchaos run`: a run's directory, a lease, a fault that is a file, and an end as it is told.

`python -m tests.chaos.stand_in PLACE KEY SECONDS CODE HOW`: writes down that it began, injects, waits for SECONDS or
for the end of standard input, reverts and ends with CODE; after the end of standard input with 8, having reverted
(HOW is `orderly`, or `slow`: after two seconds) or not (`cut`).
"""

from __future__ import annotations

import os
import select
import sys
import time
from pathlib import Path

from chaos import lease as leases
from core.inventory import Host
from core.lease import Lease, LeasedFault
from store.runs import RunDirectory


def main() -> None:
    place, key, seconds, code, how = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
    with (place / "began").open("a") as began:
        began.write(f"{key}\n")
        began.flush()
        os.fsync(began.fileno())
    run = RunDirectory.create(key)
    fault = place / f"{key}.fault"
    path = place / "leases" / f"{key}.json"
    arguments = {
        "inject": ["touch", str(fault)],
        "prove": ["test", "-e", str(fault)],
        "revert": ["rm", "-f", str(fault)],
    }
    out = LeasedFault("file", "command", Host("box", "local", ""), arguments, {})
    deadline_ns = time.monotonic_ns() + 60_000_000_000
    journal = str(run.path / "guard.db")
    leases.write(path, Lease(key, run.run, "drill", deadline_ns, leases.boot_id(), journal, (out,)))
    fault.touch()
    told = bool(select.select([sys.stdin], [], [], seconds)[0])
    if told and how == "slow":
        time.sleep(2)
    if not told or how != "cut":
        leases.release(path, lambda _: None, 5)
    sys.stdout.write("told to stop\n" if told else "done\n")
    sys.exit(8 if told else code)


if __name__ == "__main__":
    main()
