"""One second of a vantage by who answered, as a row of columns: what a dashboard draws, without its histogram."""

from __future__ import annotations

from operator import attrgetter
from typing import NamedTuple

from core.records import Summary


class Second(NamedTuple):
    """See `core.records.Summary`: the fields of the same names, in the order of the journal's table `seconds`."""

    t_ns: int
    vantage: str
    site: str
    node: str
    nat_pool: str
    alive: int
    sent: int
    answered: int
    rtt_p50_ns: int
    rtt_p99_ns: int


_FIELDS = attrgetter(*Second._fields)


def second_of(summary: Summary) -> Second:
    """Return the row of a summary."""
    return Second._make(_FIELDS(summary))
