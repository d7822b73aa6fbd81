"""The socket engine: sessions on kernel sockets, fresh connections, and what each second was like. No privilege."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterable

import numpy as np

from core.errors import CallError
from core.inventory import Inventory, Vantage
from core.records import Note, ProbeHealth, Record
from probe.kernel.fresh import MOST as MOST_FRESH
from probe.kernel.fresh import PERIOD_NS as SYN_PERIOD_NS
from probe.kernel.fresh import FreshConnections
from probe.kernel.held import rhythm
from probe.kernel.sessions import Sessions
from probe.ring.answers import Answers
from probe.ring.tally import UNMEASURED, Tally
from probe.service import Seen

SUMMARY_NS = 1_000_000_000
LONGEST_TICK_NS = 5_000_000
SHORTEST_TICK_NS = 1_000_000
SPARE_FILES = 64
LOST = (
    "the socket engine has no data-plane clock (a stall includes the kernel's retransmission), sees no node in a "
    "flow and no ICMP error, and holds fewer sessions"
)


class SocketEngine:
    """Holds `vantage.sessions` sessions to the inventory's VIP on ordinary sockets.

    Raises CallError when so many files may not be open, or the authorities of the service cannot be read.
    """

    name = "socket"
    syn_period_ns = SYN_PERIOD_NS

    def __init__(self, inventory: Inventory, vantage: Vantage, now_ns: int) -> None:
        _allow_files(vantage.sessions + MOST_FRESH + SPARE_FILES, vantage.sessions)
        self._vantage = vantage.name
        period_ns = round(vantage.period_s * 1e9)
        self.first_tick_ns = now_ns
        self.tick_ns = max(SHORTEST_TICK_NS, min(LONGEST_TICK_NS, period_ns // 4))
        self._sessions = Sessions(inventory, vantage, period_ns, self.tick_ns)
        self.period_ns = rhythm(period_ns, asks=self._sessions.asks).period_ns
        self._answers = Answers(inventory, vantage.name, self._sessions)
        self._fresh = FreshConnections(inventory.vip, vantage.name, now_ns)
        self._told: dict[int, Seen] = {}
        self._tally = Tally()
        self._summary_ns = now_ns + SUMMARY_NS
        self._cpu_ns = time.process_time_ns()
        self._notes: list[Note] = []
        if not self._sessions.asks:
            words = (
                f"nothing is asked of the service: the kernel's keepalives, one a second, not {vantage.period_s:g} s"
            )
            self._notes.append(Note(now_ns, vantage.name, words))

    def tick(self, now_ns: int) -> list[Record]:
        """See `Engine.tick`."""
        records: list[Record] = [*self._notes, *self._sessions.step()]
        self._notes = []
        happened = self._sessions.happened
        if happened.sent:
            self._tally.sent(self._groups(slot for slot, _ in happened.sent), _values(happened.sent))
        for slot, seen, r_ns in happened.seen:
            if not self._sessions.answer[slot] or self._told.get(slot) != seen:
                self._told[slot] = seen
                records += self._answers.seen(slot, seen, r_ns)
        if happened.answered:
            self._tally.answered(self._groups(slot for slot, _ in happened.answered), _values(happened.answered))
        records += self._fresh.step(now_ns)
        if now_ns >= self._summary_ns:
            self._summary_ns = max(self._summary_ns + SUMMARY_NS, now_ns)
            records += self._second(now_ns)
        return records

    def _groups(self, slots: Iterable[int]) -> np.ndarray[tuple[int], np.dtype[np.uint16]]:
        return self._sessions.answer[list(slots)]

    def _second(self, now_ns: int) -> list[Record]:
        tally, sessions = self._tally, self._sessions
        late = tally.lateness()
        skipped, sessions.turns.skipped = sessions.turns.skipped, 0
        tally.skipped = skipped
        tally.syn_sent, self._fresh.sent = self._fresh.sent, 0
        tally.syn_answered, self._fresh.answered = self._fresh.answered, 0
        tally.syn_refused, self._fresh.refused = self._fresh.refused, 0
        living = sessions.open_slots()
        alive = np.bincount(sessions.answer[living], minlength=len(self._answers.known))
        cpu_ns, self._cpu_ns = self._cpu_ns, time.process_time_ns()
        ignored = tuple(sorted(sessions.ignored.items()))
        sessions.ignored.clear()
        health = ProbeHealth(
            now_ns,
            self._vantage,
            self.tick_ns,
            *late,
            skipped,
            ring_dropped=0,
            refused=0,
            backlog=0,
            visits=sessions.count - len(living),
            cpu_ns=self._cpu_ns - cpu_ns,
            ignored=ignored,
        )
        return [*tally.summaries(now_ns, self._vantage, self._answers.known, alive), health]

    def close(self, now_ns: int) -> list[Record]:
        """See `Engine.close`."""
        del now_ns
        self._sessions.close()
        self._fresh.close()
        return []


def _values(pairs: Iterable[tuple[int, int]]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the second of each pair; a negative one was not measured."""
    return np.array([value if value >= 0 else UNMEASURED for _, value in pairs], np.int64)


def _allow_files(wanted: int, sessions: int) -> None:
    """Let this process open so many files. Raises CallError where it may not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and wanted > hard:
        raise CallError(
            f"{sessions} sessions on kernel sockets need {wanted} open files, and this process may have {hard}: give "
            f"the vantage at most {max(0, hard - wanted + sessions)} sessions, or raise the limit (ulimit -n)"
        )
    if soft != resource.RLIM_INFINITY and wanted > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
