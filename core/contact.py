"""Which leases must go because nothing is heard of their run any more, as its experiment says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from core.lease import Lease

ARMING_NS = 120_000_000_000
"""Longer than any order takes from when it is heard to when its lease is on disk."""


def unheard(leases: Iterable[Lease], heard: Mapping[str, int], now_ns: int) -> list[Lease]:
    """Return the leases whose `contact_s` has passed since their run was last heard of.

    `heard`: when each run was, on the clock of `now_ns` (monotonic). A run that nothing was heard of at all is
    somebody else's: its lease was not given over the bus.
    """
    return [
        lease
        for lease in leases
        if lease.contact_s and lease.run in heard and now_ns - heard[lease.run] > lease.contact_s * 1e9
    ]


def kept(heard: Mapping[str, int], leases: Iterable[Lease], now_ns: int) -> dict[str, int]:
    """Return of `heard` what may still be needed: of runs with a lease out, and of those heard of a moment ago."""
    out = {lease.run for lease in leases}
    return {run: at_ns for run, at_ns in heard.items() if run in out or now_ns - at_ns < ARMING_NS}
