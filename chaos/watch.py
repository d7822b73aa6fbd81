"""Watches, while faults are out, that nobody else changes the network: a drain by hand or a real outage goes first."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable
from functools import partial

from chaos.drivers import DRIVERS
from chaos.guard.client import Guarding, RefusedByGuardError
from core.errors import BlockedError
from core.lease import Lease

EVERY_S = 1.0
IN_A_ROW = 2
"""So many looks must find a fault gone: one may fall into a moment of change."""


class Watch:
    """Looks once a second at the sites of the leases that are out, and at their faults, on a thread of its own."""

    def __init__(self, guard: Callable[[], Guarding], answering: Callable[[], Collection[str]]) -> None:
        self._guard = guard
        self._answering = answering
        self._proven: dict[tuple[str, str], int] = {}
        self._leases: dict[str, Lease] = {}
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self.reason = ""
        """Why the run must end now: what somebody else has changed."""
        self.code = ""

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a look that is under way is waited for."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()

    def lease(self, lease: Lease) -> None:
        """Watch the sites of a lease from now on."""
        with self._lock:
            self._leases[lease.lease] = lease

    def fault(self, lease: Lease, fault: str) -> None:
        """Watch a fault that is proven out, unless it was over as it was injected."""
        leased = next(each for each in lease.faults if each.name == fault)
        if DRIVERS[leased.driver].commands(leased.arguments).revert:
            with self._lock:
                self._proven[lease.lease, fault] = 0

    def forget(self, lease: Lease, faults: Iterable[str]) -> None:
        """Watch these faults no more: they are about to be reverted. With the last one goes the lease."""
        gone = set(faults)
        with self._lock:
            for fault in gone:
                self._proven.pop((lease.lease, fault), None)
            if gone >= {each.name for each in lease.faults}:
                self._leases.pop(lease.lease, None)

    def _run(self) -> None:
        guard = self._guard()
        try:
            while not self._end.wait(EVERY_S) and not self.reason:
                self._look(guard)
        finally:
            guard.close()

    def _look(self, guard: Guarding) -> None:
        with self._lock:
            leases, faults = list(self._leases), list(self._proven)
        for lease in leases:
            self._try(partial(guard.standing, lease, self._answering()), lease)
        for lease, fault in faults:
            self._try(partial(self._still_out, guard, lease, fault), lease, fault)

    def _try(self, look: Callable[[], None], lease: str, fault: str = "") -> None:
        """Note what a look is refused for, if what it looked at is still watched."""
        try:
            look()
        except RefusedByGuardError as refused:
            with self._lock:
                if lease in self._leases and (not fault or (lease, fault) in self._proven):
                    self.reason, self.code = str(refused.refusal.words), refused.refusal.reason
        except BlockedError as blocked:
            self.reason, self.code = str(blocked), "guard_gone"

    def _still_out(self, guard: Guarding, lease: str, fault: str) -> None:
        out, seen = guard.prove(lease, fault)
        with self._lock:
            if (lease, fault) not in self._proven:
                return
            self._proven[lease, fault] = self._proven[lease, fault] + 1 if out is False else 0
            if self._proven[lease, fault] >= IN_A_ROW:
                self.reason, self.code = f"somebody else reverted {fault}: {seen}", "foreign_change"
