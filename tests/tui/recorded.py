"""A recorded run of the lab, as records and as frames at any instant of it; and what a screen has drawn, as text."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from functools import cache
from pathlib import Path

from core.bodies import from_body
from core.records import Record
from store.journal import JournalWriter
from store.runs import CONTROLLER
from tui.app import WatchApp
from tui.model.clock import Clock
from tui.model.frame import Frame, events_of, verdict_of
from tui.model.tape import Tape
from tui.options import Options

RECORDED = Path(__file__).parent / "recorded.jsonl.gz"
"""Written by tools/record_run.py from a run of `vipchaos demo`: every record but heartbeats and capture gaps.

What its experiments take out of service (`takes`) was written into their texts later, as they stand today."""
STEADY_S, OUTAGE_S, AFTER_S = 15.9, 20.2, 24.0
"""Before the site failover of the recorded run, in the middle of its outage, and when all are answered again."""


@cache
def records() -> tuple[Record, ...]:
    """Return the records of the run, in order of time."""
    with gzip.open(RECORDED, "rt") as file:
        return tuple(from_body(body.pop("kind"), body) for body in map(json.loads, file))


@cache
def tape() -> Tape:
    """Return them on a tape."""
    found = Tape()
    found.add(records())
    return found


def frame_at(at_s: float, running: bool = True, tape_of: Tape | None = None) -> Frame:
    """Return what is shown `at_s` seconds into the run."""
    mine = tape_of or tape()
    now_ns = mine.begin_ns + round(at_s * 1e9)
    view = mine.at(now_ns).view(now_ns)
    shown = mine.until(now_ns)
    clock = Clock(mine.begin_ns, mine.end_ns)
    return Frame(view, clock, running, "the run", now_ns, events_of(shown, view), verdict_of(shown, view), shown)


def paused(frame: Frame, behind_s: float) -> Frame:
    """Return a frame as it looks when the view was halted so long ago."""
    assert frame.view is not None
    clock = replace(frame.clock, at_ns=frame.view.now_ns, paused=True)
    return replace(frame, clock=clock, present_ns=frame.view.now_ns + round(behind_s * 1e9))


class StillApp(WatchApp):
    """Shows only the frames that a test gives it."""

    def __init__(self, options: Options | None = None) -> None:
        super().__init__(options or Options())

    def start_reading(self) -> None:
        """Start nothing."""


def drawn(app: WatchApp) -> list[str]:
    """Return the cells of the screen as lines of text."""
    lines = app.screen._compositor.render_strips()
    return ["".join(segment.text for segment in strip).rstrip() for strip in lines]


def write_run(home: Path, upto_s: float | None = None, name: str = "20260101-000000-recorded-0000") -> Path:
    """Write the recorded run, or its first seconds, as journals below `home`; return its directory."""
    path = home / "runs" / name
    path.mkdir(parents=True)
    until_ns = None if upto_s is None else records()[0].t_ns + round(upto_s * 1e9)
    writers: dict[str, JournalWriter] = {}
    for record in records():
        if until_ns is not None and record.t_ns > until_ns:
            break
        owner = getattr(record, "vantage", "") or CONTROLLER
        if owner not in writers:
            writers[owner] = JournalWriter(path / f"{owner}.db", owner)
        writers[owner].append(record)
    for writer in writers.values():
        writer.close()
    return path
