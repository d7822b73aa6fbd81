"""The timeline of a run's records: what the runner did line by line, what many sessions did together as one line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from core.outage import interval
from core.records import (
    Answer,
    Drop,
    ExperimentPhase,
    FaultPhase,
    FaultStep,
    Note,
    Opened,
    OutageEnded,
    ProbeStarted,
    ProbeStopped,
    Record,
    RunEnded,
    RunStarted,
)
from dashboards.report.lanes import label
from dashboards.report.view import Row

MOST_ROWS = 400
TOGETHER_NS = 1_000_000_000
CONTROLLER = "controller"


def timeline(records: Iterable[Record], zero_ns: int, wall_offset_ns: int) -> tuple[tuple[Row, ...], int]:
    """Return the rows in order of time, and how many had no place.

    `zero_ns` is the instant that seconds count from; `wall_offset_ns` what is added to an instant to be wall clock.
    """
    single: list[tuple[int, str, str, str]] = []
    together: dict[tuple[int, str, str, str], list[Record]] = defaultdict(list)
    for record in records:
        told = _single(record)
        if told is not None:
            single.append((record.t_ns, *told))
        elif (key := _key(record)) is not None:
            together[record.t_ns // TOGETHER_NS, *key].append(record)
    rows = single + [
        (mine[0].t_ns, vantage, kind, _TOGETHER[kind](mine, what))
        for (_, vantage, kind, what), mine in together.items()
    ]
    rows.sort()
    left_out = max(0, len(rows) - MOST_ROWS)
    if left_out:
        # What the runner did is kept whole; of the rest, the beginning.
        kept = [row for row in rows if row[1] == CONTROLLER]
        rest = [row for row in rows if row[1] != CONTROLLER][: max(0, MOST_ROWS - len(kept))]
        rows = sorted(kept[:MOST_ROWS] + rest)
    return tuple(
        Row((t_ns - zero_ns) / 1e9, _wall(t_ns + wall_offset_ns), where, kind, text) for t_ns, where, kind, text in rows
    ), left_out


def _wall(wall_ns: int) -> str:
    when = datetime.fromtimestamp(wall_ns // 1_000_000_000, UTC)
    return f"{when:%H:%M:%S}.{wall_ns // 1_000_000 % 1000:03}"


def _single(record: Record) -> tuple[str, str, str] | None:
    """Return (where, kind, words) of a record that has a line of its own."""
    match record:
        case RunStarted():
            return CONTROLLER, "run", f"run began, version {record.version}"
        case RunEnded():
            return CONTROLLER, "run", f"run ended: {record.outcome}{f' ({record.reason})' if record.reason else ''}"
        case ExperimentPhase():
            return CONTROLLER, "phase", f"{record.experiment}: {record.phase}{_after(record.detail)}"
        case FaultStep():
            phase = record.phase.replace("_", " ")
            loud = record.phase in (FaultPhase.NOT_PROVEN, FaultPhase.REVERT_FAILED)
            words = f"{record.experiment}: {record.fault} {phase}{_after(record.detail)}"
            return CONTROLLER, "failed" if loud else "fault", words
        case Note():
            return record.source, "note", record.text
        case ProbeStarted():
            period_ms = record.period_ns / 1e6
            words = f"{record.engine} engine, {record.sessions} sessions, a heartbeat each {period_ms:g} ms"
            return record.vantage, "probe", words
        case ProbeStopped():
            return record.vantage, "probe", f"stopped: {record.reason}"
        case _:
            return None


def _after(detail: str) -> str:
    return f": {detail.strip()}" if detail.strip() else ""


def _key(record: Record) -> tuple[str, str, str] | None:
    match record:
        case Drop():
            return record.vantage, "drop", f"{'kernel session ' if record.held_kernel else ''}{record.cause}"
        case OutageEnded() if not record.self_inflicted:
            return record.vantage, "outage", record.clock.replace("_", " ")
        case Answer():
            return record.vantage, "answer", label(record.site, record.node, record.nat_pool)
        case Opened() if not record.held_kernel:
            return record.vantage, "opened", ""
        case _:
            return None


def _outages(mine: list[Record], clock: str) -> str:
    bounds = [interval(record) for record in mine if isinstance(record, OutageEnded)]
    worst = max(bounds, key=lambda each: each.upper_ns)
    span = f"{worst.lower_ns / 1e9:.3f} to {worst.upper_ns / 1e9:.3f} s"
    return f"{_many(len(mine), 'outage')} ended ({clock}), the longest {span}"


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _slots(mine: list[Record]) -> int:
    """An answer is told once more when its node becomes known."""
    return len({record.slot for record in mine if isinstance(record, Answer)})


_TOGETHER: dict[str, Callable[[list[Record], str], str]] = {
    "drop": lambda mine, cause: f"{_many(len(mine), 'session')} dropped by {cause}",
    "outage": _outages,
    "answer": lambda mine, who: f"{_many(_slots(mine), 'session')} answered by {who}",
    "opened": lambda mine, _: f"{_many(len(mine), 'session')} opened",
}
