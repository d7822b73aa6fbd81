"""The journal of a revert that no controller does: written where it can be, and never in the way of the revert."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from chaos.lease import Recorder
from core.records import FaultStep
from store.journal import JournalError, JournalWriter


@contextlib.contextmanager
def told(path: Path, owner: str) -> Iterator[Recorder]:
    """Yield what records steps into the journal at `path`, each committed before the next.

    A journal that cannot be written (its directory is gone, the disk is full) is done without.
    """
    try:
        journal = JournalWriter(path, owner)
    except JournalError:
        yield lambda _: None
        return

    def record(step: FaultStep) -> None:
        journal.append(step)
        with contextlib.suppress(JournalError):
            journal.sync()

    try:
        yield record
    finally:
        with contextlib.suppress(JournalError):
            journal.close()
