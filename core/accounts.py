"""What a vantage's records make of its slots, and what is counted of them while an event lasts. Judges nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from core.outage import is_over
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
        self._ended: defaultdict[tuple[Clock, int], int] = defaultdict(int)
        self.engine = ""

    def opened(self, record: Opened) -> None:
        """Fill a slot with a new session."""
        if not record.held_kernel:
            slot = self.slots[record.slot]
            slot.session, slot.alive = record.session, True

    def answered(self, record: Answer) -> None:
        """Note who answers a slot."""
        self.slots[record.slot].answer = (record.site, record.node, record.nat_pool)

    def dropped(self, record: Drop) -> None:
        """Empty a slot."""
        if not record.held_kernel:
            slot = self.slots[record.slot]
            slot.alive, slot.answer = False, ("", "", "")

    def began(self, record: OutageBegan) -> None:
        """Note since when a slot, or what opens new connections, is silent."""
        if not is_over(record, self._ended[record.clock, record.slot]):
            self._silent(record, record.last_sent_ns)

    def ended(self, record: OutageEnded) -> None:
        """Note that it is answered again."""
        self._ended[record.clock, record.slot] = record.s_a_ns
        self._silent(record, 0)

    def _silent(self, record: OutageBegan | OutageEnded, since_ns: int) -> None:
        if record.clock is Clock.NEW_CONNECTIONS:
            self.no_new_since_ns = since_ns
        elif record.slot >= 0:
            self.slots[record.slot].silent_since_ns = since_ns

    def started(self, record: ProbeStarted) -> None:
        """Note the engine."""
        self.engine = record.engine


class Account:
    """What happens at a vantage from `at_ns` on is the event's doing: counts it. `state`: as it was before."""

    def __init__(self, at_ns: int, state: State) -> None:
        self.at_ns = at_ns
        living = [slot for slot in state.slots.values() if slot.alive]
        self.before = [slot.answer for slot in living]
        self.alive = {slot.session for slot in living}
        self.engine = state.engine
        self.drops: set[str] = set()
        self.causes: Counter[str] = Counter()
        self.restarted = 0
        self.kernel_dropped = 0
        self.outages: list[OutageEnded] = []
        self.summaries: list[int] = []

    def summary(self, record: Summary) -> None:
        """Note that something was told."""
        self.summaries.append(record.t_ns)

    def opened(self, record: Opened) -> None:
        """Count a session that was opened again."""
        self.restarted += not record.held_kernel

    def dropped(self, record: Drop) -> None:
        """Count the drop of a session that was alive at the event, and that of a kernel session."""
        if record.held_kernel:
            self.kernel_dropped += 1
        elif record.session in self.alive and record.session not in self.drops:
            self.drops.add(record.session)
            self.causes[record.cause] += 1

    def ended(self, record: OutageEnded) -> None:
        """Keep an outage that the event may have caused."""
        if record.s_b_ns >= self.at_ns:
            self.outages.append(record)

    def started(self, record: ProbeStarted) -> None:
        """Note that an agent goes on with the lesser engine."""
        if record.engine == SOCKET_ENGINE:
            self.engine = record.engine


def fold(
    records: Sequence[Record], spans: Sequence[tuple[int, int]]
) -> Iterator[tuple[tuple[int, int], Account | None, State]]:
    """Go through one vantage's records in order and yield each of `spans` at its end, with its account and the state.

    `spans` are in order, each from the end of the one before. What happens at the very instant at which one ends and
    the next begins is in both. There is no account where nothing was written in the time of a span. The state goes on
    changing: it must be read before the next one is asked for.
    """
    state = State()
    changing = _changing(state)
    accounts: dict[int, Account] = {}
    counting: dict[type, Callable[..., None]] = {}
    ended, edge_ns = 0, spans[0][0]
    for record in records:
        kind = type(record)
        if record.t_ns >= edge_ns:
            while ended < len(spans) and record.t_ns > spans[ended][1]:
                yield spans[ended], accounts.pop(ended, None), state
                ended += 1
            begun = [number for number in range(ended, len(spans)) if spans[number][0] <= record.t_ns]
            for number in begun:
                if number not in accounts:
                    accounts[number] = Account(spans[number][0], state)
            for number in begun[1:]:  # at the very instant between two
                _counting(accounts[number]).get(kind, _pass)(record)
            counting = _counting(accounts[begun[0]]) if begun else {}
            edge_ns = spans[ended][1] if ended < len(spans) else record.t_ns
        if kind in counting:
            counting[kind](record)
        if kind in changing:
            changing[kind](record)
    for number in range(ended, len(spans)):
        yield spans[number], accounts.get(number), state


def _changing(state: State) -> dict[type, Callable[..., None]]:
    return {
        Opened: state.opened,
        Answer: state.answered,
        Drop: state.dropped,
        OutageBegan: state.began,
        OutageEnded: state.ended,
        ProbeStarted: state.started,
    }


def _counting(account: Account) -> dict[type, Callable[..., None]]:
    return {
        Summary: account.summary,
        Opened: account.opened,
        Drop: account.dropped,
        OutageEnded: account.ended,
        ProbeStarted: account.started,
    }


def _pass(record: Record) -> None:
    del record
