"""The live line of a run: one line rewritten on a terminal, a plain line a change elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TextIO

from core.outage import ends
from core.records import (
    Drop,
    ExperimentPhase,
    FaultPhase,
    FaultStep,
    Note,
    OutageBegan,
    OutageEnded,
    ProbeHealth,
    Record,
    Summary,
)

REWRITE_S = 0.5
LOUD = frozenset(
    {FaultPhase.INJECTED, FaultPhase.PROVEN, FaultPhase.NOT_PROVEN, FaultPhase.REVERT_PROVEN, FaultPhase.REVERT_FAILED}
)


class Progress:
    """Counts what a run's records tell and draws it on `stream`.

    On a terminal the last line is rewritten at most twice a second; elsewhere each phase and each proven
    fault gets a line of its own and nothing is rewritten.
    """

    def __init__(self, stream: TextIO = sys.stderr) -> None:
        self._stream = stream
        self._tty = stream.isatty()
        self._started_s = time.monotonic()
        self._drawn_s = 0.0
        self._phase = "starting"
        self._drops = 0
        self._silent: dict[tuple[str, int, str], int] = {}
        self._answers: dict[str, dict[str, int]] = {}
        self._summary_ns: dict[str, int] = {}
        self._ring_drops: dict[str, int] = {}
        self._full: set[str] = set()

    def see(self, record: Record) -> None:
        """Take in one record."""
        match record:
            case ExperimentPhase():
                self._phase = f"{record.experiment}: {record.phase}"
                self.line(f"{self._phase}{'  ' + record.detail if record.detail else ''}")
            case FaultStep() if record.phase is FaultPhase.DRY_RUN:
                self.line(f"{record.experiment}: {record.fault} {record.detail}")
            case FaultStep() if record.phase in LOUD:
                self.line(f"{record.experiment}: {record.fault} {record.phase.replace('_', ' ')}")
            case Note():
                self.line(f"{record.source}: {record.text}")
            case Drop():
                self._drops += 1
            case OutageBegan():
                self._silent[record.vantage, record.slot, record.clock] = record.last_sent_ns
            case OutageEnded():
                which = (record.vantage, record.slot, record.clock)
                if ends(record, self._silent.get(which)):
                    self._silent.pop(which, None)
            case Summary():
                self._see_summary(record)
            case ProbeHealth():
                self._see_health(record)
            case _:
                return
        self.draw()

    def _see_summary(self, record: Summary) -> None:
        if self._summary_ns.get(record.vantage) != record.t_ns:
            self._summary_ns[record.vantage] = record.t_ns
            self._answers[record.vantage] = {}
        if record.answered:
            self._answers[record.vantage][record.node or record.site or "?"] = record.alive

    def _see_health(self, record: ProbeHealth) -> None:
        if not record.ring_dropped:
            self._full.discard(record.vantage)
            return
        self._ring_drops[record.vantage] = self._ring_drops.get(record.vantage, 0) + record.ring_dropped
        if record.vantage not in self._full:
            self._full.add(record.vantage)
            self.line(f"{record.vantage}: ring drops: {record.ring_dropped} packets found the receive ring full")

    def line(self, text: str) -> None:
        """Print `text` as a line that stays."""
        elapsed_s = time.monotonic() - self._started_s
        clear = "\r\x1b[2K" if self._tty else ""
        self._stream.write(f"{clear}{elapsed_s:6.1f} s  {text}\n")
        self._stream.flush()

    def draw(self) -> None:
        """Rewrite the live line, at most twice a second; does nothing where there is no terminal."""
        now_s = time.monotonic()
        if not self._tty or now_s - self._drawn_s < REWRITE_S:
            return
        self._drawn_s = now_s
        who = "  ".join(f"{vantage}:{_names(answers)}" for vantage, answers in sorted(self._answers.items()))
        silent = len({(vantage, slot) for vantage, slot, _ in self._silent})
        drops = "".join(f"  ring drops {count} at {name}" for name, count in sorted(self._ring_drops.items()))
        elapsed = f"{now_s - self._started_s:6.1f} s"
        self._stream.write(f"\r\x1b[2K{elapsed}  {self._phase}  {who}  silent {silent}  dropped {self._drops}{drops}")
        self._stream.flush()

    def end(self) -> None:
        """Leave the live line behind."""
        if self._tty:
            self._stream.write("\r\x1b[2K")
            self._stream.flush()


def _names(answers: dict[str, int]) -> str:
    return "+".join(sorted(answers)) or "nobody"
