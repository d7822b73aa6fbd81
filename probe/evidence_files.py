"""The evidence files beside a journal: a thread that writes them, their names, and how many bytes they may take."""

from __future__ import annotations

import queue
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

from core.evidence import EvidenceWritten
from core.records import Note, Record
from probe import pcapng
from probe.evidence import Burst, Told, tell
from probe.privileges import FILES, drop

DIRECTORY = "evidence"
MOST_BYTES = 64_000_000
WAITING = 4
PAUSE_S = 0.001


class EvidenceFiles:
    """Writes bursts of one vantage into `evidence/` beside `journal`; `record` takes what is to be journaled.

    `put` never blocks: a burst that finds the queue full is counted in the next file. The files of a vantage take
    at most 64 MB together; what comes then is counted and told at the end. Raises OSError without the directory.
    """

    def __init__(self, journal: Path, vantage: str, record: Callable[[Record], None]) -> None:
        self._directory = journal.parent / DIRECTORY
        self._directory.mkdir(exist_ok=True)
        self._vantage = vantage
        self._record = record
        shape = re.compile(re.escape(vantage) + r"-(\d+)\.pcapng")
        found = [(int(match[1]), path) for path in self._directory.iterdir() if (match := shape.fullmatch(path.name))]
        self._number = max((number for number, _ in found), default=0)
        self._bytes = sum(path.stat().st_size for _, path in found)
        self._queue: queue.Queue[Burst | None] = queue.Queue()
        self._left_out = 0
        self._refused = ""
        self._thread = threading.Thread(target=self._work, name=f"evidence {vantage}", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def put(self, burst: Burst) -> None:
        """Hand over a burst."""
        if self._queue.qsize() >= WAITING:
            self._left_out += len(burst.stories) + burst.left_out
        else:
            self._queue.put(burst)

    def stop(self) -> None:
        """Write what waits, say what was left out, and end the thread."""
        self._queue.put(None)
        self._thread.join()
        if self._left_out:
            text = f"no evidence of {self._left_out} sessions was written: {self._refused or 'too much at once'}"
            self._record(Note(time.monotonic_ns(), self._vantage, text))

    def _work(self) -> None:
        drop(keep=FILES)
        while (burst := self._queue.get()) is not None:
            if self._bytes >= MOST_BYTES:
                self._refuse(burst, f"the files of {self._vantage} take {MOST_BYTES // 1_000_000} MB already")
                continue
            try:
                self._write(burst)
            except OSError as error:
                self._refuse(burst, f"{self._directory}: {error.strerror}")

    def _refuse(self, burst: Burst, why: str) -> None:
        self._left_out += len(burst.stories) + burst.left_out
        if why != self._refused:
            self._refused = why
            self._record(Note(time.monotonic_ns(), self._vantage, f"evidence is not written any more: {why}"))

    def _reserve(self) -> Path:
        """Return the next name, which is now this process's: another agent of the vantage may write here too."""
        while True:
            self._number += 1
            path = self._directory / f"{self._vantage}-{self._number}.pcapng"
            try:
                path.open("xb").close()
            except FileExistsError:
                continue
            return path

    def _write(self, burst: Burst) -> None:
        told: list[Told] = []
        for story in tell(burst):
            told.append(story)
            time.sleep(PAUSE_S)  # the heartbeats go first
        packets = sorted((packet for story in told for packet in story.packets), key=lambda packet: packet.t_ns)
        missing, self._left_out = self._left_out, 0
        left_out = burst.left_out + missing
        left_out_packets = sum(story.left_out for story in told)
        path = self._reserve()
        try:
            size = pcapng.write(
                path,
                _about(self._vantage, burst, left_out, left_out_packets),
                packets,
                time.time_ns() - time.monotonic_ns(),
                lambda: time.sleep(PAUSE_S),
            )
        except OSError:
            self._left_out += missing
            path.unlink(missing_ok=True)
            raise
        self._bytes += size
        self._record(
            EvidenceWritten(
                min(mark.t_ns for story in burst.stories for mark in story.marks),
                self._vantage,
                f"{DIRECTORY}/{path.name}",
                burst.events,
                len(burst.stories),
                len(packets),
                size,
                left_out,
                left_out_packets,
            )
        )


def _about(vantage: str, burst: Burst, left_out: int, left_out_packets: int) -> str:
    slots = ", ".join(str(slot) for slot in sorted(story.slot for story in burst.stories))
    return (
        f"vipchaos: {', '.join(burst.events)} at vantage {vantage}, slots {slots}. "
        f"Left out: {left_out} more sessions, {left_out_packets} packets of these. "
        "Answers and whatever is not a plain heartbeat: as captured or as sent. Heartbeats whose comment says so: "
        "rebuilt from the session's template and the numbers kept of them; their instant is that of their batch."
    )
