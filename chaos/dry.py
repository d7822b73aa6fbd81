"""A dry run: asks and looks as a run does, touches nothing, and records each command that would have been run."""

from __future__ import annotations

import shlex
import time
from collections.abc import Collection
from dataclasses import replace

from chaos import lease as leases
from chaos.drivers import DRIVERS
from chaos.guard.announcing import announcing
from chaos.guard.client import CAPS_FILE, RefusedByGuardError, check_here
from chaos.guard.giving import objection, with_prior
from chaos.guard.injected import Injected
from chaos.runner import Surroundings
from chaos.transport import Target, Untouched, at
from core.lease import Lease, LeasedFault
from core.lease_rules import Caps
from core.loader import caps
from core.records import FaultPhase, FaultStep, Record
from core.refusals import Refusal

DRY_RUN = "dry_run"
TOUCHED_NOTHING = "dry run: every step could be done; nothing was touched, so nothing is judged"


def dry(surroundings: Surroundings) -> Surroundings:
    """Return the same surroundings for a dry run: each step is recorded as one of it, and nothing is waited for."""

    def record(fact: Record) -> None:
        if isinstance(fact, FaultStep) and fact.phase is not FaultPhase.DRY_RUN:
            fact = replace(fact, phase=FaultPhase.DRY_RUN, detail=f"{fact.phase}: {fact.detail}".rstrip(": "))
        surroundings.record(fact)

    guard = DryGuard(record, caps(CAPS_FILE))
    return replace(surroundings, record=record, guard=lambda: guard, hurry=True)


class DryGuard:
    """In a guard's place: gives leases that are on no disk, for faults that are never injected."""

    def __init__(self, record: leases.Recorder, caps: Caps) -> None:
        self._record = record
        self._caps = caps
        self._given: dict[str, Lease] = {}

    def arm(self, asked: Lease, lease_s: float, answering: Collection[str]) -> Lease:
        """Return the lease with the prior states as they are now. Raises RefusedByGuardError as a guard would.

        What was given before and what is out are the real guard's to know.
        """
        check_here(asked)
        now_ns = time.monotonic_ns()
        asked = replace(asked, deadline_ns=now_ns + round(lease_s * 1e9), boot=leases.boot_id())
        found = objection(asked, [], self._caps, [], announcing(asked.sites, answering))
        if found:
            raise RefusedByGuardError(found)
        lease = replace(asked, faults=tuple(self._with_prior(asked, fault) for fault in asked.faults))
        self._given[asked.lease] = lease
        return lease

    def _with_prior(self, asked: Lease, fault: LeasedFault) -> LeasedFault:
        found = with_prior(asked, fault, self._target(asked, fault))
        if isinstance(found, Refusal):
            raise RefusedByGuardError(found)
        return found

    def _target(self, lease: Lease, fault: LeasedFault) -> Target:
        def tell(argv: tuple[str, ...]) -> None:
            words = f"would be run at {fault.host.name}: {shlex.join(argv)}"
            now_ns = time.monotonic_ns()
            self._record(FaultStep(now_ns, lease.experiment, fault.name, lease.lease, FaultPhase.DRY_RUN, words))

        return Untouched(at(fault.host), tell)

    def inject(self, lease: str, fault: str, at_ns: int, answering: Collection[str]) -> Injected:
        """Record what would be done."""
        del at_ns, answering
        given, leased = self._fault(lease, fault)
        began_ns = time.monotonic_ns()
        reply = DRIVERS[leased.driver].inject(self._target(given, leased), leased.arguments, leased.prior)
        return Injected(began_ns, time.monotonic_ns(), reply.words)

    def prove(self, lease: str, fault: str) -> tuple[bool | None, str]:
        """Look as the proof would, and take the fault for proven."""
        given, leased = self._fault(lease, fault)
        _, seen = DRIVERS[leased.driver].is_out(self._target(given, leased), leased.arguments, leased.prior)
        return True, f"dry run, so this is without it: {seen}"

    def standing(self, lease: str, answering: Collection[str]) -> None:
        """Nothing is out that others could be in the way of."""

    def release(self, lease: str, record: leases.Recorder, give_up_s: float, faults: Collection[str]) -> bool:
        """Record what would be done."""
        del record, give_up_s
        for name in faults:
            given, leased = self._fault(lease, name)
            DRIVERS[leased.driver].revert(self._target(given, leased), leased.arguments, leased.prior)
        return True

    def close(self) -> None:
        """Nothing is open."""

    def _fault(self, lease: str, fault: str) -> tuple[Lease, LeasedFault]:
        given = self._given[lease]
        return given, next(each for each in given.faults if each.name == fault)
