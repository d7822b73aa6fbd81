"""The audit on disk: one file that only grows, each line fsynced before what it tells of is done."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from core.audit import Broken, Entry, entries, last_entry, seal
from core.errors import VipchaosError
from store.runs import home

TAIL_BYTES = 1 << 20
"""The last entry is within so many bytes of the end: no entry is longer, and no torn one either."""


class AuditError(VipchaosError):
    """The audit cannot be read or written; the message says which file and why."""

    exit_code = 3


def audit_file() -> Path:
    """Return where the audit of this user is."""
    return home() / "audit.jsonl"


class Audit:
    """The audit in one file; several processes may add to it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, wall_ns: int, who: str, what: str, values: Mapping[str, object]) -> Entry:
        """Add one entry and return when it is on disk. Raises AuditError when it cannot be."""
        try:
            with self._held() as descriptor:
                tail = _tail(descriptor)
                # A line torn by the death of its writer stays as it is; the chain goes on after it.
                ahead = "\n" if tail and not tail.endswith("\n") else ""
                entry, line = seal(last_entry(reversed(tail.splitlines())), wall_ns, who, what, values)
                os.write(descriptor, f"{ahead}{line}\n".encode())
                os.fsync(descriptor)
                return entry
        except OSError as error:
            raise AuditError(f"{self.path}: the audit cannot be written ({error.strerror}); nothing is done") from error

    def read(self) -> list[Entry | Broken]:
        """Return all entries, and what is wrong with lines that are none. Raises AuditError."""
        try:
            return list(entries(self.path.read_text(errors="replace").splitlines()))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise AuditError(f"{self.path}: the audit cannot be read ({error.strerror})") from error

    @contextlib.contextmanager
    def _held(self) -> Iterator[int]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)


def _tail(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    return os.pread(descriptor, TAIL_BYTES, max(0, size - TAIL_BYTES)).decode(errors="replace")
