"""Runs experiments one after another: gate, arm, inject, prove, hold, revert, prove, settle. Judges nothing."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from chaos import lease as leases
from chaos import switch, watchdog
from chaos.driver import Term
from chaos.drivers import DRIVERS
from chaos.observe import Observations
from chaos.transport import Target, at
from core.errors import BlockedError
from core.experiment import Experiment, Fault, SteadyState
from core.inventory import Inventory
from core.records import ExperimentPhase, FaultPhase, FaultStep, Outcome, Record

POLL_S = 0.05
PROVE_WITHIN_S = 3.0
REVERT_WITHIN_S = 15.0


class _Ended(Exception):
    def __init__(self, outcome: Outcome, reason: str) -> None:
        super().__init__(reason)
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the runner needs of the world: observations, where to record, whether to stop, and the directories."""

    observe: Callable[[], Observations]
    record: Callable[[Record], None]
    stop: Callable[[], str]
    run: str
    run_directory: Path
    lease_directory: Path = leases.DIRECTORY


class Runner:
    """One run of a list of experiments against one inventory."""

    def __init__(self, experiments: Sequence[Experiment], inventory: Inventory, surroundings: Surroundings) -> None:
        self._experiments = experiments
        self._inventory = inventory
        self._world = surroundings
        self._sessions = {name: vantage.sessions for name, vantage in inventory.vantages.items()}
        self._out: dict[str, Path] = {}  # experiment -> its lease

    def run(self) -> tuple[Outcome, str]:
        """Run all; return PASSED when nothing went wrong on the way (the judgement is somebody else's), and why not.

        Whatever happens, every fault is reverted before this returns, or the outcome is REVERT_FAILED.
        """
        leases.sweep(self._world.record, self._world.lease_directory)
        outcome, reason = Outcome.PASSED, ""
        current = ""
        try:
            if self._switched_off():
                raise BlockedError(f"{self._switched_off()}; `vipchaos resume` allows new faults")
            for experiment in self._experiments:
                current = experiment.name
                self._run_one(experiment)
        except _Ended as ended:
            outcome, reason = ended.outcome, f"{current}: {ended}"
        except BlockedError as blocked:
            outcome, reason = Outcome.BLOCKED, f"{current}: {blocked}" if current else str(blocked)
        finally:
            left = [name for name in list(self._out) if not self._revert(name)]
        if outcome is not Outcome.PASSED:
            self._phase(current, "aborted", reason)
        if left:
            return Outcome.REVERT_FAILED, f"faults of {', '.join(left)} are not proven reverted; their watchdogs go on"
        return outcome, reason

    def _run_one(self, experiment: Experiment) -> None:
        self._phase(experiment.name, "gate", experiment.title)
        steady = experiment.steady_state
        self._steady(steady, steady.for_s, Outcome.BLOCKED)
        if experiment.reverts is None:
            self._inject(experiment)
        else:
            # After a failback the network is as it was before the failover.
            steady = next(other.steady_state for other in self._experiments if other.name == experiment.reverts)
            self._phase(experiment.name, "revert", f"the faults of {experiment.reverts}")
            self._must_revert(experiment.reverts)
        self._phase(experiment.name, "hold", f"{experiment.hold_s:g} s")
        self._wait(experiment, experiment.hold_s)
        if experiment.faults and not self._reverted_later(experiment):
            self._phase(experiment.name, "revert")
            self._must_revert(experiment.name)
        if experiment.name not in self._out:
            self._phase(experiment.name, "settle")
            self._steady(steady, experiment.settle_s, Outcome.INCONCLUSIVE)
        self._phase(experiment.name, "done")

    def _reverted_later(self, experiment: Experiment) -> bool:
        return any(other.reverts == experiment.name for other in self._experiments)

    def _steady(self, steady: SteadyState, for_s: float, otherwise: Outcome) -> None:
        """Wait until the steady state has been there for `for_s`; ends the run when it does not come."""
        began_s = since_s = time.monotonic()
        limit_s = steady.timeout_s + for_s
        while True:
            self._check_stop()
            now_s = time.monotonic()
            why = self._world.observe().unsteady(steady, self._sessions)
            if why:
                since_s = now_s
            if now_s - since_s >= for_s:
                return
            if now_s - began_s > limit_s:
                raise _Ended(otherwise, f"no steady state within {limit_s:g} s: {why or 'it does not last'}")
            time.sleep(POLL_S)

    def _wait(self, experiment: Experiment, for_s: float) -> None:
        """Wait, with the abort conditions watched."""
        until_s = time.monotonic() + for_s
        while time.monotonic() < until_s:
            self._check_stop()
            reason = self._world.observe().abort_reason(experiment.abort)
            if reason:
                raise _Ended(Outcome.ABORTED, reason)
            time.sleep(POLL_S)

    def _check_stop(self) -> None:
        reason = self._world.stop() or self._switched_off()
        if reason:
            raise _Ended(Outcome.ABORTED, reason)

    def _switched_off(self) -> str:
        reason = switch.reason(self._world.lease_directory)
        return f"the kill switch is on: {reason}" if reason else ""

    def _inject(self, experiment: Experiment) -> None:
        """Arm, then inject every fault at its offset, then prove each."""
        lease = self._arm(experiment)
        began_s = time.monotonic()
        faults = sorted(experiment.faults, key=lambda fault: fault.at_s)
        priors = {fault.name: fault.prior for fault in lease.faults}
        self._phase(experiment.name, "inject")
        for fault in faults:
            self._wait(experiment, began_s + fault.at_s - time.monotonic())
            self._step(experiment, fault, lease.lease, FaultPhase.INJECTING)
            reply = DRIVERS[fault.driver].inject(self._at(fault), fault.arguments, priors[fault.name])
            self._step(experiment, fault, lease.lease, FaultPhase.INJECTED, reply.words)
        for fault in faults:
            self._prove(experiment, fault, lease)

    def _arm(self, experiment: Experiment) -> leases.Lease:
        """Read the prior state of every target, put the lease on disk and its watchdog in place."""
        name = f"{experiment.name}-{secrets.token_hex(3)}"
        deadline_ns = time.monotonic_ns() + round(experiment.lease_s * 1e9)
        leased = []
        for fault in experiment.faults:
            self._step(experiment, fault, name, FaultPhase.PLANNED, f"{fault.driver} at {fault.target}")
            term = Term(f"{name}.{fault.name}", deadline_ns)
            prior = DRIVERS[fault.driver].prior(self._at(fault), fault.arguments, term)
            if prior is None:
                raise BlockedError(f"{fault.name}: {fault.target} is already in the state of the fault, or unknown")
            leased.append(
                leases.LeasedFault(
                    fault.name, fault.driver, self._inventory.hosts[fault.target], fault.arguments, prior
                )
            )
        lease = leases.Lease(
            lease=name,
            run=self._world.run,
            experiment=experiment.name,
            deadline_ns=deadline_ns,
            boot=leases.boot_id(),
            guard_journal=str(self._world.run_directory / f"guard-{name}.db"),
            faults=tuple(leased),
        )
        path = self._world.lease_directory / f"{name}.json"
        leases.write(path, lease)
        try:
            watchdog.start(path)
        except BlockedError:
            path.unlink()
            raise
        self._out[experiment.name] = path
        for fault in experiment.faults:
            self._step(
                experiment,
                fault,
                name,
                FaultPhase.ARMED,
                f"reverted after {experiment.lease_s:g} s at the latest",
                experiment.lease_s,
            )
        return lease

    def _prove(self, experiment: Experiment, fault: Fault, lease: leases.Lease) -> None:
        prior = next(leased.prior for leased in lease.faults if leased.name == fault.name)
        until_s = time.monotonic() + PROVE_WITHIN_S
        while True:
            out, seen = DRIVERS[fault.driver].is_out(self._at(fault), fault.arguments, prior)
            if out:
                self._step(experiment, fault, lease.lease, FaultPhase.PROVEN, seen)
                return
            if time.monotonic() > until_s:
                self._step(experiment, fault, lease.lease, FaultPhase.NOT_PROVEN, seen)
                raise _Ended(Outcome.INCONCLUSIVE, f"{fault.name} is not proven injected: {seen}")
            time.sleep(POLL_S)

    def _must_revert(self, name: str) -> None:
        if not self._revert(name):
            raise _Ended(Outcome.REVERT_FAILED, f"the faults of {name} are not proven reverted")

    def _revert(self, name: str) -> bool:
        done = leases.release(self._out[name], self._world.record, REVERT_WITHIN_S)
        if done:
            del self._out[name]
        return done

    def _at(self, fault: Fault) -> Target:
        return at(self._inventory.hosts[fault.target])

    def _phase(self, experiment: str, phase: str, detail: str = "") -> None:
        self._world.record(ExperimentPhase(time.monotonic_ns(), experiment, phase, detail))

    def _step(
        self,
        experiment: Experiment,
        fault: Fault,
        lease: str,
        phase: FaultPhase,
        detail: str = "",
        lease_s: float = 0.0,
    ) -> None:
        self._world.record(FaultStep(time.monotonic_ns(), experiment.name, fault.name, lease, phase, detail, lease_s))
