"""What is known of the agents' clocks in a run, and the run as it may have been instead within their bounds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from core.clock_offset import WIDE_NS
from core.clock_records import ClockOffset
from core.records import Record
from core.shifted import shifted

UNKNOWN = -1


def bounds(offsets: Sequence[ClockOffset]) -> Mapping[str, int]:
    """Return by how much the clock of each agent's records may be wrong, in ns; -1 where nothing measured it.

    The worst of a run counts. Agents of this machine, whose clock is the controller's own, are not there.
    """
    found: dict[str, int] = {}
    for offset in offsets:
        before = found.get(offset.vantage, 0)
        worse = UNKNOWN if UNKNOWN in (before, offset.bound_ns) else max(before, offset.bound_ns)
        found[offset.vantage] = worse
    return found


def otherwise(records: Sequence[Record], within: Mapping[str, int]) -> Iterator[list[Record]]:
    """Give the records, in order of time, with each agent's clock as early and as late as it may be."""
    for sign in (-1, 1):
        moved = [
            shifted(record, sign * within[vantage])
            if (vantage := getattr(record, "vantage", "")) in within and within[vantage] > 0
            else record
            for record in records
        ]
        yield sorted(moved, key=lambda record: record.t_ns)


def wide(within: Mapping[str, int]) -> list[str]:
    """Return a line of each agent whose clock is not known well: to 50 ms, or at all."""
    return [
        f"{name}: its clock has not been measured against the controller's"
        if bound_ns == UNKNOWN
        else f"{name}: its clock is known to {bound_ns / 1e6:.0f} ms only"
        for name, bound_ns in sorted(within.items())
        if bound_ns == UNKNOWN or bound_ns > WIDE_NS
    ]
