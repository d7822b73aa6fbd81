"""Folds the records of one vantage: its sessions, its history, its seconds. Bounded, however long the run."""

from __future__ import annotations

import copy
from collections import Counter, deque
from dataclasses import replace

from core.outage import ends
from core.path_records import PathTraced
from core.records import (
    Answer,
    Clock,
    Drop,
    Opened,
    OutageBegan,
    OutageEnded,
    ProbeHealth,
    ProbeStarted,
    ProbeStopped,
    Record,
    Summary,
)
from tui.model import sessions as life
from tui.model.history import History, What
from tui.model.places import NOWHERE, Place
from tui.model.sessions import Session
from tui.model.view import FRESH_NS, Second, VantageView

KEPT_SECONDS = 300
TRIM_EVERY = 512


class VantageFold:
    """One vantage. `take` moves it on, `view` tells how it stands; values that it hands out stay as they are."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.engine = ""
        self.period_ns = 0
        self.planned = 0
        self.started = self.stopped = False
        self.sessions: dict[int, Session] = {}
        self.silent: dict[int, int] = {}
        self.down = 0
        self.places: Counter[Place] = Counter()
        self.last_place = NOWHERE
        self.restarted = 0
        self.dropped: Counter[str] = Counter()
        self.seconds: deque[Second] = deque(maxlen=KEPT_SECONDS)
        self.no_new_since_ns = 0
        self.last_ns = 0
        self.health: ProbeHealth | None = None
        self.ring_dropped = 0
        self.path: tuple[str, ...] = ()
        self.history = History()
        self._shown = (History(), -1)
        self._listed: tuple[dict[int, Session], int] = ({}, -1)
        self._moves = 0

    def copy(self) -> VantageFold:
        """Return one that goes on by itself."""
        other = copy.copy(self)
        other.sessions, other.silent = dict(self.sessions), dict(self.silent)
        other.places, other.dropped = Counter(self.places), Counter(self.dropped)
        other.seconds, other.history = self.seconds.copy(), self.history.copy()
        return other

    def take(self, record: Record) -> None:
        """Take in the next record of this vantage."""
        if self.started and not self.stopped and record.t_ns - self.last_ns > FRESH_NS:
            self.history.add(What.BLIND_FROM, self.last_ns + FRESH_NS)
            self.history.add(What.BLIND_TO, record.t_ns)
        self.last_ns = max(self.last_ns, record.t_ns)
        match record:
            case Summary():
                self._summary(record)
            case Opened() | Answer() | Drop():
                self._session(record)
            case OutageBegan() | OutageEnded():
                self._outage(record)
            case ProbeHealth():
                self.health = record
                self.ring_dropped += record.ring_dropped
            case PathTraced() if not record.silent:
                self.path = record.hops
            case ProbeStarted():
                self._restart(record.t_ns)
                self.engine, self.period_ns, self.planned = record.engine, record.period_ns, record.sessions
                self.started, self.stopped = True, False
            case ProbeStopped():
                self._restart(record.t_ns)
                self.stopped = True
            case _:
                pass
        if self.history.changes % TRIM_EVERY == 0 and self.history.changes:
            self.history.trim(record.t_ns)

    def _restart(self, t_ns: int) -> None:
        for session in self.sessions.values():
            life.closed(session, t_ns, self.history)
        self.sessions, self.silent, self.places, self.down = {}, {}, Counter(), 0
        self._moves += 1

    def _session(self, record: Opened | Answer | Drop) -> None:
        if record.slot < 0 or getattr(record, "held_kernel", False):
            return
        before = self.sessions.get(record.slot, Session(self.name, record.slot))
        match record:
            case Opened():
                after = life.opened(before, record, self.period_ns, self.history)
                self.restarted += record.restart > 0
            case Answer():
                after = life.answer(before, record, self.history)
            case Drop():
                after = life.dropped(before, record, self.history)
                self.dropped[record.cause] += 1
        self._put(before, after)

    def _outage(self, record: OutageBegan | OutageEnded) -> None:
        if record.clock is Clock.NEW_CONNECTIONS:
            if isinstance(record, OutageBegan):
                self.no_new_since_ns = record.last_sent_ns
            elif ends(record, self.no_new_since_ns):
                self.no_new_since_ns = 0
            return
        before = self.sessions.get(record.slot)
        if record.slot < 0 or before is None:
            return
        if isinstance(record, OutageBegan):
            after = life.fell_silent(before, record, self.period_ns, self.history)
        else:
            after = life.outage_ended(before, record, self.history)
        self._put(before, after)

    def _put(self, before: Session, after: Session) -> None:
        self._moves += 1
        self.sessions[after.slot] = after
        if before.session:
            self.down += after.down - before.down
        else:
            self.down += after.down
        if after.silent_since_ns:
            self.silent[after.slot] = after.silent_since_ns
        else:
            self.silent.pop(after.slot, None)
        if before.place != after.place:
            if before.place.known:
                self.places[before.place] -= 1
            if after.place.known:
                self.places[after.place] += 1
                self.last_place = after.place

    def _summary(self, record: Summary) -> None:
        last = self.seconds[-1] if self.seconds else None
        mine = Second(
            record.t_ns,
            record.sent,
            record.answered,
            record.rtt_p50_ns,
            record.rtt_p99_ns,
            record.syn_sent,
            record.syn_answered,
        )
        if last is None or last.t_ns != record.t_ns:
            self.seconds.append(mine)
            return
        # Several places answered in one second: the median is that of the place that answered most.
        self.seconds[-1] = replace(
            last,
            sent=last.sent + mine.sent,
            answered=last.answered + mine.answered,
            rtt_p50_ns=mine.rtt_p50_ns if mine.answered * 2 > last.answered + mine.answered else last.rtt_p50_ns,
            rtt_p99_ns=max(last.rtt_p99_ns, mine.rtt_p99_ns),
            syn_sent=last.syn_sent + mine.syn_sent,
            syn_answered=last.syn_answered + mine.syn_answered,
        )

    def view(self) -> VantageView:
        """Return how the vantage stands."""
        if self._shown[1] != self.history.changes:
            self._shown = (self.history.copy(), self.history.changes)
        if self._listed[1] != self._moves:
            self._listed = (dict(self.sessions), self._moves)
        answering = Counter(self.places)
        for slot in self.silent:
            answering[self.sessions[slot].place] -= 1
        ranked = sorted(((place, count) for place, count in answering.items() if count > 0), key=lambda one: -one[1])
        return VantageView(
            name=self.name,
            engine=self.engine,
            period_ns=self.period_ns,
            planned=self.planned,
            started=self.started,
            stopped=self.stopped,
            slots=len(self.sessions),
            alive=len(self.sessions) - self.down,
            down=self.down,
            silent=len(self.silent),
            silent_since_ns=min(self.silent.values(), default=0),
            answering=tuple(ranked),
            last_place=self.last_place,
            restarted=self.restarted,
            dropped=dict(sorted(self.dropped.items())),
            seconds=tuple(self.seconds),
            no_new_since_ns=self.no_new_since_ns,
            last_ns=self.last_ns,
            history=self._shown[0],
            health=self.health,
            ring_dropped=self.ring_dropped,
            path=self.path,
            sessions=self._listed[0],
        )
