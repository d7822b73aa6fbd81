"""What the guard does when it is asked: gives a lease or refuses it, injects under it, looks whether a fault is out."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from chaos import lease as leases
from chaos import switch
from chaos.drivers import DRIVERS
from chaos.guard.announcing import announcing
from chaos.guard.giving import objection, with_prior
from chaos.guard.injected import Injected
from chaos.standby import AHEAD_NS, Standby, sleep_until
from chaos.transport import at
from core.audit import Entry
from core.lease import Lease, LeasedFault
from core.lease_rules import Caps, Given, flaps_of, unsafe
from core.records import FaultStep
from core.refusals import Refusal
from store.audit import Audit, AuditError


class RefusedError(Exception):
    """The guard refuses; nothing was touched."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.words)
        self.refusal = refusal


class Admission:
    """The decisions of one guard. Any thread may ask; leases are given one after another."""

    def __init__(self, directory: Path, caps: Caps, audit: Audit) -> None:
        self._directory = directory
        self._caps = caps
        self._audit = audit
        self._giving = threading.Lock()

    def arm(self, asked: Lease, lease_s: float, answering: Collection[str]) -> Lease:
        """Give the lease: read the prior state of every target, write it down, and return it whole.

        Asked again by the name of a lease that is out, it returns that one. Raises RefusedError.
        """
        path = self._path(asked.lease)
        if path.exists():
            return leases.read(path)
        known = announcing(asked.sites, answering)
        deadline_ns = time.monotonic_ns() + round(lease_s * 1e9)
        with self._giving:
            asked = replace(asked, deadline_ns=deadline_ns, boot=leases.boot_id())
            self._check(asked, known)
            lease = replace(asked, faults=tuple(self._with_prior(asked, fault) for fault in asked.faults))
            self._tell(lease, "armed", {"lease_s": lease_s, "flaps": flaps_of(lease), "announcing": known})
            leases.write(path, lease)
        return lease

    def _check(self, asked: Lease, known: Mapping[str, str]) -> None:
        stopped = switch.reason(self._directory)
        if stopped:
            words = f"the kill switch is on: {stopped}; `vipchaos resume` allows new faults"
            self._refuse(asked, Refusal("kill_switch", words))
        out, given = self._others(asked.lease), self._given(asked)
        found = objection(asked, out, self._caps, given, known)
        if found:
            self._refuse(asked, found)

    def _with_prior(self, asked: Lease, fault: LeasedFault) -> LeasedFault:
        found = with_prior(asked, fault, at(fault.host))
        if isinstance(found, Refusal):
            self._refuse(asked, found)
        return found

    def inject(self, name: str, fault_name: str, at_ns: int, answering: Collection[str]) -> Injected:
        """Inject one fault of a lease at `at_ns` (at once when that is past), if it is still safe then.

        Raises RefusedError; the lease stays for its other faults.
        """
        lease, fault = self._fault(name, fault_name)
        known = announcing(lease.sites, answering)
        with self._giving:
            stopped = switch.reason(self._directory)
            if stopped:
                self._refuse(lease, Refusal("kill_switch", f"the kill switch is on: {stopped}"))
            found = unsafe(lease, self._others(name), known)
            if found:
                self._refuse(lease, found)
            self._tell(lease, "injecting", {"fault": fault_name, "announcing": known})
        sleep_until(at_ns - AHEAD_NS)
        # Held, so that a revert at the deadline is before it, and then it is not done, or after it.
        with leases.held(self._path(name)):
            lease, fault = self._fault(name, fault_name)
            target = Standby(fault.host, at(fault.host), at_ns)
            reply = DRIVERS[fault.driver].inject(target, fault.arguments, fault.prior)
            ended_ns = time.monotonic_ns()
            return Injected(target.began_ns or ended_ns, ended_ns, reply.words)

    def prove(self, name: str, fault_name: str) -> tuple[bool | None, str]:
        """Look whether a fault is out. Raises RefusedError when it is not under a lease any more."""
        _, fault = self._fault(name, fault_name)
        return DRIVERS[fault.driver].is_out(at(fault.host), fault.arguments, fault.prior)

    def standing(self, name: str, answering: Collection[str]) -> None:
        """Look whether enough sites still announce beside what the leases take. Raises RefusedError when not."""
        lease = self._lease(name)
        found = unsafe(lease, self._others(name), announcing(lease.sites, answering))
        if found:
            raise RefusedError(found)

    def release(self, name: str, give_up_s: float, faults: Collection[str]) -> tuple[bool, list[FaultStep]]:
        """Revert a lease now, or these faults of it; return whether they are proven reverted, and the steps."""
        steps: list[FaultStep] = []
        return leases.release(self._path(name), steps.append, give_up_s, faults), steps

    def _lease(self, name: str) -> Lease:
        try:
            return leases.read(self._path(name))
        except FileNotFoundError:
            raise RefusedError(Refusal("lease_over", f"lease {name} is over: its faults are reverted")) from None

    def _fault(self, name: str, fault_name: str) -> tuple[Lease, LeasedFault]:
        lease = self._lease(name)
        why = leases.why_over(lease)
        fault = next((fault for fault in lease.faults if fault.name == fault_name), None)
        if why or fault is None:
            raise RefusedError(Refusal("lease_over", f"{fault_name} of lease {name}: {why or 'reverted already'}"))
        return lease, fault

    def _refuse(self, asked: Lease, why: Refusal) -> NoReturn:
        self._tell(asked, "refused", {"reason": why.reason, "words": why.words})
        raise RefusedError(why)

    def _tell(self, lease: Lease, what: str, values: Mapping[str, object]) -> None:
        about = {
            "lease": lease.lease,
            "run": lease.run,
            "experiment": lease.experiment,
            "plan": lease.plan,
            "vip": lease.vip,
            "faults": [f"{fault.driver} at {fault.host.name} ({fault.name})" for fault in lease.faults],
        }
        try:
            self._audit.add(time.time_ns(), lease.who, what, about | dict(values))
        except AuditError as error:
            raise RefusedError(Refusal("no_audit", str(error))) from error

    def _given(self, asked: Lease) -> list[Given]:
        try:
            found = [entry for entry in self._audit.read() if isinstance(entry, Entry) and entry.what == "armed"]
            return [_given(entry) for entry in found]
        except (AuditError, KeyError, TypeError, ValueError) as error:
            # What was given before is not known: nothing more is given.
            raise RefusedError(Refusal("no_audit", f"{asked.lease}: the audit cannot be read: {error}")) from error

    def _others(self, name: str) -> list[Lease]:
        """Return the leases that are out but for the one called `name`."""
        found = []
        for _, lease in leases.read_all(self._directory):
            if isinstance(lease, leases.LeaseError):
                raise RefusedError(Refusal("damaged_lease", str(lease))) from lease
            if lease.lease != name:
                found.append(lease)
        return found

    def _path(self, name: str) -> Path:
        return self._directory / f"{name}.json"


def _given(entry: Entry) -> Given:
    faults, flaps = entry.values["faults"], entry.values["flaps"]
    if not isinstance(faults, list) or not isinstance(flaps, int):
        raise TypeError(f"entry {entry.number} is not of this version")
    return Given(entry.wall_ns, len(faults), str(entry.values["vip"]), flaps)
