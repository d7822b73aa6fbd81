"""A record as another clock would have stamped it: every instant in it moved by the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeVar

from core.bodies import RECORD_TYPES
from core.records import Heartbeats, Record

R = TypeVar("R", bound=Record)
NO_INSTANTS = frozenset(
    {
        *("wall_ns", "rtt_ns", "age_ns", "period_ns", "syn_period_ns", "slip_ns", "stamp_error_ns", "late_ns"),
        *("rtt_p50_ns", "rtt_p99_ns", "tick_ns", "late_p50_ns", "late_p99_ns", "late_max_ns", "cpu_ns"),
        *("offset_ns", "bound_ns", "captured_ns"),
    }
)
"""Fields of records in nanoseconds that are lengths, or instants of another clock."""


def _instants(record_type: type[Record]) -> tuple[str, ...]:
    names = (field.name for field in dataclasses.fields(record_type))
    return tuple(name for name in names if name.endswith("_ns") and name not in NO_INSTANTS)


INSTANTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {kind: _instants(each) for kind, each in RECORD_TYPES.items()}
)
"""The fields of each kind of record that are instants of its process's monotonic clock."""
ONLY_T = frozenset(kind for kind, names in INSTANTS.items() if names == ("t_ns",) and kind != Heartbeats.__name__)
"""The kinds that have no instant but `t_ns`."""


def shifted(record: R, by_ns: int) -> R:
    """Return the record with `by_ns` added to each instant; 0, which stands for none, stays."""
    moved: dict[str, object] = {}
    for name in INSTANTS[type(record).__name__]:
        t_ns = getattr(record, name)
        moved[name] = t_ns + by_ns if t_ns else t_ns
    if isinstance(record, Heartbeats):
        moved["attempts"] = tuple((sent + by_ns, back + by_ns if back else 0) for sent, back in record.attempts)
    return dataclasses.replace(record, **moved)  # type: ignore[arg-type]
