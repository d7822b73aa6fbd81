"""A run on disk: one directory, one journal for each process of the run; and the list of runs of a user."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.errors import CallError
from core.records import Record, RunEnded, RunStarted
from store.journal import JournalError, last_second_ns, read_journal, read_seconds
from store.seconds import Second

CONTROLLER = "controller"


def home() -> Path:
    """Return where vipchaos keeps runs and labs: $VIPCHAOS_HOME, or ~/.local/state/vipchaos."""
    return Path(os.environ.get("VIPCHAOS_HOME") or Path.home() / ".local/state/vipchaos")


class RunDirectory:
    """The directory of one run and a cursor over all its journals."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run = path.name
        self._cursors: dict[Path, int] = {}

    @classmethod
    def create(cls, name: str) -> RunDirectory:
        """Make the directory of a new run called after `name`, the instant and four random hex digits."""
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        path = home() / "runs" / f"{stamp}-{name}-{secrets.token_hex(2)}"
        path.mkdir(parents=True)
        return cls(path)

    def journal_path(self, owner: str) -> Path:
        """Return where the journal of the process `owner` is."""
        return self.path / f"{owner}.db"

    @property
    def bytes(self) -> int:
        """How large its journals are."""
        return sum(path.stat().st_size for path in self.path.glob("*.db"))

    def read_new(self, may_be_young: bool = True) -> list[Record]:
        """Return the records since the last call, of all journals, in order of time; new journals are noticed.

        A journal that is just being made is left for the next call, where `may_be_young`. Raises JournalError.
        """
        records: list[Record] = []
        for path in sorted(self.path.glob("*.db")):
            try:
                new, self._cursors[path] = read_journal(path, self._cursors.get(path, 0))
            except JournalError:
                # It has no table yet: the next call will find it.
                if not may_be_young or self._cursors.get(path) or not _is_young(path):
                    raise
                continue
            records += new
        return sorted(records, key=lambda record: record.t_ns)

    def last_seconds(self, length_s: float) -> list[Second]:
        """Return the seconds of all vantages from `length_s` before the last one on. Raises JournalError."""
        paths = sorted(self.path.glob("*.db"))
        last_ns = max((last_second_ns(path) for path in paths), default=0)
        since_ns = last_ns - round(length_s * 1e9)
        return [second for path in paths for second in read_seconds(path, since_ns)]

    def is_written(self) -> bool:
        """Whether a journal of the run has just been written and is not closed: somebody is at it."""
        return any(_is_young(path) for path in self.path.glob("*.db-wal"))

    def read_all(self) -> list[Record]:
        """Return all records of the run, in order of time. Raises JournalError when one of its journals is damaged."""
        return RunDirectory(self.path).read_new(may_be_young=False)


def _is_young(path: Path) -> bool:
    with_grace_s = 5.0
    return time.time() - path.stat().st_mtime < with_grace_s  # noqa: TID251  file stamps are wall clock


@dataclass(frozen=True, slots=True)
class RunEntry:
    """One line of the list of runs; `outcome` is 'interrupted' where the run's end was never written."""

    run: str
    started_wall_ns: int
    experiments: int
    outcome: str
    path: Path


def list_runs() -> Iterator[RunEntry]:
    """Yield the user's runs, oldest first."""
    for path in sorted((home() / "runs").glob("*/")):
        started: RunStarted | None = None
        outcome = "interrupted"
        try:
            records, _ = read_journal(path / f"{CONTROLLER}.db")
        except JournalError:
            yield RunEntry(path.name, 0, 0, "unreadable", path)
            continue
        for record in records:
            if isinstance(record, RunStarted):
                started = record
            elif isinstance(record, RunEnded):
                outcome = record.outcome
        yield RunEntry(
            path.name, started.wall_ns if started else 0, len(started.experiments) if started else 0, outcome, path
        )


def find_run(name: str) -> RunDirectory:
    """Return the run called `name`: an id, the beginning of exactly one id, `last`, or a directory.

    Raises CallError that lists what there is when none or several fit.
    """
    if "/" in name or (name in (".", "..")):
        if not Path(name, f"{CONTROLLER}.db").exists():
            raise CallError(f"{name}: no run there (no {CONTROLLER}.db); `vipchaos runs` lists the runs")
        return RunDirectory(Path(name).resolve())
    entries = list(list_runs())
    fitting = entries[-1:] if name == "last" else [entry for entry in entries if entry.run.startswith(name)]
    exact = [entry for entry in fitting if entry.run == name]
    fitting = exact or fitting
    if len(fitting) != 1:
        known = ", ".join(entry.run for entry in (fitting or entries)[-5:]) or "none yet: `vipchaos demo` makes one"
        raise CallError(f"run {name!r}: {'several fit' if fitting else 'not found'}; runs: {known}")
    return RunDirectory(fitting[0].path)
