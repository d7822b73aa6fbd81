"""What stands outside of the run shown: leases out on this machine, kill switch, past runs, audit, experiments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from core.audit import Entry
from core.experiment import Experiment
from core.lease import Lease


@dataclass(frozen=True, slots=True)
class RunLine:
    """One past run; `outcome` is '' where it has none yet. `verdicts`: by experiment, how many held, broken, unknown.

    `planes`: by experiment and kind, the worst data-plane interval (lower, upper) in seconds.
    """

    run: str
    outcome: str
    reason: str
    path: str
    verdicts: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)
    planes: Mapping[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ExperimentLine:
    """One experiment that can be run: `files` in order, what is `parsed` from them; empty where `title` says why."""

    name: str
    title: str
    parsed: tuple[Experiment, ...]
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """As of `now_ns` of this machine's monotonic clock (0 while nothing is out)."""

    now_ns: int = 0
    leases: tuple[Lease, ...] = ()
    stopped: str = ""
    guard: bool = False
    runs: tuple[RunLine, ...] = ()
    audit: tuple[Entry, ...] = ()
    experiments: tuple[ExperimentLine, ...] = ()
    error: str = ""
