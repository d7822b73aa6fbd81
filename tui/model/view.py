"""What one instant of a run looks like: frozen values that the widgets draw, made by `tui.model.fold`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.experiment import Experiment
from core.inventory import Inventory
from core.records import Outcome, ProbeHealth
from tui.model.faults import FaultView
from tui.model.history import History
from tui.model.news import News
from tui.model.places import Place
from tui.model.sessions import Session

FRESH_NS = 2_500_000_000
"""A vantage that has told nothing for so long is not believed any more (it tells of itself every second)."""


@dataclass(frozen=True, slots=True)
class Second:
    """One second of a vantage: heartbeats sent and answered, their round trip, sessions alive, fresh SYNs."""

    t_ns: int
    sent: int
    answered: int
    rtt_p50_ns: int
    rtt_p99_ns: int
    syn_sent: int
    syn_answered: int


@dataclass(frozen=True, slots=True)
class VantageView:
    """One vantage. `answering` counts its answered sessions by place; `silent` those that are not, `down` ones too.

    `silent_since_ns` is when the first of these fell silent, 0 when none is; `last_place` who answered most before.
    """

    name: str
    engine: str
    period_ns: int
    planned: int
    started: bool
    stopped: bool
    slots: int
    alive: int
    down: int
    silent: int
    silent_since_ns: int
    answering: tuple[tuple[Place, int], ...]
    last_place: Place
    restarted: int
    dropped: Mapping[str, int]
    seconds: tuple[Second, ...]
    no_new_since_ns: int
    last_ns: int
    history: History
    health: ProbeHealth | None
    ring_dropped: int
    path: tuple[str, ...]
    sessions: Mapping[int, Session]

    def age_ns(self, now_ns: int) -> int:
        """Return how old the newest record is."""
        return max(0, now_ns - self.last_ns)

    def stale(self, now_ns: int) -> bool:
        """Whether nothing has been heard of it for too long."""
        return self.started and not self.stopped and self.age_ns(now_ns) > FRESH_NS

    @property
    def answered(self) -> int:
        """How many sessions are answered now."""
        return self.slots - self.silent

    @property
    def drops(self) -> int:
        """How many sessions were dropped since the run began."""
        return sum(self.dropped.values())


@dataclass(frozen=True, slots=True)
class View:
    """A run at `now_ns` of its monotonic clock; `wall_offset_ns` added to an instant makes it wall clock."""

    now_ns: int
    wall_offset_ns: int
    run: str
    version: str
    begun_ns: int
    ended_ns: int
    outcome: Outcome | None
    reason: str
    inventory: Inventory | None
    experiments: tuple[Experiment, ...]
    problem: str
    experiment: str
    phase: str
    phase_ns: int
    phase_detail: str
    phases: tuple[tuple[int, str, str], ...]
    vantages: Mapping[str, VantageView]
    faults: tuple[FaultView, ...]
    news: tuple[News, ...]
    records: int

    @property
    def out(self) -> tuple[FaultView, ...]:
        """The faults that are out now."""
        return tuple(fault for fault in self.faults if fault.out)

    @property
    def lease_ends_ns(self) -> int:
        """When the first lease of what is out is over, 0 when nothing is out."""
        return min((fault.deadline_ns for fault in self.out if fault.deadline_ns), default=0)

    @property
    def hold_ends_ns(self) -> int:
        """When the hold is over, 0 when nothing is held."""
        if self.phase != "hold":
            return 0
        held = next((each for each in self.experiments if each.name == self.experiment), None)
        return self.phase_ns + round(held.hold_s * 1e9) if held else 0

    @property
    def number(self) -> int:
        """Which experiment of the run is on, from 1; 0 before the first."""
        names = [each.name for each in self.experiments]
        return names.index(self.experiment) + 1 if self.experiment in names else 0

    @property
    def stale(self) -> tuple[str, ...]:
        """The vantages of which nothing has been heard for too long."""
        return tuple(name for name, vantage in self.vantages.items() if vantage.stale(self.now_ns))

    def age_ns(self) -> int:
        """Return how old the newest record of the worst vantage that should tell is."""
        ages = [v.age_ns(self.now_ns) for v in self.vantages.values() if v.started and not v.stopped]
        return max(ages, default=0)
