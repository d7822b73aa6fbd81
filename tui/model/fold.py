"""Folds the records of a run, in order of time, into what the screens show."""

from __future__ import annotations

import copy
from collections import deque

from core.errors import ConfigError
from core.experiment import Experiment
from core.inventory import Inventory
from core.loader import parse_inventory, parse_past_experiments
from core.records import ExperimentPhase, FaultStep, Outcome, ProbeStarted, Record, RunEnded, RunStarted
from tui.model import faults as fault_life
from tui.model.faults import FaultView
from tui.model.news import Level, News, news_of
from tui.model.places import NOWHERE, Place
from tui.model.vantage import VantageFold
from tui.model.view import View
from tui.model.words import seconds

KEPT_NEWS = 200
KEPT_FAULTS = 200
KEPT_PHASES = 400


class Fold:
    """A run so far. `take` moves it on; `view` tells how it stands at an instant."""

    def __init__(self) -> None:
        self.run = self.version = self.reason = self.problem = ""
        self.wall_offset_ns = self.begun_ns = self.ended_ns = self.last_ns = 0
        self.outcome: Outcome | None = None
        self.inventory: Inventory | None = None
        self.experiments: tuple[Experiment, ...] = ()
        self.phase = (0, "", "", "")
        self.phases: deque[tuple[int, str, str]] = deque(maxlen=KEPT_PHASES)
        self.vantages: dict[str, VantageFold] = {}
        self.faults: dict[tuple[str, str], FaultView] = {}
        self.news: deque[News] = deque(maxlen=KEPT_NEWS)
        self.records = 0
        self.told: dict[str, tuple[int, str]] = {}

    def copy(self) -> Fold:
        """Return one that goes on by itself."""
        other = copy.copy(self)
        other.vantages = {name: vantage.copy() for name, vantage in self.vantages.items()}
        other.faults, other.told = dict(self.faults), dict(self.told)
        other.news, other.phases = self.news.copy(), self.phases.copy()
        return other

    def take(self, record: Record) -> None:
        """Take in the next record."""
        self.records += 1
        self.last_ns = max(self.last_ns, record.t_ns)
        name = getattr(record, "vantage", "")
        if name:
            vantage = self.vantages.get(name)
            if vantage is None:
                vantage = self.vantages[name] = VantageFold(name)
            vantage.take(record)
            self._tell(vantage, record.t_ns)
        match record:
            case RunStarted():
                self._begin(record)
            case ProbeStarted() if not self.wall_offset_ns:
                self.wall_offset_ns, self.begun_ns = record.wall_ns - record.t_ns, self.begun_ns or record.t_ns
            case ExperimentPhase():
                self.phase = (record.t_ns, record.experiment, record.phase, record.detail)
                self.phases.append((record.t_ns, record.experiment, record.phase))
            case FaultStep():
                self._fault(record)
            case RunEnded():
                self.ended_ns, self.outcome, self.reason = record.t_ns, record.outcome, record.reason
            case _:
                pass
        told = news_of(record)
        if told is not None:
            self.news.append(told)

    def _begin(self, record: RunStarted) -> None:
        self.run, self.version = record.run, record.version
        self.begun_ns, self.wall_offset_ns = record.t_ns, record.wall_ns - record.t_ns
        try:
            self.inventory = parse_inventory(record.inventory, "inventory")
            texts = [(f"experiment-{number}", text) for number, text in enumerate(record.experiments, 1)]
            self.experiments = parse_past_experiments(texts, self.inventory)
        except ConfigError as error:
            self.problem = str(error)
        known = self.inventory.vantages if self.inventory else ()
        self.vantages = {name: self.vantages.get(name) or VantageFold(name) for name in (*known, *self.vantages)}

    def _fault(self, step: FaultStep) -> None:
        by_name = {experiment.name: experiment for experiment in self.experiments}
        key = (step.lease, step.fault)
        self.faults[key] = fault_life.after(self.faults.get(key), step, by_name, self.inventory)
        while len(self.faults) > KEPT_FAULTS:
            del self.faults[next(iter(self.faults))]

    def _tell(self, vantage: VantageFold, t_ns: int) -> None:
        """Note that nobody answers a vantage, or that others do, when all its sessions agree."""
        slots, silent = len(vantage.sessions), len(vantage.silent)
        if not slots or slots < vantage.planned:
            return
        if silent >= slots:
            state = ""
        else:
            place, count = max(vantage.places.items(), key=lambda one: one[1], default=(NOWHERE, 0))
            if silent or count < slots or not place.node:
                return
            state = place.words
        since_ns, told = self.told.get(vantage.name, (0, ""))
        if not state:
            if not since_ns:
                self.told[vantage.name] = (min(vantage.silent.values()), told)
                self.news.append(News(t_ns, Level.BAD, "✖", f"{vantage.name}: nobody answers"))
            return
        self.told[vantage.name] = (0, state)
        if since_ns:
            gap = seconds(t_ns - since_ns)
            self.news.append(
                News(t_ns, Level.GOOD, "●", f"{vantage.name}: all sessions are answered again after {gap}")
            )
        if told and told != state:
            self.news.append(News(t_ns, Level.ODD, "→", f"{vantage.name}: {told} → {state}"))

    def view(self, now_ns: int) -> View:
        """Return how the run stands at `now_ns`."""
        phase_ns, experiment, phase, detail = self.phase
        return View(
            now_ns=now_ns,
            wall_offset_ns=self.wall_offset_ns,
            run=self.run,
            version=self.version,
            begun_ns=self.begun_ns,
            ended_ns=self.ended_ns,
            outcome=self.outcome,
            reason=self.reason,
            inventory=self.inventory,
            experiments=self.experiments,
            problem=self.problem,
            experiment=experiment,
            phase=phase,
            phase_ns=phase_ns,
            phase_detail=detail,
            phases=tuple(self.phases),
            vantages={name: vantage.view() for name, vantage in self.vantages.items()},
            faults=tuple(self.faults.values()),
            news=tuple(self.news),
            records=self.records,
        )


def places_of(view: View) -> tuple[Place, ...]:
    """Return every place that answers some vantage now."""
    found = {place: None for vantage in view.vantages.values() for place, _ in vantage.answering}
    return tuple(found)
