"""News: what has happened, a line each, for somebody who looks up from something else."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from core.records import ExperimentPhase, FaultPhase, FaultStep, Note, Outcome, Record, RunEnded


class Level(enum.IntEnum):
    """How much it matters."""

    PLAIN = 0
    GOOD = 1
    ODD = 2
    BAD = 3


@dataclass(frozen=True, slots=True)
class News:
    """One line. `mark` is its sign without colour."""

    t_ns: int
    level: Level
    mark: str
    text: str


_STEPS = {
    FaultPhase.INJECTED: (Level.ODD, "▼", "injected"),
    FaultPhase.PROVEN: (Level.ODD, "▼", "proven"),
    FaultPhase.NOT_PROVEN: (Level.BAD, "!", "not proven injected"),
    FaultPhase.REVERT_PROVEN: (Level.GOOD, "▲", "reverted"),
    FaultPhase.REVERT_FAILED: (Level.BAD, "!", "revert not proven, it is tried again"),
}


def news_of(record: Record) -> News | None:
    """Return the news that a record of the controller is by itself, or None."""
    match record:
        case FaultStep() if record.phase in _STEPS:
            level, mark, words = _STEPS[record.phase]
            detail = f"  {' '.join(record.detail.split())}" if record.detail else ""
            return News(record.t_ns, level, mark, f"{words}  {record.fault}{detail}")
        case FaultStep() if record.phase is FaultPhase.ARMED:
            return News(record.t_ns, Level.PLAIN, "·", f"revert armed ({record.lease_s:g} s)  {record.fault}")
        case ExperimentPhase():
            level = Level.BAD if record.phase == "aborted" else Level.PLAIN
            detail = f"  {record.detail}" if record.detail else ""
            return News(record.t_ns, level, "»", f"{record.experiment}: {record.phase}{detail}")
        case Note():
            return News(record.t_ns, Level.ODD, "!", f"{record.source}: {record.text}")
        case RunEnded():
            level = Level.GOOD if record.outcome is Outcome.PASSED else Level.BAD
            return News(record.t_ns, level, "■", f"run ended: {record.outcome}  {record.reason}".rstrip())
        case _:
            return None
