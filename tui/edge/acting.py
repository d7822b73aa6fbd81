"""What the screens have done for the user, each on a thread of its own: kill switch, revert of a lease, a run."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from core.errors import VipchaosError
from core.records import FaultStep
from store.runs import home

Tell = Callable[[str, bool], object]
RUN_LOG = "watch-run.log"


def _do(work: Callable[[], tuple[str, bool]], tell: Tell, name: str) -> None:
    def body() -> None:
        try:
            tell(*work())
        except (VipchaosError, OSError) as error:
            tell(str(error), True)

    # No daemon: a revert that was asked for is carried through, also when the screens are left meanwhile.
    threading.Thread(target=body, name=name).start()


def _unheard(step: FaultStep) -> None:
    """Take a step's record and drop it: the switch and the guard journal it themselves."""
    del step


def kill(tell: Tell) -> None:
    """Revert everything that is out on this machine and block new faults; needs no controller."""

    def work() -> tuple[str, bool]:
        from chaos import switch

        left = switch.stop(f"kill switch of the dashboard, uid {os.getuid()}", _unheard)
        if left:
            return f"not proven reverted: {', '.join(left)}; the guard goes on", True
        return "nothing is out; new faults are blocked until `vipchaos resume`", False

    _do(work, tell, "kill switch")


def revert(lease_name: str, tell: Tell) -> None:
    """Revert one lease now."""

    def work() -> tuple[str, bool]:
        from chaos import lease

        done = lease.release(lease.DIRECTORY / f"{lease_name}.json", _unheard, 10.0)
        return (f"{lease_name} is reverted", False) if done else (f"{lease_name} is not proven reverted yet", True)

    _do(work, tell, f"revert {lease_name}")


def run_experiment(inventory: Path, files: Sequence[str], tell: Tell) -> None:
    """Start `vipchaos run` by itself; it goes on when the screens are left, and its words go to a log."""

    def work() -> tuple[str, bool]:
        log = home() / RUN_LOG
        log.parent.mkdir(parents=True, exist_ok=True)
        argv = [sys.executable, "-m", "cli", "run", "--inventory", str(inventory), *files]
        with log.open("ab") as words:
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=words, stderr=words, start_new_session=True
            )
        code = process.wait()
        return f"run ended with exit code {code}; {log} has its words", code not in (0, 1)

    _do(work, tell, "run")
