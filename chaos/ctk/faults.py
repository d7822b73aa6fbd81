"""Faults under leases that this process holds: given, injected and proven by the guard, and taken back.

When the process ends, however it ends, the guard reverts what it has out.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Collection
from datetime import timedelta
from pathlib import Path

from chaos import lease as leases
from chaos import switch
from chaos.asking import lease_for
from chaos.ctk.activity import ActivityError
from chaos.guard.client import GuardClient, until_proven
from chaos.planned import plan_hash
from chaos.wall import wall_now
from core.errors import VipchaosError
from core.experiment import Experiment
from core.inventory import Inventory
from core.plan import PROVE_WITHIN_S, REVERT_WITHIN_S
from core.records import FaultPhase, FaultStep
from core.windows import blocked
from store.runs import home

_given: dict[str, str] = {}
"""The lease of each fault, by its name, that this process was given and has not taken back."""


def inject(experiment: Experiment, inventory: Inventory, answering: Collection[str]) -> dict[str, object]:
    """Have the one fault of an experiment injected; return what is known of it, ready for JSON.

    Raises BlockedError when it is refused, ActivityError when it is not proven: then nothing is out. `answering` are
    the sites that answer probes now.
    """
    name = experiment.name
    lease_s = timedelta(seconds=experiment.lease_s)
    refused = blocked(inventory.rails.windows, inventory.rails.freezes, wall_now(), lease_s)
    if refused:
        raise ActivityError(f"{refused.words} [{refused.reason}]")
    place = home() / "ctk"
    place.mkdir(parents=True, exist_ok=True)
    asked = lease_for(experiment, inventory, _run(), place, plan_hash(inventory, [experiment]))
    _reserve(name, asked.lease)
    guard = GuardClient()
    with contextlib.closing(guard):
        try:
            lease = guard.arm(asked, experiment.lease_s, answering)
            done = guard.inject(lease.lease, name, time.monotonic_ns(), answering)
            seen = _proof(guard, lease.lease, name)
        except BaseException as error:  # told to stop in between, for one
            left = _take_back(asked.lease)
            _given.pop(name, None)
            if left and isinstance(error, VipchaosError):
                raise ActivityError(f"{error}; {left}") from error
            raise
    return {
        "fault": name,
        "driver": experiment.faults[0].driver,
        "target": experiment.faults[0].target,
        "lease": lease.lease,
        "run": lease.run,
        "lease_s": experiment.lease_s,
        "began_ns": done.began_ns,
        "ended_ns": done.ended_ns,
        "seen": seen,
    }


def _reserve(name: str, lease: str) -> None:
    """Note that a fault of this name is under way; only one may be, for it is reverted by its name."""
    earlier = _given.setdefault(name, lease)
    if earlier == lease:
        return
    if _path(earlier).exists():
        raise ActivityError(f"{name}: a fault of this name is out already [same_name]")
    _given[name] = lease


def _path(lease: str) -> Path:
    return leases.DIRECTORY / f"{lease}.json"


def revert(name: str) -> dict[str, object]:
    """Take a fault back; one that is not out, or was taken back before, is no error.

    Raises ActivityError when it is not proven reverted, and when somebody else has reverted it meanwhile: then it was
    not out for as long as the experiment believes.
    """
    lease = _given.get(name)
    if lease is None:
        return {"fault": name, "reverted": False, "seen": "this process has no fault of that name out"}
    there, seen = _path(lease).exists(), list[str]()
    left = _take_back(lease, seen)
    if left:
        raise ActivityError(f"{name}: {left}")
    del _given[name]
    if not there or not seen:
        raise ActivityError(f"{name}: {_why_gone()} [lease_over]")
    return {"fault": name, "reverted": True, "seen": seen[-1]}


def out() -> int:
    """Return how many faults are out on this machine, whoever asked for them. Raises LeaseError."""
    count = 0
    for _, lease in leases.read_all():
        if isinstance(lease, leases.LeaseError):
            raise lease
        count += len(lease.faults)
    return count


def _run() -> str:
    """Return what the guard knows this process as: faults of one run may be out beside each other."""
    return f"ctk-{leases.holder(os.getpid()).replace(':', '-')}"


def _proof(guard: GuardClient, lease: str, fault: str) -> str:
    out, seen = until_proven(guard, lease, fault, PROVE_WITHIN_S)
    if not out:
        raise ActivityError(f"{fault} is not proven injected: {seen} [not_proven]")
    return seen


def _take_back(lease: str, seen: list[str] | None = None) -> str:
    """Revert a lease; return '' when that is proven, otherwise why not. What was seen is added to `seen`."""

    def record(step: FaultStep) -> None:
        if seen is not None and step.phase is FaultPhase.REVERT_PROVEN:
            seen.append(step.detail)

    if leases.release(_path(lease), record, REVERT_WITHIN_S):
        return ""
    return "not proven reverted, the guard goes on: see `vipchaos leases` [revert_failed]"


def _why_gone() -> str:
    stopped = switch.reason()
    why = f"the kill switch was used ({stopped})" if stopped else "its lease was over"
    return f"it was reverted before it was asked for: {why}"
