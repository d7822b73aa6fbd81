"""The guard's door on the bus: takes signed orders, passes them to the guard's own door, and audits what it refuses.

It gives no lease itself, and needs no privilege but to open the guard's socket, whose leases it holds: they go when it
goes. Orders are the asks of `chaos.guard.door`, with who, run and plan from the signature.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path

from chaos import lease as leases
from chaos.guard.client import GuardClient, RefusedByGuardError
from chaos.guard.injected import steps_of
from chaos.told import told
from core.contact import kept, unheard
from core.errors import BlockedError
from core.lease import Lease
from core.member_reader import Membership
from core.orders import Order, Post, Verify, decide
from core.records import FaultPhase, FaultStep, Record
from core.refusals import Refusal
from store.audit import Audit, AuditError
from store.journal import JournalError, read_journal
from store.runs import home
from store.whole import write_whole

LOOK_EVERY_S = 0.2
GIVE_UP_S = 15.0
TERM = "term"
_PASSED_ON = frozenset({"inject", "prove", "standing", "release"})


class _RefusedError(Exception):
    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.words)
        self.refusal = refusal


class BusDoor:
    """Answers messages, on any thread, for the guard of `directory`; `look` is called again and again beside them."""

    def __init__(
        self, member: Membership, directory: Path, guard: Callable[[], GuardClient], audit: Audit, verify: Verify
    ) -> None:
        self._directory = directory
        self._connect = guard
        self._audit = audit
        self._verify = verify
        self._clients = threading.local()
        self._all_clients: list[GuardClient] = []
        self._deciding = threading.Lock()
        self._heard: dict[str, int] = {}
        self._post = Post(member.name, secrets.token_hex(8), member.trusted, term=self._last_term())

    def _last_term(self) -> int:
        """Return the leadership that an order was last taken of, kept over restarts."""
        try:
            return int((home() / TERM).read_text())
        except (OSError, ValueError):
            return 0

    def answer(self, message: bytes) -> bytes:
        """Return the answer to one message from the bus: as the door's, with when it was received and answered."""
        received_ns = time.monotonic_ns()
        try:
            said: dict[str, object] = {"ok": self._do(*self._taken(message))}
        except _RefusedError as refused:
            said = {"refused": asdict(refused.refusal)}
        except RefusedByGuardError as refused:
            said = {"refused": asdict(refused.refusal)}
        except (BlockedError, leases.LeaseError) as error:
            said = {"error": str(error)}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            said = {"error": f"not understood: {type(error).__name__}: {error}"}
        clocks = {"received_ns": received_ns, "answered_ns": time.monotonic_ns()}
        return json.dumps({**said, **clocks}).encode()

    def _taken(self, message: bytes) -> tuple[Order, str]:
        """Return the order of a message and whose it is; one that is refused is audited, and so is a new leader."""
        with self._deciding:
            decision = decide(message, self._post, time.time_ns(), self._verify)
            if decision.refusal is not None:
                self._tell(decision.who, "refused", {**decision.said, **asdict(decision.refusal)})
                raise _RefusedError(decision.refusal)
            assert decision.order is not None
            if decision.post.term > self._post.term:
                self._tell(decision.who, "leads", {"term": decision.post.term})
                home().mkdir(parents=True, exist_ok=True)
                write_whole(home() / TERM, str(decision.post.term))
            self._post = decision.post
            self._heard[decision.order.run] = time.monotonic_ns()
        return decision.order, decision.who

    def _do(self, order: Order, who: str) -> object:
        match order.do:
            case "hello":
                return {"sitting": self._post.sitting, "pid": os.getpid()}
            case "arm":
                return self._guard().ask({"do": "arm", **self._arming(order, who)})
            case "abandon":
                return self._abandon(order, who)
        assert order.do in _PASSED_ON
        lease = str(order.arguments["lease"])
        self._check_run(lease, order)
        said = self._guard().ask({**order.arguments, "do": order.do, "lease": lease})
        if order.do == "release":
            said["steps"] = self._own_steps(lease) + said["steps"]
        return said

    def _arming(self, order: Order, who: str) -> dict[str, object]:
        """Return the ask for a lease as this machine's guard takes it."""
        body = dict(order.arguments)
        asked = leases.from_body(dict(body["lease"]))  # type: ignore[call-overload]
        if (asked.run, asked.plan) != (order.run, order.plan):
            words = f"the order is of run {order.run}, its lease is of run {asked.run}, or of another plan"
            raise self._refused(Refusal("order_other_run", words), order, who)
        strange = [fault.host.name for fault in asked.faults if fault.host.guard != order.guard]
        if strange:
            words = f"{', '.join(strange)}: another guard's, by the inventory"
            raise self._refused(Refusal("order_wrong_guard", words), order, who)
        faults = tuple(replace(fault, host=replace(fault.host, guard="")) for fault in asked.faults)
        journal = self._journal(asked.lease)
        journal.parent.mkdir(parents=True, exist_ok=True)
        here = replace(asked, faults=faults, guard_journal=str(journal), who=f"controller {who}: {asked.who}")
        return {**body, "lease": asdict(here)}

    def _check_run(self, name: str, order: Order) -> None:
        """Refuse an order about another run's lease. One that is over belongs to nobody."""
        try:
            lease = leases.read(self._path(name))
        except FileNotFoundError:
            return
        if lease.run != order.run:
            words = f"lease {name} is of run {lease.run}, the order is of run {order.run}"
            raise self._refused(Refusal("order_other_run", words), order, "")

    def _abandon(self, order: Order, who: str) -> object:
        """Revert every lease of the order's run: whoever led it has gone."""
        found = [lease for lease in self._out() if lease.run == order.run]
        self._tell(who, "abandoned", {"run": order.run, "leases": [lease.lease for lease in found]})
        left = [lease.lease for lease in found if not self._release(lease)]
        return {"reverted": [lease.lease for lease in found if lease.lease not in left], "left": left}

    def _release(self, lease: Lease) -> bool:
        """Have the guard revert a lease without being ordered to; what it did is kept for the controller."""
        ask = {"do": "release", "lease": lease.lease, "give_up_s": GIVE_UP_S, "faults": []}
        said = self._guard().ask(ask)
        with told(self._journal(lease.lease, "orders"), f"orders {lease.lease}") as record:
            for step in steps_of(said["steps"]):
                record(step)
                if step.phase in (FaultPhase.REVERT_PROVEN, FaultPhase.REVERT_FAILED):
                    values = {"lease": lease.lease, "run": lease.run, "fault": step.fault, "seen": step.detail}
                    self._tell("guard", step.phase, values)
        return bool(said["done"])

    def look(self) -> None:
        """Revert what nothing was heard of for longer than its experiment allows."""
        out, now_ns = self._out(), time.monotonic_ns()
        with self._deciding:
            heard = self._heard = kept(self._heard, out, now_ns)
        for lease in unheard(out, heard, now_ns):
            silent_s = (now_ns - heard[lease.run]) / 1e9
            self._tell(
                "guard", "contact_lost", {"lease": lease.lease, "run": lease.run, "silent_s": round(silent_s, 1)}
            )
            self._release(lease)

    def close(self) -> None:
        """Let the guard go; called when no message is being answered any more."""
        for client in self._all_clients:
            client.close()

    def _out(self) -> list[Lease]:
        return [lease for _, lease in leases.read_all(self._directory) if isinstance(lease, Lease)]

    def _guard(self) -> GuardClient:
        """Return this thread's connection to the guard."""
        if not hasattr(self._clients, "guard"):
            self._clients.guard = self._connect()
            self._all_clients.append(self._clients.guard)
        found: GuardClient = self._clients.guard
        return found

    def _own_steps(self, lease: str) -> list[dict[str, object]]:
        """Return what the guard did by itself under a lease, from its journal."""
        found: list[Record] = []
        for who in ("guard", "orders"):
            with contextlib.suppress(JournalError):  # one that was not written in order: the audit has it all the same
                path = self._journal(lease, who)
                found += read_journal(path)[0] if path.exists() else []
        return [asdict(record) for record in found if isinstance(record, FaultStep)]

    def _journal(self, lease: str, who: str = "guard") -> Path:
        return home() / "orders" / f"{who}-{leases.checked_name(lease)}.db"

    def _path(self, lease: str) -> Path:
        return self._directory / f"{leases.checked_name(lease)}.json"

    def _refused(self, refusal: Refusal, order: Order, who: str) -> _RefusedError:
        about = {"do": order.do, "run": order.run, "plan": order.plan}
        self._tell(who, "refused", {**about, **asdict(refusal)})
        return _RefusedError(refusal)

    def _tell(self, who: str, what: str, values: Mapping[str, object]) -> None:
        """Put it into the audit; an order that cannot be audited is not taken."""
        try:
            self._audit.add(time.time_ns(), f"bus: {who or 'not proven'}", what, values)
        except AuditError as error:
            raise BlockedError(str(error)) from error
