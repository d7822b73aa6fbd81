"""Does a run's journal tell what became of every fault? Pure: records in, what is missing or out of order out."""

from __future__ import annotations

from collections.abc import Sequence

from core.records import FaultPhase, FaultStep, Record

_AFTER = {
    None: {FaultPhase.PLANNED},
    FaultPhase.PLANNED: {FaultPhase.ARMED, FaultPhase.REVERTING},  # its controller died as the lease was given
    FaultPhase.ARMED: {FaultPhase.INJECTING, FaultPhase.REVERTING},
    FaultPhase.INJECTING: {FaultPhase.INJECTED, FaultPhase.REVERTING},
    FaultPhase.INJECTED: {FaultPhase.PROVEN, FaultPhase.NOT_PROVEN, FaultPhase.REVERTING},
    FaultPhase.PROVEN: {FaultPhase.REVERTING},
    FaultPhase.NOT_PROVEN: {FaultPhase.REVERTING},
    FaultPhase.REVERTING: {FaultPhase.REVERTED, FaultPhase.REVERT_FAILED, FaultPhase.REVERTING},
    FaultPhase.REVERT_FAILED: {FaultPhase.REVERTING},
    FaultPhase.REVERTED: {FaultPhase.REVERT_PROVEN, FaultPhase.REVERTING},
    FaultPhase.REVERT_PROVEN: {FaultPhase.REVERTING},  # by another, who was asked before this was on disk
}


def gaps(records: Sequence[Record]) -> list[str]:
    """Return where the story of a fault has a gap, by fault: each must go its way, and end as proven reverted.

    A fault that was planned and whose lease was never given has no more to tell. `records` are sorted by time.
    """
    found: list[str] = []
    last: dict[tuple[str, str], FaultPhase] = {}
    for step in (record for record in records if isinstance(record, FaultStep)):
        key = (step.lease, step.fault)
        if step.phase not in _AFTER[last.get(key)]:
            found.append(f"{step.lease}.{step.fault}: {step.phase} after {last.get(key, 'nothing')}")
        last[key] = step.phase
    found += [
        f"{lease}.{fault}: ends with {phase}"
        for (lease, fault), phase in last.items()
        if phase not in (FaultPhase.PLANNED, FaultPhase.REVERT_PROVEN)
    ]
    return found


def reached(records: Sequence[Record]) -> str:
    """Return the last step of a fault, or phase of the experiment, that a controller has told."""
    steps = [record.phase for record in records if isinstance(record, FaultStep)]
    return str(steps[-1]) if steps else "before the lease"
