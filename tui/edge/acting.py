"""What the screens have done for the user, each on a thread of its own: kill switch, a revert, a skip, a run."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from core.errors import VipchaosError
from core.exit_codes import EXIT_CODES
from core.records import FaultStep, Outcome
from store.ledger import directory
from store.runs import home
from store.skips import skip, take_back

INCONCLUSIVE = EXIT_CODES[Outcome.INCONCLUSIVE]
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


def leave_out(game_day: str, planned: datetime, wanted: bool, tell: Tell) -> None:
    """Have a planned run left out by `vipchaos serve`, or run after all."""

    def work() -> tuple[str, bool]:
        if wanted:
            skip(directory(), game_day, planned, f"from the dashboard, by uid {os.getuid()}")
        else:
            take_back(directory(), game_day, planned)
        return f"{game_day} of {planned:%Y-%m-%d %H:%M} UTC {'is left out' if wanted else 'runs after all'}", False

    _do(work, tell, "skip")


def run_experiment(inventory: Path, files: Sequence[str], tell: Tell, dry: bool = False) -> None:
    """Start `vipchaos run` by itself; it goes on when the screens are left, and its words go to a log.

    `dry`: its probes run, and no fault is injected.
    """

    def work() -> tuple[str, bool]:
        log = home() / RUN_LOG
        log.parent.mkdir(parents=True, exist_ok=True)
        argv = [sys.executable, "-m", "cli", "run", *["--dry-run"] * dry, "--inventory", str(inventory), *files]
        with log.open("ab") as words:
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=words, stderr=words, start_new_session=True
            )
        code = process.wait()
        fine = (0, 1, INCONCLUSIVE) if dry else (0, 1)  # nothing is judged of a fault that was never injected
        return f"{'dry ' * dry}run ended with exit code {code}; {log} has its words", code not in fine

    _do(work, tell, "run")
