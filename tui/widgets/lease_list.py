"""Faults that are out on this machine: what, since which run, how long yet."""

from __future__ import annotations

from core.lease import Lease
from tui.model.words import countdown
from tui.seen import Seen
from tui.widgets.listing import Cells, Column, Listing

COLUMNS = (
    Column("lease", 30),
    Column("ends in", -10),
    Column("faults", 30, grows=True),
    Column("run", 34, from_width=110),
    Column("who", 16, from_width=140),
)


class LeaseList(Listing[Lease]):
    """One row a lease."""

    def __init__(self, seen: Seen, **options: str) -> None:
        self._seen = seen
        super().__init__(COLUMNS, self._row, lambda lease: lease.lease, "nothing is out on this machine", **options)

    def _row(self, lease: Lease) -> Cells:
        left_ns = lease.deadline_ns - self._seen.standing.now_ns
        return [
            (f" {lease.lease}", "strong"),
            (countdown(left_ns), "bad" if left_ns < 3_000_000_000 else "odd"),
            (" ".join(fault.name for fault in lease.faults), ""),
            (lease.run, "quiet"),
            (lease.who, "quiet"),
        ]
