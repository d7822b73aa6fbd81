"""Runs experiments: interprets the steps of core.plan on the real clock, by the guard. Judges nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

from chaos import lease as leases
from chaos import switch
from chaos.asking import lease_for
from chaos.guard.client import GuardClient, Guarding, RefusedByGuardError, until_proven
from chaos.observe import Observations
from chaos.watch import Watch
from core.errors import BlockedError
from core.experiment import Experiment, SteadyState
from core.inventory import Inventory
from core.lease import Lease
from core.plan import PROVE_WITHIN_S, REVERT_WITHIN_S, Step, StepKind, settles_to, timeline
from core.records import ExperimentPhase, FaultPhase, FaultStep, Outcome, Record

POLL_S = 0.05
LEAD_S = 0.5
"""The method begins so long after its lease was given, and an injection is handed to the guard so long ahead."""
MOST_FAULTS = 64


class _Ended(Exception):
    def __init__(self, outcome: Outcome, reason: str, code: str = "") -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.code = code


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the runner needs of the world: observations, where to record, whether to stop, the guard, directories.

    `hurry`: nothing is held and no instant waited for, as in a dry run.
    """

    observe: Callable[[], Observations]
    record: Callable[[Record], None]
    stop: Callable[[], str]
    run: str
    run_directory: Path
    lease_directory: Path = leases.DIRECTORY
    guard: Callable[[], Guarding] = GuardClient
    plan: str = ""
    hurry: bool = False


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended: PASSED when nothing went wrong on the way (the judgement is somebody else's), and why not."""

    outcome: Outcome
    reason: str = ""
    reason_code: str = ""


@dataclass
class _Method:
    """One experiment under way: its lease, when its method began (monotonic clock), and the work that is going on."""

    experiment: Experiment
    lease: Lease | None = None
    began_ns: int = 0
    injecting: dict[str, Future[None]] = field(default_factory=dict)
    holds: bool = False


class Runner:
    """One run of a list of experiments against one inventory."""

    def __init__(self, experiments: Sequence[Experiment], inventory: Inventory, surroundings: Surroundings) -> None:
        self._experiments = {experiment.name: experiment for experiment in experiments}
        self._steps = timeline(experiments)
        self._inventory = inventory
        self._world = surroundings
        self._sessions = {name: vantage.sessions for name, vantage in inventory.vantages.items()}
        self._out: dict[str, Lease] = {}  # experiment -> its lease
        self._injected = False
        self._guard = surroundings.guard()
        self._seen = Observations()
        self._watch = Watch(surroundings.guard, self._answering)
        self._workers = ThreadPoolExecutor(MOST_FAULTS, "fault")

    def run(self) -> Ending:
        """Run all. Whatever happens, every fault is reverted before this returns, or the outcome is REVERT_FAILED."""
        ending, current = Ending(Outcome.PASSED), ""
        self._watch.start()
        try:
            self._check_switch()
            for current, steps in groupby(self._steps, lambda step: step.experiment):
                self._run_one(_Method(self._experiments[current]), list(steps))
        except _Ended as ended:
            ending = Ending(ended.outcome, f"{current}: {ended}" if current else str(ended), ended.code)
        except RefusedByGuardError as refused:
            outcome = Outcome.ABORTED if self._injected else Outcome.BLOCKED
            ending = Ending(outcome, f"{current}: {refused.refusal.words}", refused.refusal.reason)
        except BlockedError as blocked:
            outcome = Outcome.ABORTED if self._injected else Outcome.BLOCKED
            ending = Ending(outcome, f"{current}: {blocked}" if current else str(blocked), "no_guard")
        finally:
            self._watch.stop()
            left = [name for name in list(self._out) if not self._revert(name)]
            self._workers.shutdown()
            self._guard.close()
        if ending.outcome is not Outcome.PASSED:
            self._phase(current, "aborted", ending.reason)
        if left:
            words = f"faults of {', '.join(left)} are not proven reverted; the guard goes on"
            return Ending(Outcome.REVERT_FAILED, words, "revert_failed")
        return ending

    def _run_one(self, method: _Method, steps: Sequence[Step]) -> None:
        name = method.experiment.name
        for number, step in enumerate(steps):
            first = number == 0 or steps[number - 1].kind is not step.kind
            match step.kind:
                case StepKind.GATE:
                    self._phase(name, "gate", method.experiment.title)
                    self._steady(method.experiment.steady_state, method.experiment.steady_state.for_s, Outcome.BLOCKED)
                    method.began_ns = time.monotonic_ns()
                case StepKind.ARM if first:
                    self._arm(method)
                    self._phase(name, "inject")
                case StepKind.INJECT:
                    self._wait(method, step.at_s - LEAD_S)
                    self._inject(method, step)
                case StepKind.HOLD:
                    self._wait(method, step.at_s)
                    method.holds = True
                case StepKind.REVERT:
                    self._wait(method, step.at_s)
                    self._end_of_fault(method, step, first)
                case StepKind.SETTLE:
                    self._wait(method, step.at_s)
                    self._phase(name, "settle")
                    to = settles_to(method.experiment, list(self._experiments.values()))
                    self._steady(to, method.experiment.settle_s, Outcome.INCONCLUSIVE)
                case StepKind.DONE:
                    self._wait(method, step.at_s)
                    self._proofs(method, list(method.injecting))
                    self._phase(name, "done")

    def _steady(self, steady: SteadyState, for_s: float, otherwise: Outcome) -> None:
        """Wait until the steady state has been there for `for_s`; ends the run when it does not come."""
        began_s = since_s = time.monotonic()
        limit_s = steady.timeout_s + for_s
        while True:
            self._check_stop()
            now_s = time.monotonic()
            why = self._see().unsteady(steady, self._sessions)
            if why:
                since_s = now_s
            if now_s - since_s >= for_s:
                return
            if now_s - began_s > limit_s:
                why = f"no steady state within {limit_s:g} s: {why or 'it does not last'}"
                raise _Ended(otherwise, why, "not_steady")
            time.sleep(POLL_S)

    def _wait(self, method: _Method, until_s: float) -> None:
        """Wait until `until_s` after the method began, with everything watched that may end the run."""
        until_ns = method.began_ns + round(until_s * 1e9)
        while (left_ns := until_ns - time.monotonic_ns()) > 0:
            self._check_stop()
            if self._world.hurry:
                return
            reason = self._see().abort_reason(method.experiment.abort)
            if reason:
                raise _Ended(Outcome.ABORTED, reason, "abort_condition")
            self._proofs(method, [name for name, work in method.injecting.items() if work.done()])
            self._tell_hold(method)
            time.sleep(min(POLL_S, left_ns / 1e9))

    def _answering(self) -> frozenset[str]:
        return self._seen.answering()

    def _see(self) -> Observations:
        """Read what the probes have told until now. Only this thread reads; others look at what it has seen."""
        self._seen = self._world.observe()
        return self._seen

    def _check_stop(self) -> None:
        reason = self._world.stop()
        if reason:
            raise _Ended(Outcome.ABORTED, reason, "stopped")
        reason = switch.reason(self._world.lease_directory)
        if reason:
            raise _Ended(Outcome.ABORTED, f"the kill switch is on: {reason}", "kill_switch")
        # Last, since it sees what the others have done: that a kill switch has reverted the faults, for one.
        if self._watch.reason:
            raise _Ended(Outcome.ABORTED, self._watch.reason, self._watch.code)

    def _check_switch(self) -> None:
        reason = switch.reason(self._world.lease_directory)
        if reason:
            words = f"the kill switch is on: {reason}; `vipchaos resume` allows new faults"
            raise _Ended(Outcome.BLOCKED, words, "kill_switch")

    def _arm(self, method: _Method) -> None:
        """Have the guard give the lease of all faults of an experiment."""
        experiment = method.experiment
        asked = lease_for(experiment, self._inventory, self._world.run, self._world.run_directory, self._world.plan)
        for fault in asked.faults:
            self._step(asked, fault.name, FaultPhase.PLANNED, f"{fault.driver} at {fault.host.name}")
        method.lease = self._guard.arm(asked, experiment.lease_s, self._see().answering())
        self._out[experiment.name] = method.lease
        self._watch.lease(method.lease)
        until = f"reverted after {experiment.lease_s:g} s at the latest"
        for fault in asked.faults:
            self._step(asked, fault.name, FaultPhase.ARMED, until, lease_s=experiment.lease_s)
        method.began_ns = time.monotonic_ns() + round(LEAD_S * 1e9)

    def _inject(self, method: _Method, step: Step) -> None:
        """Hand one injection over to the guard, for its planned instant; its proof follows on the same thread."""
        at_ns = method.began_ns + round(step.at_s * 1e9)
        answering, lease = self._see().answering(), method.lease
        assert lease is not None
        self._step(lease, step.fault, FaultPhase.INJECTING, planned_ns=at_ns)
        self._injected = True

        def work() -> None:
            guard = self._world.guard()
            try:
                done = guard.inject(lease.lease, step.fault, at_ns, answering)
                self._world.record(done.step(lease, step.fault))
                self._prove(lease, step.fault, guard)
            finally:
                guard.close()

        method.injecting[step.fault] = self._workers.submit(work)

    def _prove(self, lease: Lease, fault: str, guard: Guarding) -> None:
        out, seen = until_proven(guard, lease.lease, fault, PROVE_WITHIN_S)
        if not out:
            self._step(lease, fault, FaultPhase.NOT_PROVEN, seen)
            raise _Ended(Outcome.INCONCLUSIVE, f"{fault} is not proven injected: {seen}", "not_proven")
        self._step(lease, fault, FaultPhase.PROVEN, seen)
        self._watch.fault(lease, fault)

    def _proofs(self, method: _Method, faults: Sequence[str]) -> None:
        """Wait for the injection and proof of these faults; raises what ended them."""
        for fault in faults:
            work = method.injecting.pop(fault, None)
            if work is not None:
                work.result()

    def _tell_hold(self, method: _Method) -> None:
        """Say that the faults are held once the last of them is injected and proven."""
        if method.holds and not method.injecting:
            method.holds = False
            self._phase(method.experiment.name, "hold", f"{method.experiment.hold_s:g} s")

    def _end_of_fault(self, method: _Method, step: Step, first: bool) -> None:
        """Revert a fault by itself in its time, or with others at the end, or an earlier experiment's now."""
        experiment = method.experiment
        owner = experiment.reverts or experiment.name
        self._proofs(method, [step.fault])
        self._tell_hold(method)
        if first and (experiment.reverts or step.at_s >= experiment.method_s):
            words = f"the faults of {experiment.reverts}" if experiment.reverts else ""
            self._phase(experiment.name, "revert", words)
        if not self._revert(owner, step.fault):
            words = f"{step.fault} of {owner} is not proven reverted"
            raise _Ended(Outcome.REVERT_FAILED, words, "revert_failed")

    def _revert(self, owner: str, fault: str = "") -> bool:
        """Revert one fault of an experiment, or all that are left of it."""
        lease = self._out.get(owner)
        if lease is None:
            return True
        faults = [fault] if fault else [each.name for each in lease.faults]
        left = tuple(each for each in lease.faults if each.name not in faults)
        self._watch.forget(lease, faults)
        done = self._guard.release(lease.lease, self._world.record, REVERT_WITHIN_S, faults)
        if done and left:
            self._out[owner] = replace(lease, faults=left)
        elif done:
            del self._out[owner]
        return done

    def _phase(self, experiment: str, phase: str, detail: str = "") -> None:
        self._world.record(ExperimentPhase(time.monotonic_ns(), experiment, phase, detail))

    def _step(
        self, lease: Lease, fault: str, phase: FaultPhase, detail: str = "", lease_s: float = 0.0, planned_ns: int = 0
    ) -> None:
        now_ns = time.monotonic_ns()
        self._world.record(FaultStep(now_ns, lease.experiment, fault, lease.lease, phase, detail, lease_s, planned_ns))
