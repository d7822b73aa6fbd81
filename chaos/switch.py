"""The kill switch: a file that blocks new faults, and the revert of all that is out. Needs no controller to work."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from chaos import lease as leases
from chaos.told import told
from core.errors import VipchaosError
from core.records import FaultStep
from store.audit import Audit, AuditError, audit_file
from store.whole import write_whole

NAME = "stopped"


class SwitchError(VipchaosError):
    """The kill switch reverted what was out, but new faults are not blocked; the message says why."""

    exit_code = 7


def reason(directory: Path = leases.DIRECTORY) -> str:
    """Return why new faults are blocked, or '' when they are not. An unreadable switch blocks."""
    try:
        words = json.loads((directory.parent / NAME).read_text())["reason"]
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, KeyError, TypeError):
        return "the switch cannot be read"
    return str(words) or "no reason given"


def stop(why: str, record: leases.Recorder, directory: Path = leases.DIRECTORY, give_up_s: float = 10.0) -> list[str]:
    """Block new faults, then revert everything that is out, all leases at once; return those not proven reverted.

    Harmless when nothing is out, and when called again. Raises SwitchError when new faults could not be blocked (no
    room, no permission): what is out is reverted all the same, and only then that is told.
    """
    refused = _block(why, directory)
    left = _release(leases.unfinished(directory), record, give_up_s)
    if refused and (refused := _block(why, directory)):
        unproven = f"not proven reverted: {', '.join(left)}" if left else "everything that was out is reverted"
        raise SwitchError(f"{directory.parent / NAME}: new faults are not blocked: {refused}; {unproven}")
    return left


def _block(why: str, directory: Path) -> str:
    """Block new faults; return why that could not be, or ''."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        write_whole(directory.parent / NAME, json.dumps({"reason": why}))
    except OSError as error:
        return error.strerror or str(error)
    _audit("stopped", {"reason": why})
    return ""


def _release(paths: Sequence[Path], record: leases.Recorder, give_up_s: float) -> list[str]:
    if not paths:
        return []
    with ThreadPoolExecutor(len(paths)) as pool:
        done = list(pool.map(lambda path: _release_one(path, record, give_up_s), paths))
    return [path.stem for path, gone in zip(paths, done, strict=True) if not gone]


def _release_one(path: Path, record: leases.Recorder, give_up_s: float) -> bool:
    try:
        journal = Path(leases.read(path).guard_journal).with_name(f"switch-{path.stem}.db")
    except FileNotFoundError:
        return True
    except leases.LeaseError:
        return False  # what it was about is not known: it is named among those that are not proven reverted
    with told(journal, f"switch {path.stem}") as write:

        def both(step: FaultStep) -> None:
            write(step)
            record(step)

        return leases.release(path, both, give_up_s)


def resume(directory: Path = leases.DIRECTORY) -> bool:
    """Allow new faults again; tell whether they were blocked."""
    try:
        (directory.parent / NAME).unlink()
    except FileNotFoundError:
        return False
    _audit("resumed", {})
    return True


def _audit(what: str, values: Mapping[str, object]) -> None:
    """Put it into the audit; one that cannot be written stops no kill switch."""
    with contextlib.suppress(AuditError):
        Audit(audit_file()).add(time.time_ns(), f"uid {os.getuid()}", what, values)
