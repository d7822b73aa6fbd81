"""Reads a run's journals behind a cursor on a thread of its own, and posts a frame of what is to be shown.

The files are looked at every 50 ms and read only when one has grown. What matters (an outage, a drop, a fault) is
shown at once; the rest, and the time that goes by, four times a second.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path

from core.errors import VipchaosError
from core.events import Event
from core.judge import RunVerdict
from core.records import (
    Answer,
    Drop,
    ExperimentPhase,
    FaultPhase,
    FaultStep,
    Opened,
    OutageBegan,
    OutageEnded,
    Record,
    RunEnded,
)
from store.runs import RunDirectory
from tui.edge.newest import newest_run
from tui.model.clock import Clock
from tui.model.frame import Frame, events_of, verdict_of
from tui.model.tape import Tape
from tui.model.view import View

LOOK_S = 0.05
TICK_S = 0.25
AT_ONCE_S = 0.1
FOLLOW_S = 1.0
MOST_RECORDS = 30_000
LIVE_WITHIN_S = 15.0
DUTY = 10
"""Events are computed anew after ten times as long as it took, so on a tenth of the thread's time at most."""
_AT_ONCE = (OutageBegan, OutageEnded, Drop, FaultStep, ExperimentPhase, RunEnded, Answer, Opened)


class Tail(threading.Thread):
    """Follows one run: `path`, or with None the newest one, and each newer one that begins.

    `ask(change)` has the clock changed on this thread; `open(path)` goes over to another run.
    """

    def __init__(self, path: Path | None, post: Callable[[Frame], object], from_begin: bool = False) -> None:
        super().__init__(name="tail", daemon=True)
        self._follow = path is None
        self._post = post
        self._asked: queue.SimpleQueue[Callable[[Clock, int, int, bool], Clock] | Path | None] = queue.SimpleQueue()
        self._wake = threading.Event()
        self._clock = Clock()
        self._from_begin = from_begin
        self._path = path
        self._looked_s = 0.0
        self._begin(path)

    def _begin(self, path: Path | None) -> None:
        self._path = path
        self._run = RunDirectory(path) if path else None
        self._tape = Tape()
        self._stamps: dict[Path, tuple[int, int]] = {}
        self._clock = Clock()
        self._running = True
        self._first = True
        self._error = ""
        self._found: tuple[Event, ...] = ()
        self._verdict: RunVerdict | None = None
        self._key: tuple[object, ...] = ()
        self._verdict_key: tuple[object, ...] = ()
        self._again_s = 0.0
        self._shift_ns = 0
        self._owing = False
        self._read_s = 0.0
        self._shown_ns: int | None = -1

    def ask(self, change: Callable[[Clock, int, int, bool], Clock]) -> None:
        """Have the clock changed: `change(clock, viewer's monotonic clock, present of the run, running)`."""
        self._asked.put(change)
        self._wake.set()

    def open(self, path: Path) -> None:
        """Go over to another run and replay it."""
        self._asked.put(path)
        self._wake.set()

    @property
    def end_ns(self) -> int:
        """The instant of the newest record read."""
        return self._tape.end_ns

    def fault_instants(self) -> list[int]:
        """Return when faults were asked for, each lease's first, in order of time."""
        first: dict[str, int] = {}
        for record in tuple(self._tape.records):
            if isinstance(record, FaultStep) and record.phase in (FaultPhase.INJECTING, FaultPhase.REVERTING):
                first.setdefault(f"{record.lease} {record.phase}", record.t_ns)
        return sorted(first.values())

    def stop(self) -> None:
        """End the thread."""
        self._asked.put(None)
        self._wake.set()

    def run(self) -> None:
        """Look, read, fold and post, until stopped."""
        shown_s = 0.0
        pending = urgent = True
        while True:
            asked = self._take_asked()
            if asked is None:
                return
            new = self._read()
            pending = pending or bool(new) or asked
            urgent = urgent or asked or any(isinstance(record, _AT_ONCE) for record in new)
            now_s = time.monotonic()
            moving = self._running or self._clock.now(time.monotonic_ns()) != self._shown_ns
            due_s = 0.0 if asked else AT_ONCE_S if urgent else TICK_S
            if (pending or moving) and now_s - shown_s >= due_s:
                self._post(self._frame())
                shown_s = now_s
                pending, urgent = self._owing, False
            self._wake.wait(LOOK_S)
            self._wake.clear()

    def _take_asked(self) -> bool | None:
        """Do what was asked; tell whether anything was, None at the end."""
        any_asked = False
        while True:
            try:
                asked = self._asked.get_nowait()
            except queue.Empty:
                return any_asked
            any_asked = True
            if asked is None:
                return None
            if isinstance(asked, Path):
                self._follow = False
                self._from_begin = True
                self._begin(asked)
            else:
                self._clock = asked(self._clock, time.monotonic_ns(), self._present_ns(), self._running)

    def _present_ns(self) -> int:
        """Return the present of the run that goes on, the end of one that is over."""
        return time.monotonic_ns() + self._shift_ns if self._running else self._tape.end_ns

    def _read(self) -> list[Record]:
        if self._follow and time.monotonic() - self._looked_s > FOLLOW_S:
            self._looked_s = time.monotonic()
            newest = newest_run()
            if newest is not None and newest != self._path:
                self._begin(newest)
        if self._run is None or not self._grown():
            return []
        try:
            new = self._run.read_new()
            self._error = ""
        except (VipchaosError, OSError) as error:
            self._error = str(error)
            return []
        self._tape.add(new)
        if self._first and self._tape.records:
            self._first = False
            self._placed()
        if any(isinstance(record, RunEnded) for record in new):
            self._ended()
        elif not self._running and new:
            self._running = True
        return new

    def _grown(self) -> bool:
        """Whether any journal, or the log beside it, has changed since the last look."""
        assert self._run is not None
        stamps = {}
        for path in (*self._run.path.glob("*.db"), *self._run.path.glob("*.db-wal")):
            try:
                status = path.stat()
            except OSError:
                continue
            stamps[path] = (status.st_mtime_ns, status.st_size)
        now_s = time.monotonic()
        # A journal that was just being made is passed over: it is looked at again, grown or not.
        grown = stamps != self._stamps or now_s - self._read_s > FOLLOW_S
        self._stamps = stamps
        self._read_s = now_s if grown else self._read_s
        return grown

    def _placed(self) -> None:
        """Decide at the first read whether the run goes on, and where a replay begins."""
        fold = self._tape.at(self._tape.end_ns)
        wall_ns = time.time_ns() - fold.wall_offset_ns
        shift_ns = wall_ns - time.monotonic_ns()
        self._shift_ns = shift_ns if abs(shift_ns) > 5_000_000_000 else 0
        self._running = fold.outcome is None and (wall_ns - self._tape.end_ns) / 1e9 < LIVE_WITHIN_S
        self._tape.most = MOST_RECORDS if self._running else None
        if not self._running:
            self._ended(at_begin=self._from_begin)

    def _ended(self, at_begin: bool = False) -> None:
        self._running = False
        self._clock = self._clock.until(self._tape.begin_ns, self._tape.end_ns)
        if at_begin:
            self._clock = self._clock.seek(self._tape.begin_ns, time.monotonic_ns())
        elif self._clock.live:
            self._clock = self._clock.seek(self._tape.end_ns, time.monotonic_ns())

    def _frame(self) -> Frame:
        present_ns = self._present_ns()
        self._clock = self._clock.until(self._tape.begin_ns, max(self._tape.end_ns, present_ns if self._running else 0))
        if not self._tape.records:
            return Frame(None, self._clock, self._running, str(self._path or ""), error=self._error)
        wanted_ns = self._clock.now(time.monotonic_ns())
        now_ns = present_ns if wanted_ns is None else wanted_ns
        self._shown_ns = wanted_ns
        view = self._tape.at(now_ns).view(now_ns)
        shown = self._tape.until(now_ns)
        self._judge(view, shown)
        return Frame(
            view,
            self._clock,
            self._running,
            str(self._path),
            present_ns,
            self._found,
            self._verdict,
            shown,
            self._error,
        )

    def _judge(self, view: View, shown: list[Record]) -> None:
        """Compute the events anew, when there is something new and it has not just been done."""
        key = (view.run, view.records, view.outcome)
        now_s = time.monotonic()
        self._owing = key != self._key and now_s < self._again_s
        if key == self._key or self._owing:
            return
        self._key = key
        self._found = events_of(shown, view)
        verdict_key = (view.run, sum(phase in ("done", "aborted") for _, _, phase in view.phases), view.outcome)
        if verdict_key != self._verdict_key:
            self._verdict_key = verdict_key
            self._verdict = verdict_of(shown, view)
        ended_s = time.monotonic()
        self._again_s = ended_s + DUTY * (ended_s - now_s)
