"""A guard on another machine, asked over the bus by signed orders; its clock's instants are told as ours."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

from chaos import lease as leases
from chaos.guard.client import RefusedByGuardError
from chaos.guard.injected import Injected, steps_of
from core.clock_offset import ClockFilter, Exchange
from core.enrolment import order_subject
from core.errors import BlockedError, VipchaosError
from core.lease import Lease
from core.orders import HELLO, VALID_NS, Order, Sign, sealed
from core.records import FaultPhase, FaultStep
from core.refusals import Refusal

ANSWER_WITHIN_S = 6.0
"""Beyond what the order itself may take."""
LONGEST_WORK_S = 10.0
"""Of a look, a lease or an injection at its instant: each target has a few seconds."""
AFTER_DEADLINE_S = 5.0
PAUSE_S = 0.25
HELLOS = 4


class Asking(Protocol):
    """The part of `store.bus.Bus` that is needed here."""

    def request(self, subject: str, data: bytes, within_s: float) -> bytes:
        """Return the answer of who listens at `subject`. Raises VipchaosError when there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Signer:
    """What every order of this run has: by whose key it is signed, the run, its plan, and the leadership now."""

    key: str
    sign: Sign
    run: str
    plan: str
    term: Callable[[], int] = lambda: 0


class FarGuard:
    """One guard as `chaos.guard.client.Guarding`, that any thread may ask; raises as that does.

    A question that is lost is asked again, as a new order: every one may be repeated without harm.
    """

    def __init__(self, guard: str, bus: Asking, signer: Signer) -> None:
        self._guard = guard
        self._bus = bus
        self._signer = signer
        self._sitting = ""
        self._clock = ClockFilter()
        self._deadlines: dict[str, int] = {}
        self._told: set[FaultStep] = set()
        self._lock = threading.Lock()

    def arm(self, asked: Lease, lease_s: float, answering: Collection[str]) -> Lease:
        """Return the lease that the guard gives; its deadline is on our clock, the earliest that it can be."""
        ask = {"lease": asdict(asked), "lease_s": lease_s, "answering": list(answering)}
        given = leases.from_body(dict(self._ask("arm", ask)))
        faults = tuple(replace(fault, host=replace(fault.host, guard=self._guard)) for fault in given.faults)
        offset_ns, bound_ns = self._offset()
        given = replace(given, faults=faults, deadline_ns=given.deadline_ns - offset_ns - bound_ns)
        self._deadlines[given.lease] = given.deadline_ns
        return given

    def inject(self, lease: str, fault: str, at_ns: int, answering: Collection[str]) -> Injected:
        """Have a fault injected at `at_ns` of our clock; when it was is told with the bound of the clocks around it."""
        if not self._sitting:
            self._hello()
        offset_ns, _ = self._offset()
        ask = {"lease": lease, "fault": fault, "at_ns": at_ns + offset_ns, "answering": list(answering)}
        done = Injected(**self._ask("inject", ask))
        offset_ns, bound_ns = self._offset()
        began_ns, ended_ns = done.began_ns - offset_ns - bound_ns, done.ended_ns - offset_ns + bound_ns
        return Injected(began_ns, ended_ns, f"{done.words} (guard {self._guard}, clocks +/- {bound_ns / 1e6:.2f} ms)")

    def prove(self, lease: str, fault: str) -> tuple[bool | None, str]:
        """Return whether a fault is seen to be out, and what was seen."""
        out, seen = self._ask("prove", {"lease": lease, "fault": fault})
        return out, seen

    def standing(self, lease: str, answering: Collection[str]) -> None:
        """Return when enough sites still announce beside a lease's faults."""
        self._ask("standing", {"lease": lease, "answering": list(answering)})

    def release(self, lease: str, record: leases.Recorder, give_up_s: float, faults: Collection[str]) -> bool:
        """Have these faults reverted now; a guard that cannot be reached is asked until its lease is over and longer.

        It reverts by itself then, so the first answer after that tells how it went.
        """
        deadline_ns = self._deadlines.get(lease, 0) + round(AFTER_DEADLINE_S * 1e9)
        until_ns = max(time.monotonic_ns() + round(give_up_s * 1e9), deadline_ns)
        ask = {"lease": lease, "give_up_s": give_up_s, "faults": list(faults)}
        while True:
            try:
                said = self._ask("release", ask, give_up_s)
            except BlockedError as error:
                if isinstance(error, RefusedByGuardError) or time.monotonic_ns() > until_ns:
                    now_ns = time.monotonic_ns()
                    for fault in faults:
                        record(FaultStep(now_ns, "", fault, lease, FaultPhase.REVERT_FAILED, str(error)))
                    return False
                time.sleep(PAUSE_S)
                continue
            self._record(said["steps"], record)
            return bool(said["done"])

    def abandon(self) -> tuple[list[str], list[str]]:
        """Have every lease of the run reverted; return those that are, and those that are not proven to be."""
        said = self._ask("abandon", {}, LONGEST_WORK_S * 2)
        return list(said["reverted"]), list(said["left"])

    def close(self) -> None:
        """Nothing is open that is this guard's alone."""

    def _record(self, steps: list[dict[str, Any]], record: leases.Recorder) -> None:
        """Record what the guard did, each step once."""
        offset_ns, _ = self._offset()
        for step in steps_of(steps):
            with self._lock:
                new = step not in self._told
                self._told.add(step)
            if new:
                record(replace(step, t_ns=step.t_ns - offset_ns))

    def _offset(self) -> tuple[int, int]:
        """Return how far the guard's clock is ahead of ours, and by how much that can be wrong."""
        with self._lock:
            found = self._clock.best(time.monotonic_ns())
        if found is None:
            raise BlockedError(f"guard {self._guard}: how its clock stands to ours cannot be told by its answers")
        return found.offset_ns, found.bound_ns

    def _hello(self) -> None:
        for _ in range(HELLOS):
            self._sitting = str(self._tell(HELLO, {}, 0.0)["sitting"])

    def _ask(self, do: str, arguments: dict[str, object], work_s: float = LONGEST_WORK_S) -> Any:  # noqa: ANN401  JSON
        if not self._sitting:
            self._hello()
        try:
            return self._tell(do, arguments, work_s)
        except RefusedByGuardError as refused:
            if refused.refusal.reason != "order_other_sitting":
                raise
        self._hello()
        return self._tell(do, arguments, work_s)

    def _tell(self, do: str, arguments: dict[str, object], work_s: float) -> Any:  # noqa: ANN401  JSON
        signer = self._signer
        order = Order(
            self._guard,
            do,
            arguments,
            signer.run,
            signer.plan,
            secrets.token_hex(16),
            time.time_ns() + VALID_NS,
            "" if do == HELLO else self._sitting,
            signer.term(),
        )
        message = sealed(order, signer.key, signer.sign)
        sent_ns = time.monotonic_ns()
        try:
            answer = json.loads(self._bus.request(order_subject(self._guard), message, work_s + ANSWER_WITHIN_S))
        except (VipchaosError, ValueError) as error:
            raise BlockedError(f"guard {self._guard} does not answer: {error}") from error
        times = Exchange(sent_ns, int(answer["received_ns"]), int(answer["answered_ns"]), time.monotonic_ns())
        with self._lock:
            self._clock.take(self._guard, times)
        if "refused" in answer:
            raise RefusedByGuardError(Refusal(**answer["refused"]))
        if "error" in answer:
            raise BlockedError(f"guard {self._guard}: {answer['error']}")
        return answer["ok"]
