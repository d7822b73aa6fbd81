"""What a vantage's records make of its slots, and what is counted of them while an event lasts. Judges nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

from core.records import Answer, Clock, Drop, Opened, OutageBegan, OutageEnded, ProbeStarted, Record, Summary

SOCKET_ENGINE = "socket"
"""The engine whose sessions are the kernel's: it sees neither the data plane beneath retransmission nor any node."""


@dataclass
class SlotView:
    """A slot while its records are gone through."""

    session: str = ""
    answer: tuple[str, str, str] = ("", "", "")
    alive: bool = False
    silent_since_ns: int = 0


class State:
    """What a vantage's records have made of its slots so far."""

    def __init__(self) -> None:
        self.slots: defaultdict[int, SlotView] = defaultdict(SlotView)
        self.no_new_since_ns = 0
        self.engine = ""

    def take(self, record: Record) -> None:
        """Take in the next record."""
        match record:
            case Opened() if not record.held_kernel:
                slot = self.slots[record.slot]
                slot.session, slot.alive = record.session, True
            case Answer():
                self.slots[record.slot].answer = (record.site, record.node, record.nat_pool)
            case Drop() if not record.held_kernel:
                slot = self.slots[record.slot]
                slot.alive, slot.answer = False, ("", "", "")
            case OutageBegan() | OutageEnded():
                since_ns = 0 if isinstance(record, OutageEnded) else record.last_sent_ns
                if record.clock is Clock.NEW_CONNECTIONS:
                    self.no_new_since_ns = since_ns
                elif record.slot >= 0:
                    self.slots[record.slot].silent_since_ns = since_ns
            case ProbeStarted():
                self.engine = record.engine
            case _:
                pass


class Account:
    """What happens at a vantage from `at_ns` on is the event's doing: counts it. `state`: as it was before."""

    def __init__(self, at_ns: int, state: State) -> None:
        self.at_ns = at_ns
        living = [slot for slot in state.slots.values() if slot.alive]
        self.before = [slot.answer for slot in living]
        self.alive = {slot.session for slot in living}
        self.engine = state.engine
        self.dropped: set[str] = set()
        self.causes: Counter[str] = Counter()
        self.restarted = 0
        self.kernel_dropped = 0
        self.outages: list[OutageEnded] = []
        self.summaries: list[int] = []

    def take(self, record: Record) -> None:
        """Count one record."""
        match record:
            case Summary():
                self.summaries.append(record.t_ns)
            case Opened() if not record.held_kernel:
                self.restarted += 1
            case Drop():
                self._drop(record)
            case OutageEnded() if record.s_b_ns >= self.at_ns:
                self.outages.append(record)
            case ProbeStarted() if record.engine == SOCKET_ENGINE:
                self.engine = record.engine
            case _:
                pass

    def _drop(self, record: Drop) -> None:
        if record.held_kernel:
            self.kernel_dropped += 1
        elif record.session in self.alive and record.session not in self.dropped:
            self.dropped.add(record.session)
            self.causes[record.cause] += 1
