"""The answers of one slot on kernel sockets, and the stalls between them. Sans-IO; time is handed in.

A stall is the gap between two answers. The kernel sends again what was lost, later and later (RFC 6298), so a stall is
what an application suffers, at least as long as the outage and up to twice; it is of the clock `held_kernel`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from core.outage import LOSSES_IN_A_ROW
from core.records import Clock, OutageBegan, OutageEnded

SHORTEST_STALL_NS = 150_000_000
"""The kernel sends a lost segment again after 200 ms at the earliest: what is shorter is a slow service, no loss."""
PROBES_NS = 1_000_000_000
"""The kernel's shortest time between keepalives."""
ROUND_TRIPS = 4


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often a slot is answered in a quiet network, and from which gap on there is a stall, in ns.

    `probes`: the kernel's keepalives are the heartbeats, and when one was sent is known by their rhythm alone.
    """

    period_ns: int
    stall_ns: int
    probes: bool


def rhythm(period_ns: int, *, asks: bool) -> Rhythm:
    """Return the rhythm of questions every `period_ns`, or of the kernel's keepalives."""
    if asks:
        return Rhythm(period_ns, max(SHORTEST_STALL_NS, LOSSES_IN_A_ROW * period_ns), probes=False)
    return Rhythm(PROBES_NS, LOSSES_IN_A_ROW * PROBES_NS + PROBES_NS // 2, probes=True)


class Held:
    """One slot's answers, over its restarts. `own_ns(from, to)` tells how late the probe itself was between the two."""

    def __init__(self, vantage: str, slot: int, rhythm: Rhythm, own_ns: Callable[[int, int], int]) -> None:
        self._identity = (vantage, slot, Clock.HELD_KERNEL)
        self._rhythm = rhythm
        self._own_ns = own_ns
        self._answered_ns = 0
        self._waiting_ns = 0
        self._round_trips: deque[int] = deque(maxlen=ROUND_TRIPS)
        self._began = False
        self._same_session = True

    def asked(self, now_ns: int) -> None:
        """Note a question, or an attempt to open a session for one. What a dead session was asked still waits."""
        self._waiting_ns = self._waiting_ns or now_ns

    def session_ended(self) -> None:
        """Note that the session in this slot ended: a gap over this instant was not survived."""
        self._same_session = False

    def answered(self, r_ns: int, rtt_ns: int = 0) -> OutageEnded | None:
        """Note an answer at `r_ns`, `rtt_ns` after its question; return the outage that it ends, if any."""
        before_ns, asked_ns = self._answered_ns, self._waiting_ns or r_ns
        usual_ns = min(self._round_trips, default=0)
        same_session, self._same_session = self._same_session, True
        began, self._began = self._began, False
        self._answered_ns, self._waiting_ns = r_ns, 0
        self._round_trips.append(rtt_ns)
        gap_ns = r_ns - before_ns
        if not before_ns or (gap_ns - usual_ns <= self._rhythm.stall_ns and not began):
            return None
        first_ns, last_ns, lost = asked_ns, r_ns, 1
        if self._rhythm.probes:
            first_ns = before_ns + PROBES_NS
            last_ns, lost = max(first_ns, r_ns - PROBES_NS), max(1, round(gap_ns / PROBES_NS) - 1)
        slip_ns = self._own_ns(before_ns, r_ns)
        return OutageEnded(
            r_ns,
            *self._identity,
            s_a_ns=before_ns,
            r_a_ns=before_ns,
            s_a1_ns=first_ns,
            s_b1_ns=last_ns,
            s_b_ns=r_ns,
            r_b_ns=r_ns,
            lost=lost,
            skipped=0,
            slip_ns=slip_ns,
            self_inflicted=gap_ns - slip_ns <= self._rhythm.stall_ns,
            same_session=same_session,
        )

    def check(self, now_ns: int) -> OutageBegan | None:
        """Return the begin of a stall, once each."""
        since_ns = self._answered_ns if self._rhythm.probes else self._waiting_ns
        usual_ns = min(self._round_trips, default=0)
        if self._began or not self._answered_ns or not since_ns:
            return None
        if now_ns - since_ns - usual_ns - self._own_ns(since_ns, now_ns) <= self._rhythm.stall_ns:
            return None
        self._began = True
        return OutageBegan(now_ns, *self._identity, self._answered_ns)
