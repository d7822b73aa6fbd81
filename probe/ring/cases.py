"""Which sessions' packets are kept for a file, and until when: events gathered into bursts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.records import Clock, Drop, OutageBegan, OutageEnded, Record
from probe.evidence import SESSIONS_A_FILE, Beat, Burst, Mark, Story
from probe.ring.recorder import Recorder

TOGETHER_NS = 1_000_000_000
LONGEST_NS = 60_000_000_000
"""An outage that lasts longer is told in two files: its begin and its end."""
AROUND = 20
LONGEST_AROUND_NS = 5_000_000_000
MOST_BURSTS = 4
_COUNTED, _SILENT = 1, 2


@dataclass
class _Case:
    """A story that goes on: while `silent` its outage has not ended; `last_ns` is its latest event."""

    story: Story
    last_ns: int
    silent: bool = False
    told: bool = False


class _Gathering:
    """A burst that is not over. `others` marks the slots that it hit too and that found no place in it."""

    def __init__(self, first_ns: int, count: int) -> None:
        self.first_ns = first_ns
        self.cases: dict[int, _Case] = {}
        self.others: NDArray[np.uint8] = np.zeros(count, np.uint8)

    def over(self, now_ns: int, waiting: int) -> bool:
        """Tell whether every story has been told to its end and nothing is waiting, or it has taken too long."""
        if now_ns - self.first_ns > LONGEST_NS:
            return True
        done = now_ns - self.first_ns > TOGETHER_NS and all(case.told for case in self.cases.values())
        return done and not waiting and not (self.others == _SILENT).any()

    def case_for(self, slot: int, t_ns: int) -> _Case | None:
        """Return the case that an event at `t_ns` belongs to: one that goes on, or was told within this burst."""
        case = self.cases.get(slot)
        if case is None or (case.told and t_ns - self.first_ns > TOGETHER_NS):
            return None
        return case


class Cases:
    """Sees the records of an engine with `count` slots; what is complete goes to `put`.

    A story lasts from some heartbeats before its first event to some after its last; `heartbeat` builds one again.
    """

    def __init__(
        self,
        recorder: Recorder,
        count: int,
        period_ns: int,
        name: Callable[[int], str],
        heartbeat: Callable[[Beat], bytes],
        put: Callable[[Burst], None],
    ) -> None:
        self._recorder = recorder
        self._count = count
        self.around_ns = min(AROUND, recorder.depth) * period_ns
        self.around_ns = min(LONGEST_AROUND_NS, self.around_ns)
        self._name = name
        self._heartbeat = heartbeat
        self._put = put
        self._gatherings: list[_Gathering] = []

    def see(self, records: Iterable[Record]) -> None:
        """Take in what happened to held sessions."""
        for record in records:
            match record:
                case OutageBegan(clock=Clock.DATA_PLANE):
                    self._began(record)
                case OutageEnded(clock=Clock.DATA_PLANE):
                    self._ended(record)
                case Drop():
                    self._dropped(record)

    def _began(self, record: OutageBegan) -> None:
        case = self._case(record.slot, record.t_ns, silent=True)
        if case is not None:
            name = self._name(record.slot)
            words = f"{name}: outage; the last heartbeat that was answered before it"
            self._take(case, "outage", [Mark(record.last_sent_ns, out=True, words=words)])

    def _ended(self, record: OutageEnded) -> None:
        own = record.self_inflicted
        if own and not self._is_silent(record.slot):
            return  # it is no outage, and was not taken for one
        case = self._case(record.slot, record.t_ns, silent=False)
        if case is None:
            return
        what = f"{self._name(record.slot)}: {'gap by own lateness' if own else 'outage'}"
        said = [
            (record.s_a_ns, True, f"{what}; the last heartbeat that was answered before it"),
            (record.r_a_ns, False, f"{what}; the last answer before it"),
            (record.s_a1_ns, True, f"{what} of {record.lost} lost; the first heartbeat that was not answered"),
            (record.s_b1_ns, True, f"{what} of {record.lost} lost; the last heartbeat that was not answered"),
            (record.s_b_ns, True, f"{what}; the first heartbeat that was answered after it"),
            (record.r_b_ns, False, f"{what}; the first answer after it"),
        ]
        self._take(case, "outage", [Mark(t_ns, out, words) for t_ns, out, words in said])

    def _is_silent(self, slot: int) -> bool:
        for gathering in self._gatherings:
            case = gathering.cases.get(slot)
            if (case is not None and case.silent) or gathering.others[slot] == _SILENT:
                return True
        return False

    def _dropped(self, record: Drop) -> None:
        case = self._case(record.slot, record.t_ns, silent=None)
        if case is not None:
            words = f"{record.session}: dropped ({record.cause}) {record.detail}".rstrip()
            out = record.cause == "timeout"
            self._take(case, f"drop by {record.cause}", [Mark(record.t_ns, out, words)])

    def _take(self, case: _Case, event: str, marks: list[Mark]) -> None:
        story = case.story
        story.events.append(event)
        story.marks += [mark for mark in marks if mark.t_ns >= 0]  # below: an instant that is not known
        story.keep(self._recorder.last(story.slot))

    def _case(self, slot: int, t_ns: int, *, silent: bool | None) -> _Case | None:
        """Return the case of a slot, a new one where there is room; `silent`: None leaves it as it is."""
        for gathering in reversed(self._gatherings):
            case = gathering.case_for(slot, t_ns)
            if case is not None:
                case.last_ns, case.told = max(case.last_ns, t_ns), False
                case.silent = case.silent if silent is None else silent
                return case
            if gathering.others[slot]:
                if silent is not None:
                    gathering.others[slot] = _SILENT if silent else _COUNTED
                return None
        gathering = self._gathering(t_ns)
        if len(gathering.cases) < SESSIONS_A_FILE and abs(t_ns - gathering.first_ns) <= TOGETHER_NS:
            gathering.cases[slot] = case = _Case(Story(slot), t_ns, bool(silent))
            return case
        gathering.others[slot] = _SILENT if silent else _COUNTED
        return None

    def _gathering(self, t_ns: int) -> _Gathering:
        """Return the burst that an event at `t_ns` belongs to: the newest, or a new one."""
        fresh = not self._gatherings or t_ns - self._gatherings[-1].first_ns > TOGETHER_NS
        if fresh and len(self._gatherings) < MOST_BURSTS:
            self._gatherings.append(_Gathering(t_ns, self._count))
        return self._gatherings[-1]

    def step(self, now_ns: int, waiting: int) -> None:
        """Hand over the bursts that are over, but not while events are `waiting` to be told: they may be theirs."""
        for gathering in self._gatherings[:]:
            for case in gathering.cases.values():
                if not case.told and not case.silent and now_ns - case.last_ns > self.around_ns:
                    case.told = True
                    case.story.keep(self._recorder.last(case.story.slot))
            if gathering.over(now_ns, waiting):
                self._hand_over(gathering)

    def _hand_over(self, gathering: _Gathering) -> None:
        self._gatherings.remove(gathering)
        for case in gathering.cases.values():
            if not case.told:
                case.story.keep(self._recorder.last(case.story.slot))
        stories = [case.story for case in gathering.cases.values()]
        left_out = int(np.count_nonzero(gathering.others))
        self._put(Burst(stories, left_out, self.around_ns, self._heartbeat))

    def close(self) -> None:
        """Hand over all that has begun."""
        for gathering in self._gatherings[:]:
            self._hand_over(gathering)
