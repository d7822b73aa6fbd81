"""What stands outside of the run shown: leases, kill switch, past runs, audit, experiments, schedule, shippers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

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
class PlannedLine:
    """One planned run: its key in the ledger, its instant (UTC) and what a clock in its own zone shows then.

    `blocked` says why it will not be run, or is ''; `last` how the game day went last; `files` are its experiments.
    """

    key: str
    game_day: str
    at: datetime
    local: str
    blocked: str
    skipped: bool
    last: str
    inventory: str
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Schedule:
    """The next runs of the game days of the file `path` ('': none is known). `served`: None where it cannot be told."""

    path: str = ""
    lines: tuple[PlannedLine, ...] = ()
    served: bool | None = False
    error: str = ""


@dataclass(frozen=True, slots=True)
class ShipperLine:
    """How shipping to one destination stands, and when it told so; `lag_s`: age of the oldest record not shipped."""

    destination: str
    state: str
    words: str
    told_s_ago: float
    lag_records: int
    lag_s: float
    dead_letters: int
    rate_per_s: float


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
    schedule: Schedule = Schedule()
    shippers: tuple[ShipperLine, ...] = ()
    shippers_error: str = ""
    error: str = ""
