"""What stands outside of the run shown: leases that are out on this machine, the kill switch, past runs, the audit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.audit import Entry
from core.lease import Lease


@dataclass(frozen=True, slots=True)
class RunLine:
    """One past run. `verdicts`: by experiment, how many expectations held, were broken, are unknown.

    `planes`: by experiment, the worst data-plane interval (lower, upper) in seconds.
    """

    run: str
    started_wall_ns: int
    outcome: str
    reason: str
    path: str
    verdicts: Mapping[str, tuple[int, int, int]]
    planes: Mapping[str, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Standing:
    """As of `now_ns` of this machine's monotonic clock. `guard`: whether a guard answers here, in words."""

    now_ns: int = 0
    leases: tuple[Lease, ...] = ()
    stopped: str = ""
    guard: str = ""
    runs: tuple[RunLine, ...] = ()
    audit: tuple[Entry, ...] = ()
    error: str = ""
