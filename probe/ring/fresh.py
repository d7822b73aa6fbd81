"""The new-connection clock: a fresh SYN every 50 ms, each a measurement of its own, never sent again."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable

from core.outage import Tracker
from core.records import Clock, OutageBegan, Record
from core.tcp.segments import Flag, Segment, add

PERIOD_NS = 50_000_000
PORTS = 1_000
KEPT = 64


class FreshSyns:
    """Sends SYNs from `ports`; `transmit(port, segment)` puts one on the wire."""

    def __init__(self, vantage: str, ports: range, now_ns: int, transmit: Callable[[int, Segment], None]) -> None:
        self.ports = ports
        self.sent = 0
        self.answered = 0
        self.refused = 0
        self._tracker = Tracker(vantage, -1, Clock.NEW_CONNECTIONS, PERIOD_NS)
        self._transmit = transmit
        self._due_ns = now_ns
        self._attempt = 0
        self._pending: dict[int, tuple[int, int]] = {}  # port -> (attempt, ISN)
        self._order: deque[int] = deque()

    def step(self, now_ns: int) -> None:
        """Send a SYN when one is due."""
        late_ns = now_ns - self._due_ns
        if late_ns < 0:
            return
        if late_ns > PERIOD_NS:
            missed = late_ns // PERIOD_NS
            self._tracker.skipped(missed, late_ns)
            self._due_ns += missed * PERIOD_NS
            late_ns = now_ns - self._due_ns
        self._due_ns += PERIOD_NS
        self._attempt += 1
        self.sent += 1
        port = self.ports[self._attempt % len(self.ports)]
        isn = random.getrandbits(32)
        self._pending[port] = (self._attempt, isn)
        self._order.append(port)
        if len(self._order) > KEPT:
            self._pending.pop(self._order.popleft(), None)
        self._tracker.sent(self._attempt, now_ns, late_ns)
        self._transmit(port, Segment(isn, 0, Flag.SYN, 65_535, b"", self._attempt, 0))

    def arrived(self, port: int, segment: Segment, r_ns: int) -> list[Record]:
        """Take in what came to a port. A SYN-ACK answers, a reset does not; the far end is told at once to forget."""
        attempt, isn = self._pending.get(port, (0, 0))
        if attempt and segment.flags & Flag.RST and segment.flags & Flag.ACK and segment.ack == add(isn, 1):
            # RFC 9293, section 3.10.7.3: only a reset that acknowledges the SYN is one to it.
            del self._pending[port]
            self.refused += 1
            return []
        if not attempt or segment.flags & (Flag.SYN | Flag.ACK | Flag.RST) != Flag.SYN | Flag.ACK:
            return []
        if segment.ack != add(isn, 1):
            return []
        del self._pending[port]
        stamps = (attempt, segment.tsval)
        self._transmit(port, Segment(segment.ack, add(segment.seq, 1), Flag.RST | Flag.ACK, 0, b"", *stamps))
        self.answered += 1
        return list(self._tracker.answered(attempt, r_ns))

    def check(self, now_ns: int) -> OutageBegan | None:
        """Return the begin of an outage of new connections; each once."""
        return self._tracker.check(now_ns)
