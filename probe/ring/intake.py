"""The receive side of the engine: answers noted in batches, and everything else handed to the slow path. No sockets."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from core.inventory import Address
from core.records import Record
from probe.ring.fresh import FreshSyns
from probe.ring.gaps import Gaps
from probe.ring.held import Held
from probe.ring.parse import Answers as Answered
from probe.ring.parse import Parser, rounds
from probe.ring.recorder import Recorder
from probe.ring.rings import RX_NETWORK, Batch
from probe.ring.surroundings import Unusual
from probe.ring.tally import Tally
from probe.ring.traces import Traces
from probe.ring.turns import Turns
from probe.ring.visits import Visits
from probe.wire import Arrived, IcmpError, parse

TIME_EXCEEDED = 11
MOST_WAITING = 1 << 16
"""More packets than this never wait for the slow path (a flood of forged ones is no reason to grow): counted."""


@dataclass(frozen=True)
class Served:
    """What the receive side works on; `vip` and `port` are where the sessions lead."""

    vip: Address
    port: int
    held: Held
    parser: Parser
    turns: Turns
    gaps: Gaps
    tally: Tally
    traces: Traces
    fresh: FreshSyns
    visits: Visits
    recorder: Recorder


class Intake:
    """Takes in batches of frames. What happens is appended to `records`."""

    def __init__(self, served: Served, records: list[Record]) -> None:
        self._served = served
        self._held = served.held
        self._visits = served.visits
        self._records = records
        self._scratch = np.zeros(served.held.count, np.int64)
        self._unusual: deque[Unusual] = deque()
        self._most = max(MOST_WAITING, 4 * served.held.count)

    @property
    def waiting(self) -> int:
        """How many packets wait for the slow path."""
        return len(self._unusual)

    def received(self, batch: Batch, whole: Callable[[], bytes]) -> None:
        """Take in a batch; `whole` returns the next packet that came by a copy (`RxRing.whole`)."""
        found = self._served.parser.split(batch.rows, batch.r_ns, batch.copied)
        held = self._held
        for row, slot, noted, length in zip(
            found.others.tolist(),
            found.other_slots.tolist(),
            found.noted.tolist(),
            found.other_lengths.tolist(),
            strict=True,
        ):
            copy = whole() if batch.copied[row] else b""
            packet = copy or batch.rows[row, RX_NETWORK : RX_NETWORK + length].tobytes()
            ts_recent = int(held.ts_recent[slot]) if slot >= 0 and held.live[slot] else None
            if len(self._unusual) < self._most:
                self._unusual.append(Unusual(int(batch.r_ns[row]), packet, slot, ts_recent, noted))
            else:
                self._visits.ignored["too many at once"] += 1
        held.newest(found.slots, found.stamps)
        self._served.recorder.answered(batch.rows, batch.r_ns, found)
        for part in rounds(found.answers, self._scratch):
            self.answered(part)

    def answered(self, answers: Answered) -> None:
        """Note answers, each slot at most once."""
        served = self._served
        s_ns = served.turns.instants(answers.slots, answers.revolutions)
        news = served.gaps.answered(answers.slots, answers.revolutions, s_ns, answers.r_ns)
        if news.all():
            served.tally.answered(self._held.answer[answers.slots], answers.r_ns - s_ns)
        else:
            served.tally.answered(self._held.answer[answers.slots[news]], (answers.r_ns - s_ns)[news])

    def handle_unusual(self, for_ns: int) -> None:
        """Give the slow path what waits for it, for `for_ns` at most: a burst of resets stops no heartbeats."""
        until_ns = time.monotonic_ns() + for_ns
        while self._unusual and time.monotonic_ns() < until_ns:
            self._handle(self._unusual.popleft())

    def _handle(self, unusual: Unusual) -> None:
        served = self._served
        found = parse(unusual.packet)
        if found is None:
            self._visits.ignored["no segment"] += 1
            return
        source = served.parser.source_of(found.address)
        if isinstance(found, Arrived) and source == 0 and found.port in served.fresh.ports:
            self._records += served.fresh.arrived(found.port, found.segment, unusual.r_ns)
            return
        slot = self._held.slot_of(source, found.port) if source >= 0 else -1
        if slot < 0:
            self._visits.ignored["of no session"] += 1
            return
        served.recorder.unusual(slot, unusual.r_ns, unusual.packet)
        if isinstance(found, Arrived):
            self._visits.arrived(slot, found.segment, unusual)
        else:
            self._icmp(slot, found, unusual.r_ns)

    def _icmp(self, slot: int, error: IcmpError, now_ns: int) -> None:
        """An error is about a session when it quotes a packet that the session sent (RFC 5927 section 4)."""
        if error.to != self._served.vip.packed or error.to_port != self._served.port:
            self._visits.ignored["icmp"] += 1
        elif error.type != TIME_EXCEEDED:
            detail = f"ICMP type {error.type} code {error.code} from {error.router}"
            self._visits.unreachable(slot, error.seq, detail, now_ns)
        elif self._served.traces.under_way(slot, error.mark, error.seq):
            self._records += self._served.traces.time_exceeded(slot, error.router, error.mark, now_ns)
        else:
            self._visits.ignored["time exceeded of no trace"] += 1  # also late ones, of a trace that has its node
