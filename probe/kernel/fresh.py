"""The new-connection clock on kernel sockets: a fresh connection every 50 ms, each a measurement of its own."""

from __future__ import annotations

import select
import time
from collections import deque

from core.inventory import Vip
from core.outage import Tracker
from core.records import Clock, OutageEnded, Record
from probe.kernel.link import Link

PERIOD_NS = 50_000_000
GIVEN_UP_NS = 900_000_000
"""Before the kernel's first retransmission of a SYN, at 1 s (RFC 6298, section 2): it would be no fresh attempt."""
MOST = GIVEN_UP_NS // PERIOD_NS + 2


class FreshConnections:
    """Opens connections and resets each as soon as it is open. The handshake's round trip is the kernel's figure."""

    def __init__(self, vip: Vip, vantage: str, now_ns: int) -> None:
        self._vip = vip
        self._tracker = Tracker(vantage, -1, Clock.NEW_CONNECTIONS, PERIOD_NS)
        self._poll = select.epoll()
        self._due_ns = now_ns
        self._attempt = 0
        self._open: dict[int, tuple[int, int, Link]] = {}  # descriptor -> (attempt, sent, link)
        self._order: deque[int] = deque()
        self.sent = 0
        self.answered = 0
        self.refused = 0

    def step(self, now_ns: int) -> list[Record]:
        """Take in what was answered, give up what was not, and begin an attempt when one is due."""
        records: list[Record] = []
        for descriptor, _ in self._poll.poll(0):
            records += self._answered(descriptor)
        while self._order and self._expired(self._order[0], now_ns):
            self._close(self._order.popleft())
        if now_ns >= self._due_ns:
            self._begin(now_ns)
        began = self._tracker.check(now_ns)
        return [*records, began] if began else records

    def _expired(self, descriptor: int, now_ns: int) -> bool:
        return descriptor not in self._open or now_ns - self._open[descriptor][1] > GIVEN_UP_NS

    def _begin(self, now_ns: int) -> None:
        late_ns = now_ns - self._due_ns
        missed = late_ns // PERIOD_NS
        if missed:
            self._tracker.skipped(missed, late_ns)
            self._due_ns += missed * PERIOD_NS
        self._due_ns += PERIOD_NS
        self._attempt += 1
        self.sent += 1
        sent_ns = time.monotonic_ns()
        self._tracker.sent(self._attempt, sent_ns, late_ns)
        try:
            link = Link(self._vip, None, keepalive=False)
        except OSError:
            return  # no route, or no port: an attempt that nothing answers
        descriptor = link.socket.fileno()
        self._poll.register(descriptor, select.EPOLLOUT)
        self._open[descriptor] = (self._attempt, sent_ns, link)
        self._order.append(descriptor)

    def _answered(self, descriptor: int) -> tuple[OutageEnded | Record, ...]:
        """A connection is an answer, a refusal is none; nor is what came after the kernel has tried again."""
        attempt, sent_ns, link = self._open[descriptor]
        try:
            link.connected()
            info = link.info()
        except ConnectionRefusedError:
            self.refused += 1
            return ()
        except OSError:
            return ()
        finally:
            self._order.remove(descriptor)
            self._close(descriptor)
        if info.retransmitted:
            return ()
        self.answered += 1
        return self._tracker.answered(attempt, sent_ns + info.rtt_ns)

    def _close(self, descriptor: int) -> None:
        found = self._open.pop(descriptor, None)
        if found is not None:
            self._poll.unregister(descriptor)
            found[2].close()

    def close(self) -> None:
        """Reset all that are open."""
        for descriptor in list(self._open):
            self._close(descriptor)
        self._poll.close()
