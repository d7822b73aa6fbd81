"""An agent's journals as parcels behind a durable cursor, and how they are kept small while the bus is away.

What is kept of a journal that grows beyond its bound: all changes; the oldest summaries go first, and are counted.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from core.clock_offset import DRIFT
from store.journal import JournalError, read_rows
from store.parcel import Parcel, Row
from store.ship_ledger import Cursor, ShipLedger

PARCEL_BYTES = 60_000
_ROW_BYTES = 40
_ROWS_AT_ONCE = 4_000
_THIN_AT_ONCE = 2_000
SUMMARIES = ("Summary", "ProbeHealth", "NodesSeen")
"""Kinds that come each second; all others are changes, and are kept."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much an agent keeps while the bus is away, of all its journals together."""

    bytes: int = 1 << 30
    age_s: float = 7 * 86_400.0


BOUNDS = Bounds()


@dataclass(frozen=True, slots=True)
class Measured:
    """The clocks as the agent knows them now; see `store.parcel.Parcel`."""

    wall_offset_ns: int
    clock: str = ""
    offset_ns: int = 0
    bound_ns: int = -1

    def bound_at(self, age_ns: int) -> int:
        """Return the bound for what happened so long ago."""
        return self.bound_ns if self.bound_ns < 0 else self.bound_ns + round(max(0, age_ns) * DRIFT)


class Spool:
    """The journals `runs/RUN/AGENT+BOOT.db` of one agent, read behind the cursors of `ledger`."""

    def __init__(self, agent: str, runs: Path, ledger: ShipLedger, bounds: Bounds = BOUNDS) -> None:
        self.agent = agent
        self._runs = runs
        self._ledger = ledger
        self._bounds = bounds
        self._cursors = ledger.cursors()
        self._thinned: dict[str, int] = {}
        self._settled = dict(self._cursors)
        self._on_its_way: dict[str, int] = {}
        self.thinned = 0
        self.unreadable: dict[str, str] = {}

    def parcels(self, measured: Callable[[], Measured]) -> Iterator[tuple[str, Parcel]]:
        """Give what is new, one parcel of each journal in turn, until nothing is; the cursor moves with `sent`."""
        paths = self._paths()
        while paths:
            left = []
            for path in paths:
                name = self._name(path)
                found = self._read(path)
                if found:
                    left.append(path)
                thinned = self.thinned
                while found and thinned == self.thinned:  # else what was read may be no more
                    rows = _cut(found)
                    found = found[len(rows) :]
                    self._on_its_way[name] = rows[-1][0]
                    yield name, self._parcel(path, rows, measured())
            paths = left

    def sent(self, name: str, parcel: Parcel) -> None:
        """Note that a parcel is on the bus."""
        self._cursors[name] = Cursor(parcel.rows[-1][0])
        self._thinned[name] = self._thinned.get(name, 0) - parcel.thinned

    def settle(self) -> None:
        """Have the cursors on the disk; until then what was sent would be sent again after a kill."""
        moved = {name: cursor for name, cursor in self._cursors.items() if self._settled.get(name) != cursor}
        if moved:
            self._ledger.settle(moved)
            self._settled.update(moved)

    def _paths(self) -> list[Path]:
        return sorted(self._runs.glob(f"*/{self.agent}+*.db"))

    @staticmethod
    def _name(path: Path) -> str:
        return f"{path.parent.name}/{path.name}"

    def _read(self, path: Path) -> list[Row]:
        name = self._name(path)
        try:
            return read_rows(
                path,
                f"SELECT seq, t_ns, kind, vantage, body FROM records WHERE seq > ? ORDER BY seq LIMIT {_ROWS_AT_ONCE}",  # noqa: S608  a number
                (self._cursors.get(name, Cursor()).seq,),
            )
        except JournalError as error:
            self.unreadable[name] = str(error)  # one that is just being made is found at the next look
            return []

    def _parcel(self, path: Path, rows: tuple[Row, ...], measured: Measured) -> Parcel:
        name = self._name(path)
        return Parcel(
            self.agent,
            path.parent.name,
            path.stem,
            self._cursors.get(name, Cursor()).seq,
            measured.wall_offset_ns,
            measured.clock,
            measured.offset_ns,
            measured.bound_at(time.monotonic_ns() - rows[0][1]),
            self._thinned.get(name, 0),
            rows,
        )

    def thin(self, wall_ns: int) -> int:
        """Delete the oldest unsent summaries while the journals have more bytes than they may, or these are too old.

        Returns how many went. Journals of which everything is sent, and which nobody has open, go whole once old.
        """
        gone, paths = 0, self._paths()
        for path in paths:
            with contextlib.suppress(OSError):
                if wall_ns / 1e9 - path.stat().st_mtime > self._bounds.age_s:
                    gone += self._thin_one(path)
                    self._remove_sent(path)
        for path in sorted(paths, key=_modified):
            while sum(map(used, paths)) > self._bounds.bytes:
                went = self._thin_one(path)
                if not went:
                    break
                gone += went
        self.thinned += gone
        return gone

    def _thin_one(self, path: Path) -> int:
        """Delete the oldest summaries of a journal that are not sent, a number at once; return how many."""
        name, kinds = self._name(path), ", ".join("?" * len(SUMMARIES))
        after = max(self._cursors.get(name, Cursor()).seq, self._on_its_way.get(name, 0))
        try:
            connection = sqlite3.connect(path, isolation_level=None, timeout=5)
        except sqlite3.Error:
            return 0
        try:
            # The last row stays, so that the numbers of the next ones are not given again.
            count = connection.execute(
                f"DELETE FROM records WHERE seq IN (SELECT seq FROM records WHERE kind IN ({kinds}) "  # noqa: S608
                "AND seq > ? AND seq < (SELECT max(seq) FROM records) ORDER BY seq LIMIT ?)",
                (*SUMMARIES, after, _THIN_AT_ONCE),
            ).rowcount
        except sqlite3.Error as error:
            self.unreadable[name] = str(error)
            return 0
        finally:
            connection.close()
        self._thinned[name] = self._thinned.get(name, 0) + count
        return count

    def _remove_sent(self, path: Path) -> None:
        if path.with_name(f"{path.name}-wal").exists() or path.with_name(f"{path.name}.lock").exists():
            return
        after = self._settled.get(self._name(path), Cursor()).seq
        with contextlib.suppress(JournalError):
            if not read_rows(path, "SELECT 1 FROM records WHERE seq > ? LIMIT 1", (after,)):
                path.unlink()


def _cut(found: list[Row]) -> tuple[Row, ...]:
    """Return the first rows, about as many as a parcel holds; one at least."""
    size = 0
    for number, row in enumerate(found):
        size += len(row[4]) + _ROW_BYTES
        if size > PARCEL_BYTES:
            return tuple(found[: number or 1])
    return tuple(found)


def _modified(path: Path) -> float:
    with contextlib.suppress(OSError):
        return path.stat().st_mtime
    return time.monotonic()


def used(path: Path) -> int:
    """Return the bytes of a journal that hold something: its file does not shrink when rows go."""
    try:
        ((pages,),) = read_rows(path, "PRAGMA page_count", ())
        ((free,),) = read_rows(path, "PRAGMA freelist_count", ())
        ((size,),) = read_rows(path, "PRAGMA page_size", ())
    except JournalError:
        return 0
    return int((pages - free) * size)
