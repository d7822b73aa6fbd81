"""The guards of one run as one: each fault is asked of the guard that reaches its host; without one, of ours."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from chaos import lease as leases
from chaos.guard.client import Guarding
from chaos.guard.injected import Injected
from core.errors import BlockedError
from core.inventory import Inventory
from core.lease import Lease, by_guard

GIVE_UP_S = 15.0


class Guards:
    """Asks `far[name]`, and for hosts without a guard the one that `here` makes. `given` is shared by all threads.

    A lease of several guards has one name, and is given by all of them or by none.
    """

    def __init__(
        self, here: Callable[[], Guarding], far: Mapping[str, Guarding], given: dict[str, dict[str, Lease]]
    ) -> None:
        self._here = here
        self._far = far
        self._given = given
        self._open: Guarding | None = None

    def arm(self, asked: Lease, lease_s: float, answering: Collection[str]) -> Lease:
        """Return the lease of all the guards together; what some gave before another refused is given back."""
        given: dict[str, Lease] = {}
        try:
            for guard, part in by_guard(asked).items():
                given[guard] = self._guard(guard).arm(part, lease_s, answering)
        except BlockedError:
            for guard in given:
                self._guard(guard).release(asked.lease, lambda _: None, GIVE_UP_S, ())
            raise
        self._given[asked.lease] = given
        known = {fault.name: fault for part in given.values() for fault in part.faults}
        first = min(given.values(), key=lambda part: part.deadline_ns)
        faults = tuple(known[fault.name] for fault in asked.faults)
        return replace(asked, faults=faults, deadline_ns=first.deadline_ns, boot=first.boot, holder=first.holder)

    def inject(self, lease: str, fault: str, at_ns: int, answering: Collection[str]) -> Injected:
        """See `Guarding.inject`."""
        return self._of(lease, fault).inject(lease, fault, at_ns, answering)

    def prove(self, lease: str, fault: str) -> tuple[bool | None, str]:
        """See `Guarding.prove`."""
        return self._of(lease, fault).prove(lease, fault)

    def standing(self, lease: str, answering: Collection[str]) -> None:
        """Ask every guard that holds a part of the lease."""
        for guard in self._given[lease]:
            self._guard(guard).standing(lease, answering)

    def release(self, lease: str, record: leases.Recorder, give_up_s: float, faults: Collection[str]) -> bool:
        """Have each guard revert its own of these faults; tell whether all are proven reverted."""
        done = True
        for guard, part in self._given[lease].items():
            own = [fault.name for fault in part.faults if not faults or fault.name in faults]
            done = (not own or self._guard(guard).release(lease, record, give_up_s, own)) and done
        return done

    def close(self) -> None:
        """Let this machine's guard go."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _of(self, lease: str, fault: str) -> Guarding:
        parts = self._given[lease].items()
        return self._guard(next(guard for guard, part in parts if any(each.name == fault for each in part.faults)))

    def _guard(self, name: str) -> Guarding:
        if name:
            if name not in self._far:
                raise BlockedError(f"guard {name} is reached over the bus only: name this controller's directory")
            return self._far[name]
        if self._open is None:
            self._open = self._here()
        return self._open


def names(inventory: Inventory) -> list[str]:
    """Return the guards that the hosts of an inventory are reached by over the bus."""
    return sorted({host.guard for host in inventory.hosts.values() if host.guard})
