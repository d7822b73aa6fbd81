"""What goes out at a tick: heartbeats of the steady slots in one batch, and whatever the others have to send."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from probe.ring.gaps import Gaps
from probe.ring.held import Held
from probe.ring.recorder import Recorder
from probe.ring.rings import TxRing
from probe.ring.tally import Tally
from probe.ring.traces import Traces
from probe.ring.turns import Due, Turns
from probe.ring.visits import Visits

ASK_NS = 1_000_000_000
TRACE_NS = 2_000_000_000
ASKS_A_SECOND = 50
TRACES_A_SECOND = 25
"""With many sessions each is asked and traced more seldom, so that all together are at most so many a second."""
AT_ONCE = 4.0
"""After an outage, or when sessions are opened, so many seconds' worth may be asked and traced at once."""
SEARCHES_A_SECOND = 5
"""Of the sessions that are silent so many a second are traced: how far do their packets get?"""
OPENS_A_SECOND = 4_000
OPENING = 400
"""While so many SYNs are under way no session is opened: a far end that cannot keep up would only drop more."""
ASKS_A_TICK = 10
TRACES_A_TICK = 2
Slots = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the slots of one piece of the round do now: `steady` heartbeat, the others the slow path's business."""

    piece: Due
    steady: slice | Slots
    parked: Slots
    asked: Slots
    traced: Slots


class Allowance:
    """So many a second on average, and at most `AT_ONCE` seconds' worth together, so many a tick."""

    def __init__(self, a_second: int, a_tick: int) -> None:
        self._a_second = a_second
        self._a_tick = a_tick
        self._left = self._most = a_second * AT_ONCE
        self._last_ns = 0

    def take(self, wanted: Slots, now_ns: int) -> Slots:
        """Return as many of `wanted` as are allowed at `now_ns`."""
        self._left = min(self._most, self._left + (now_ns - self._last_ns) * self._a_second / 1e9)
        self._last_ns = now_ns
        taken = wanted[: min(self._a_tick, int(self._left))]
        self._left -= len(taken)
        return taken


class Beats:
    """Sends what is due.

    `way` tells whether there is a next hop, `asks` whether the service is asked anything, `calm` whether the slow path
    keeps up: else no session is opened and none asked, which would be more work for it.
    """

    def __init__(
        self,
        held: Held,
        turns: Turns,
        gaps: Gaps,
        tally: Tally,
        tx: TxRing,
        visits: Visits,
        traces: Traces,
        recorder: Recorder,
        tick_ns: int,
    ) -> None:
        self.way = False
        self.asks = True
        self.calm = True
        self._held = held
        self._turns = turns
        self._gaps = gaps
        self._tally = tally
        self._tx = tx
        self._visits = visits
        self._traces = traces
        self._recorder = recorder
        self._ask_ns = max(ASK_NS, held.count * 1_000_000_000 // ASKS_A_SECOND)
        self._trace_ns = max(TRACE_NS, held.count * 1_000_000_000 // TRACES_A_SECOND)
        self._opening = Allowance(OPENS_A_SECOND, max(1, OPENS_A_SECOND * tick_ns // 1_000_000_000))
        self._asking = Allowance(ASKS_A_SECOND, ASKS_A_TICK)
        self._tracing = Allowance(TRACES_A_SECOND, TRACES_A_TICK)
        self._searching = Allowance(SEARCHES_A_SECOND, 1)
        self._offsets = np.arange(held.count, dtype=np.int64) * turns.period_ns // held.count
        self._nobody = np.zeros(0, np.int64)

    def step(self, now_ns: int) -> None:
        """Send what is due.

        The batch goes first: what the slow path does then cannot make it late.
        """
        skipped, due = self._turns.take(now_ns)
        for piece in skipped:
            self._skip(piece, now_ns)
        if not due:
            return
        plans = [self._plan(piece, now_ns) for piece in due]
        plans = [self._fill(plan, now_ns) for plan in plans]
        s_ns = time.monotonic_ns()
        self._held.at_work(s_ns)
        self._turns.sent(s_ns)
        self._tx.flush()
        for plan in plans:
            self._note(plan.steady, plan.piece, s_ns)
        for plan in plans:
            self._slowly(plan, s_ns)
        self._turns.took(time.monotonic_ns() - s_ns)

    def _skip(self, piece: Due, now_ns: int) -> None:
        closed = self._held.closed[piece.low : piece.high]
        slots = np.flatnonzero(~closed) + piece.low
        self._gaps.skipped(slots, piece.revolution, now_ns - piece.due_ns)
        self._tally.skipped += len(slots)
        self._gaps.unsent(np.flatnonzero(closed) + piece.low, piece.revolution)

    def _plan(self, piece: Due, now_ns: int) -> _Plan:
        held, whole = self._held, slice(piece.low, piece.high)
        parked = held.parked[whole]
        traces = now_ns - held.traced_ns[whole] >= self._trace_ns
        asks = now_ns - held.asked_ns[whole] >= self._ask_ns if self.asks and self.calm else np.zeros_like(traces)
        if not (parked | asks | traces).any():
            return _Plan(piece, whole, self._nobody, self._nobody, self._nobody)
        steady = ~parked
        quiet = steady & ~self._gaps.began[whole]
        traced = self._tracing.take(np.flatnonzero(quiet & traces), now_ns)
        silent = np.flatnonzero(steady & traces & self._gaps.began[whole])
        if len(silent):
            traced = np.concatenate([traced, self._searching.take(silent, now_ns)])
        asked = self._asking.take(np.flatnonzero(quiet & asks), now_ns)
        steady[asked] = False
        low = piece.low
        beats = whole if steady.all() else np.flatnonzero(steady) + low
        return _Plan(piece, beats, np.flatnonzero(parked) + low, asked + low, traced + low)

    def _fill(self, plan: _Plan, now_ns: int) -> _Plan:
        """Fill the frames of what is due; return the plan without what found no room, which is our own lateness."""
        steady, end = plan.steady, 0
        count = steady.stop - steady.start if isinstance(steady, slice) else len(steady)
        for offset, frames, fields in self._tx.room(count if self.way else 0):
            end = offset + len(frames)
            if isinstance(steady, slice):
                part: slice | Slots = slice(steady.start + offset, steady.start + end)
            else:
                part = steady[offset:end]
            self._held.fill(frames, fields, part, plan.piece.revolution)
            self._recorder.sent(part, plan.piece.revolution)
        if not self.way or end == count:
            return plan
        kept: slice | Slots
        if isinstance(steady, slice):
            kept, left = slice(steady.start, steady.start + end), np.arange(steady.start + end, steady.stop)
        else:
            kept, left = steady[:end], steady[end:]
        self._gaps.skipped(left, plan.piece.revolution, max(self._turns.period_ns + 1, now_ns - plan.piece.due_ns))
        self._tally.skipped += len(left)
        return replace(plan, steady=kept)

    def _note(self, slots: slice | Slots, piece: Due, s_ns: int) -> None:
        late_ns = s_ns - piece.due_ns - (self._offsets[slots] - self._offsets[piece.low])
        if len(late_ns):
            self._gaps.sent(slots, piece.revolution, s_ns, late_ns)
            self._tally.sent(self._held.answer[slots], late_ns)

    def _slowly(self, plan: _Plan, now_ns: int) -> None:
        """Let the slow path take the turns that are its business."""
        if not (len(plan.parked) or len(plan.asked) or len(plan.traced)):
            return
        revolution = plan.piece.revolution
        self._open(plan.parked[self._held.closed[plan.parked]], now_ns)
        closed = self._held.closed[plan.parked]
        idle = plan.parked[closed].tolist()
        sent: list[int] = []
        for slot in plan.parked[~closed].tolist():
            (sent if self._visits.turn(slot, revolution, now_ns) else idle).append(slot)
        for slot in plan.asked.tolist():
            (sent if self._visits.ask(slot, revolution, now_ns) else idle).append(slot)
        if sent:
            self._note(np.array(sent), plan.piece, now_ns)
        if idle:
            self._gaps.unsent(np.array(idle), revolution)
        for slot in plan.traced.tolist():
            if not self._held.closed[slot]:
                silent = bool(self._gaps.began[slot])
                self._traces.begin(slot, int(self._gaps.answered_revolution[slot]), now_ns, silent=silent)

    def _open(self, closed: Slots, now_ns: int) -> None:
        """Begin to open sessions, at a bounded rate and a bounded number at a time: what they are answered is read."""
        room = OPENING - self._visits.opening
        if self.calm and room > 0 and len(closed):
            for slot in self._opening.take(self._visits.to_open(closed, now_ns)[:room], now_ns).tolist():
                self._visits.admit(slot, now_ns)
