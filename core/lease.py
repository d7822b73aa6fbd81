"""What a lease says: which faults are out, how each is undone, until when, and what they take out of service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from core.inventory import Host


@dataclass(frozen=True, slots=True)
class LeasedFault:
    """One fault of a lease: everything that its revert needs, and the nodes and sites that it takes out of service."""

    name: str
    driver: str
    host: Host
    arguments: Mapping[str, object]
    prior: Mapping[str, object]
    takes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LeasedSite:
    """A site of the VIP that the faults act on: its nodes, and the look that tells whether it announces the VIP.

    The site announces when `command`, run at `host`, ends with 0 and says `shows`. `host` is None where no such look
    is known; then only answers from the site tell.
    """

    name: str
    nodes: tuple[str, ...]
    host: Host | None = None
    command: tuple[str, ...] = ()
    shows: str = ""


@dataclass(frozen=True, slots=True)
class Lease:
    """Faults that are out together, until `deadline_ns` on the monotonic clock of boot `boot`.

    `holder` is the process that asked for it, as PID:START (start time in clock ticks, proc(5)): when it has gone the
    faults go at once. Empty: they stay until the deadline. `survivors`: so many sites must go on announcing `vip`;
    `together`: another run's faults may be out at the same time. `who` asked, in words, and by which `plan`.
    `contact_s`: over the bus, the faults go when nothing was heard of the run for so long; 0: at the deadline.
    `beside`: what faults of the same experiment take that other guards hold.
    """

    lease: str
    run: str
    experiment: str
    deadline_ns: int
    boot: str
    guard_journal: str
    faults: tuple[LeasedFault, ...]
    holder: str = ""
    vip: str = ""
    sites: tuple[LeasedSite, ...] = ()
    survivors: int = 1
    together: bool = False
    who: str = ""
    plan: str = ""
    contact_s: float = 0.0
    beside: tuple[str, ...] = ()


def by_guard(lease: Lease) -> dict[str, Lease]:
    """Return the part of a lease that each guard is to hold, by the guard's name.

    Each part knows what the others take (`beside`). A site that is looked at from another guard's host counts there
    by its answers alone, and by its look at the guard that has it.
    """
    parts = {}
    for guard in dict.fromkeys(fault.host.guard for fault in lease.faults):
        own = tuple(fault for fault in lease.faults if fault.host.guard == guard)
        others = {name for fault in lease.faults if fault not in own for name in fault.takes}
        sites = tuple(
            site if site.host is not None and site.host.guard == guard else LeasedSite(site.name, site.nodes)
            for site in lease.sites
        )
        parts[guard] = replace(lease, faults=own, sites=sites, beside=(*lease.beside, *sorted(others)))
    return parts
