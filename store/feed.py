"""The journals of all runs, as batches of lines behind cursors. Reads only; who ships decides when a cursor is kept.

A record's wall time is its monotonic instant plus the offset of the last record of its journal that told both clocks
(RunStarted, ProbeStarted); before the first of them that one's, and in a journal without any the controller's.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_type_hints

import msgspec

from core.bodies import RECORD_TYPES
from core.errors import VipchaosError
from core.records import ProbeStarted, RunStarted
from core.series.facts import POINTS, STRAIGHT
from core.series.point import Point, straight, writer
from store.journal import JournalError, read_rows
from store.judged import run_points
from store.runs import CONTROLLER, home
from store.ship_ledger import Cursor, DeadLetter

OUTCOME = "outcome"
_ANCHOR = "SELECT seq, t_ns, body FROM records WHERE kind IN ('RunStarted', 'ProbeStarted') ORDER BY seq"


def _decoder(kind: str) -> Callable[[str], Any]:
    """Read a record whole; where the point has its fields, one by one, only these are read."""
    if kind not in STRAIGHT:
        return msgspec.json.Decoder(RECORD_TYPES[kind]).decode
    measurement, _ = STRAIGHT[kind]
    hints = get_type_hints(RECORD_TYPES[kind])
    defaults = {one.name: one.default for one in dataclasses.fields(RECORD_TYPES[kind])}
    names = ("t_ns", *measurement.tags, *(one.name for one in measurement.fields))
    read = [(name, hints[name], defaults[name]) for name in names if defaults[name] is not dataclasses.MISSING]
    wanted = [(name, hints[name]) for name in names if defaults[name] is dataclasses.MISSING]
    return msgspec.json.Decoder(msgspec.defstruct(kind, [*wanted, *read], gc=False)).decode


_DECODE = {kind: _decoder(kind) for kind in POINTS}


class _Wall(msgspec.Struct):
    wall_ns: int


@dataclass(slots=True)
class Batch:
    """Lines to ship, the cursors that move once they are, and what could not be made a line."""

    lines: list[str] = field(default_factory=list)
    moved: dict[str, Cursor] = field(default_factory=dict)
    dead: list[DeadLetter] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Lag:
    """What is in journals and not shipped: how many records, and the wall instant of the oldest (0: none)."""

    records: int
    since_wall_ns: int


class Feed:
    """Reads all runs' journals from `cursors` on; `environment` is the tag that all points have."""

    def __init__(self, cursors: dict[str, Cursor], environment: str, runs: Path | None = None) -> None:
        self._cursors = dict(cursors)
        self._write: Callable[[Point, int, int], str] = writer(environment)
        self._straight: dict[str, tuple[Callable[[Any, int], str], Callable[[Any], bool]]] = {
            kind: (straight(one, environment), whole) for kind, (one, whole) in STRAIGHT.items()
        }
        self._runs = runs or home() / "runs"
        self._quiet: dict[Path, tuple[int, int]] = {}  # read to its end, and as it was then
        self._firsts: dict[Path, tuple[int, int]] = {}  # of each file, its inode and the instant of its first record
        self.unreadable: dict[str, str] = {}

    def take(self, limit: int) -> Batch:
        """Return about `limit` lines that follow the cursors, which move here at once. Empty: there is nothing new."""
        batch = Batch()
        for path in self._journals():
            self._take_journal(path, limit, batch)
            if len(batch.lines) >= limit:
                return batch
        for name, cursor in list(self._cursors.items()):
            run, _, what = name.partition("/")
            if what == OUTCOME and not cursor.seq and len(batch.lines) < limit:
                self._take_outcome(run, name, batch)
        return batch

    def _journals(self) -> Iterator[Path]:
        """The journals that may hold something new, runs in order of time."""
        for path in sorted(self._runs.glob("*/*.db")):
            look = _look(path)
            if look is None or self._quiet.get(path) != look:
                yield path

    def _take_journal(self, path: Path, limit: int, batch: Batch) -> None:
        name = _name(path)
        before = _look(path)
        try:
            cursor = self._anchored(path, self._cursors.get(name, Cursor()))
            if cursor is None:
                self.unreadable[name] = "no record of it, nor of its controller, tells the wall clock yet"
                return
            while len(batch.lines) < limit:
                rows = read_rows(
                    path,
                    "SELECT seq, kind, body FROM records WHERE seq > ? ORDER BY seq LIMIT ?",
                    (cursor.seq, limit - len(batch.lines)),
                )
                if not rows:
                    if before is not None:
                        self._quiet[path] = before
                    break
                cursor = self._lines(path, rows, cursor, batch)
                self._cursors[name] = batch.moved[name] = cursor
            self.unreadable.pop(name, None)
        except JournalError as error:
            # One that is just being made is found at the next look; a damaged one must not keep back the others.
            self.unreadable[name] = str(error)

    def _anchored(self, path: Path, cursor: Cursor) -> Cursor | None:
        """The cursor with the offset to begin with; None while no record has told both clocks.

        A journal that was made anew under the same name is begun anew.
        """
        first_ns = self._first_ns(path)
        if cursor.offset_ns is not None and cursor.first_ns == first_ns:
            return cursor
        controller = path.with_name(f"{CONTROLLER}.db")
        for place in (path, controller):
            first = _anchors(place, 10) if place.exists() else []
            if first:
                return Cursor(0, first[0][1], first_ns)
        return None

    def _first_ns(self, path: Path) -> int:
        """The instant of a journal's first record (0: it has none), read once for each file."""
        inode = path.stat().st_ino if path.exists() else 0
        known = self._firsts.get(path)
        if known is None or known[0] != inode or not known[1]:
            rows = read_rows(path, "SELECT t_ns FROM records ORDER BY seq LIMIT ?", (1,))
            known = self._firsts[path] = (inode, rows[0][0] if rows else 0)
        return known[1]

    def _lines(self, path: Path, rows: list[tuple[int, str, str]], cursor: Cursor, batch: Batch) -> Cursor:
        run, write, lines, offset_ns = path.parent.name, self._write, batch.lines, cursor.offset_ns or 0
        for seq, kind, body in rows:
            decode = _DECODE.get(kind)
            if decode is None:
                if kind == "RunEnded" and path.stem == CONTROLLER:
                    self._cursors[f"{run}/{OUTCOME}"] = batch.moved[f"{run}/{OUTCOME}"] = Cursor()
                continue
            try:
                record = decode(body)
            except msgspec.DecodeError as error:
                batch.dead.append(DeadLetter(f"{_name(path)} record {seq}", f"a {kind} that cannot be read: {error}"))
                continue
            if isinstance(record, RunStarted | ProbeStarted):
                offset_ns = record.wall_ns - record.t_ns
            straight_on = self._straight.get(kind)
            if straight_on is not None and straight_on[1](record):
                lines.append(straight_on[0](record, offset_ns))
                continue
            for point in POINTS[kind](record, run):
                line = write(point, offset_ns, seq)
                if line:
                    lines.append(line)
        return Cursor(rows[-1][0], offset_ns, cursor.first_ns)

    def _take_outcome(self, run: str, name: str, batch: Batch) -> None:
        try:
            points, offset_ns = run_points(self._runs / run)
            batch.lines += [self._write(point, offset_ns, number) for number, point in enumerate(points)]
        except VipchaosError as error:
            batch.dead.append(DeadLetter(name, f"its points cannot be made: {error}"))
        self._cursors[name] = batch.moved[name] = Cursor(1)

    def lag(self) -> Lag:
        """Return what follows the cursors."""
        count, since_ns = 0, 0
        for path in self._journals():
            try:
                cursor = self._cursors.get(_name(path), Cursor())
                anchored = self._anchored(path, cursor)
                cursor = anchored or cursor
                ((waiting, first),) = read_rows(
                    path, "SELECT count(*), min(seq) FROM records WHERE seq > ?", (cursor.seq,)
                )
                if not waiting:
                    continue
                count += waiting
                if anchored is None or anchored.offset_ns is None:
                    continue
                ((t_ns,),) = read_rows(path, "SELECT t_ns FROM records WHERE seq = ?", (first,))
            except JournalError as error:
                self.unreadable[_name(path)] = str(error)
                continue
            wall_ns = t_ns + anchored.offset_ns
            since_ns = min(since_ns or wall_ns, wall_ns)
        return Lag(count, since_ns)

    def back_to(self, wall_ns: int) -> dict[str, Cursor]:
        """Return the cursors that must go back so that everything from `wall_ns` on is shipped again."""
        moved: dict[str, Cursor] = {}
        for path in sorted(self._runs.glob("*/*.db")):
            name = _name(path)
            now = self._cursors.get(name)
            if now is None:
                continue
            try:
                found = _first_since(path, wall_ns)
            except JournalError as error:
                self.unreadable[name] = str(error)
                continue
            if found is not None and found.seq < now.seq:
                moved[name] = replace(found, first_ns=now.first_ns)
                outcome = f"{path.parent.name}/{OUTCOME}"
                if outcome in self._cursors:
                    moved[outcome] = Cursor()
        return moved


def _first_since(path: Path, wall_ns: int) -> Cursor | None:
    """Return the cursor before the first record that is not older than `wall_ns`; None where all are."""
    anchors = _anchors(path, -1)
    if not anchors:
        return Cursor()  # its clock is the controller's; the whole of it is not much
    begins = [0, *(seq for seq, _ in anchors[1:])]
    ends = [*begins[1:], 1 << 62]
    for (_, offset_ns), begin, end in zip(anchors, begins, ends, strict=True):
        ((first,),) = read_rows(
            path,
            "SELECT min(seq) FROM records WHERE seq >= ? AND seq < ? AND t_ns >= ?",
            (begin, end, wall_ns - offset_ns),
        )
        if first is not None:
            return Cursor(first - 1, offset_ns)
    return None


def _anchors(path: Path, limit: int) -> list[tuple[int, int]]:
    """Return the first records that told both clocks, as (seq, offset to the wall); damaged ones are left out."""
    found = []
    for seq, t_ns, body in read_rows(path, f"{_ANCHOR} LIMIT ?", (limit,)):
        with contextlib.suppress(msgspec.DecodeError):
            found.append((seq, msgspec.json.decode(body, type=_Wall).wall_ns - t_ns))
    return found


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _look(path: Path) -> tuple[int, int] | None:
    """Return how a journal that nobody has open looks; None for one with a log beside it, which is always read."""
    try:
        state = path.stat()
    except FileNotFoundError:
        return None
    return None if path.with_name(f"{path.name}-wal").exists() else (state.st_mtime_ns, state.st_size)
