"""Takes faults back whose lease is over: at the deadline, when their controller has gone, after a restart."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

from chaos import lease as leases
from chaos.told import told
from core.lease import Lease
from core.records import FaultPhase, FaultStep
from store.audit import Audit, AuditError


class Sweeper:
    """Looks at the leases of one directory again and again; each that is over is reverted by a thread of its own."""

    def __init__(self, directory: Path, audit: Audit) -> None:
        self._directory = directory
        self._audit = audit
        self._going: dict[Path, threading.Thread] = {}
        self._damaged: set[Path] = set()
        self._read: dict[Path, tuple[tuple[int, int], Lease]] = {}

    @property
    def idle(self) -> bool:
        """Whether no lease is out."""
        return not leases.unfinished(self._directory) and not self._going

    def look(self, all_because: str = "") -> None:
        """Look once at every lease, and begin to revert those that are over; all of them where a reason is given."""
        self._going = {path: thread for path, thread in self._going.items() if thread.is_alive()}
        paths = leases.unfinished(self._directory)
        self._read = {path: known for path, known in self._read.items() if path in paths}
        for path in paths:
            if path in self._going:
                continue
            try:
                why = leases.why_over(self._lease(path)) or all_because
            except FileNotFoundError:
                continue
            except leases.LeaseError as error:
                self._say_damaged(path, error)
                continue
            if why:
                thread = threading.Thread(target=self._revert, args=(path, why), name=f"revert {path.stem}")
                thread.start()
                self._going[path] = thread

    def _lease(self, path: Path) -> Lease:
        """Return the lease in a file, read again when the file is another."""
        status = path.stat()
        stamp = (status.st_ino, status.st_mtime_ns)
        known = self._read.get(path)
        if known is None or known[0] != stamp:
            known = self._read[path] = (stamp, leases.read(path))
        return known[1]

    def _say_damaged(self, path: Path, error: leases.LeaseError) -> None:
        if path not in self._damaged:
            self._damaged.add(path)
            print(f"guard: {error}", file=sys.stderr, flush=True)  # noqa: T201  the journal of its unit

    def _revert(self, path: Path, why: str) -> None:
        try:
            lease = leases.read(path)
        except FileNotFoundError:
            return
        with told(Path(lease.guard_journal), f"guard {lease.lease}") as record:
            failed: set[str] = set()

            def both(step: FaultStep) -> None:
                record(step)
                again = step.phase is FaultPhase.REVERT_FAILED and step.fault in failed
                if step.phase is FaultPhase.REVERT_FAILED:
                    failed.add(step.fault)
                if step.phase in (FaultPhase.REVERT_PROVEN, FaultPhase.REVERT_FAILED) and not again:
                    self._tell(lease, step, why)

            leases.release(path, both, None)

    def _tell(self, lease: Lease, step: FaultStep, why: str) -> None:
        """Put a revert into the audit; one that cannot be written holds up no revert."""
        values = {"lease": lease.lease, "run": lease.run, "fault": step.fault, "why": why, "seen": step.detail}
        try:
            self._audit.add(time.time_ns(), "guard", step.phase, values)
        except AuditError as error:
            print(f"guard: {error}", file=sys.stderr, flush=True)  # noqa: T201
