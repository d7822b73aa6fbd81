"""One picture for the screens: the view of a run at the instant shown, its events, and the clock of the viewer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from core.events import Event, events
from core.judge import RunVerdict, judge
from core.records import (
    Answer,
    Drop,
    ExperimentPhase,
    FaultStep,
    Opened,
    OutageBegan,
    OutageEnded,
    ProbeHealth,
    ProbeStarted,
    ProbeStopped,
    Record,
    Summary,
)
from tui.model.clock import Clock
from tui.model.view import View

_OF_EVENTS = (
    Answer,
    Drop,
    ExperimentPhase,
    FaultStep,
    Opened,
    OutageBegan,
    OutageEnded,
    ProbeHealth,
    ProbeStarted,
    ProbeStopped,
    Summary,
)


@dataclass(frozen=True, slots=True)
class Frame:
    """What is shown now. `running`: the run goes on. `records`: those up to the instant shown, oldest let go first.

    `path` is the run's directory; `present_ns` its present, which a paused view is behind.
    """

    view: View | None
    clock: Clock
    running: bool
    path: str
    present_ns: int = 0
    events: tuple[Event, ...] = ()
    verdict: RunVerdict | None = None
    records: Sequence[Record] = field(default=())
    error: str = ""


def events_of(records: Sequence[Record], view: View) -> tuple[Event, ...]:
    """Return the events so far; none before the first fault."""
    if view.inventory is None or not any(fault.injected_ns for fault in view.faults):
        return ()
    mine = [record for record in records if isinstance(record, _OF_EVENTS)]
    if view.outcome is None:
        # An event goes until the runner's last phase; of a run that goes on, that is the one it is in now.
        mine.append(ExperimentPhase(view.now_ns, view.experiment, view.phase))
    return events(mine, view.inventory, view.experiments)


def verdict_of(records: Sequence[Record], view: View) -> RunVerdict | None:
    """Return what is said of the run so far, None before an experiment has come to its end."""
    ended = any(phase in ("done", "aborted") for _, _, phase in view.phases)
    if view.inventory is None or not (ended or view.outcome):
        return None
    return judge(records, view.inventory, view.experiments)
