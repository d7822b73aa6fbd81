"""The life of one slot: a session, its heartbeats, who answers it, its end and the session that follows."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from ipaddress import AddressValueError, IPv4Address

from core.inventory import Inventory
from core.outage import Tracker
from core.records import Answer, Clock, Drop, KnownBy, Opened, OutageEnded, PathTraced, Record
from core.tcp.segments import Flag, Segment
from core.tcp.session import Closed, Dropped, Established, Output, Received, Send, Session
from core.tcp.states import State

ASK_EVERY_NS = 1_000_000_000
TRACE_EVERY_NS = 2_000_000_000
TRACE_TAKES_NS = 300_000_000
HOPS = 4
REOPEN_AFTER_REFUSAL_NS = 50_000_000
ROUND_TRIPS_KEPT = 64


@dataclass
class Trace:
    """One path trace under way: when it began, and the routers by TTL that have answered."""

    began_ns: int
    hops: dict[int, IPv4Address] = field(default_factory=dict)


@dataclass
class Counts:
    """What happened since the last summary."""

    sent: int = 0
    answered: int = 0
    skipped: int = 0
    late_ns: int = 0
    rtts_ns: list[int] = field(default_factory=list)


class Slot:
    """One of the held sessions of a vantage. Driven by `due`, `arrived` and `icmp`; sends through `transmit`.

    `transmit(port, segment, ttl, ip_id)` puts a segment on the wire; `take_port()` gives a fresh source port;
    `may_trace()` says whether a path trace may begin now, so that traces of many slots do not come in one burst.
    """

    def __init__(
        self,
        number: int,
        vantage: str,
        inventory: Inventory,
        period_ns: int,
        source: str,
        transmit: Callable[[int, Segment, int, int], None],
        take_port: Callable[[], int],
        may_trace: Callable[[], bool],
    ) -> None:
        self.number = number
        self.port = 0
        self.counts = Counts()
        self.tracker = Tracker(vantage, number, Clock.DATA_PLANE, period_ns)
        self.answer = Answer(0, vantage, number, "", "", "", "", "", "", KnownBy.UNKNOWN)
        self.due_ns = 0
        self._vantage = vantage
        self._inventory = inventory
        self._period_ns = period_ns
        self._source = source
        self._transmit = transmit
        self._take_port = take_port
        self._may_trace = may_trace
        self._session: Session | None = None
        self._attempt = 0
        self._sent: deque[tuple[int, int]] = deque(maxlen=ROUND_TRIPS_KEPT)
        self._opened_ns = 0
        self._restarts = -1
        self._reopen_ns = 0
        self._asked_ns = 0
        self._line = b""
        self._trace: Trace | None = None
        self._traced_ns = 0
        self._trace_number = number
        self._hops: tuple[str, ...] = ()

    @property
    def alive(self) -> bool:
        """Whether the slot has an established session."""
        return self._session is not None and self._session.state is State.ESTABLISHED

    @property
    def session_name(self) -> str:
        """Name of the session in records: vantage, slot, and how often the slot was restarted."""
        return f"{self._vantage}-{self.number}-{max(0, self._restarts)}"

    def due(self, now_ns: int, slip_ns: int) -> list[Record]:
        """Send what this slot sends at its turn: a SYN, a question, a heartbeat or something again."""
        records: list[Record] = []
        self.counts.late_ns = max(self.counts.late_ns, slip_ns)
        session = self._session
        if session is None or session.state is State.CLOSED:
            if now_ns >= self._reopen_ns:
                self._open(now_ns, slip_ns)
            return records
        woken = session.wake(now_ns, self._attempt + 1)
        if woken:
            if any(isinstance(output, Send) for output in woken):
                self._count(now_ns, slip_ns)
            return self._perform(woken, now_ns)
        if session.state is not State.ESTABLISHED:
            return records
        attempt = self._count(now_ns, slip_ns)
        if session.idle and now_ns - self._asked_ns >= ASK_EVERY_NS:
            self._asked_ns = now_ns
            records += self._perform(session.send(b"W %x\n" % attempt, now_ns, attempt), now_ns)
        else:
            self._transmit(self.port, session.heartbeat(attempt), 0, 0)
        return records + self._trace_step(session, now_ns)

    def _open(self, now_ns: int, slip_ns: int) -> None:
        self.port = self._take_port()
        self._session = Session(random.getrandbits(32))
        self._line = b""
        attempt = self._count(now_ns, slip_ns)
        self._perform(self._session.connect(now_ns, attempt), now_ns)

    def _count(self, now_ns: int, slip_ns: int) -> int:
        self._attempt += 1
        self._sent.append((self._attempt, now_ns))
        self.tracker.sent(self._attempt, now_ns, slip_ns)
        self.counts.sent += 1
        return self._attempt

    def skip(self, count: int, slip_ns: int) -> None:
        """Note heartbeats that were due but not sent because the probe itself was late."""
        if self._session is not None:
            self.tracker.skipped(count, slip_ns)
            self.counts.skipped += count
            self.counts.late_ns = max(self.counts.late_ns, slip_ns)

    def arrived(self, segment: Segment, r_ns: int) -> list[Record]:
        """Take in a segment that came to this slot's port."""
        session = self._session
        if session is None:
            return []
        if (
            segment.flags == Flag.ACK
            and not segment.payload
            and segment.tsecr is not None
            and session.state is State.ESTABLISHED
            and segment.ack == session.snd_nxt == session.snd_una
            and segment.seq == session.rcv_nxt
        ):
            session.heard(r_ns, segment.tsval)
            return self._answered(segment.tsecr, r_ns)
        ignored = sum(session.ignored.values())
        outputs = session.receive(segment, r_ns, self._attempt)
        records = self._perform(outputs, r_ns)
        accepted = sum(session.ignored.values()) == ignored and not segment.flags & Flag.RST
        if accepted and segment.tsecr:
            records = self._answered(segment.tsecr, r_ns) + records
        return records

    def _answered(self, attempt: int, r_ns: int) -> list[Record]:
        # Searched from the newest; what is found is taken out, so that a second answer to it counts nothing.
        for index in range(len(self._sent) - 1, -1, -1):
            number, s_ns = self._sent[index]
            if number == attempt:
                del self._sent[index]
                self.counts.answered += 1
                self.counts.rtts_ns.append(r_ns - s_ns)
                break
            if number < attempt:
                break
        records: list[Record] = list(self.tracker.answered(attempt, r_ns))
        if any(isinstance(record, OutageEnded) for record in records):
            # Who answers may be somebody else now: ask and trace at the next turn.
            self._asked_ns = 0
            self._traced_ns = 0
        return records

    def _perform(self, outputs: tuple[Output, ...], now_ns: int) -> list[Record]:
        records: list[Record] = []
        for output in outputs:
            match output:
                case Send():
                    self._transmit(self.port, output.segment, 0, 0)
                case Established():
                    records.append(self._established(output.rtt_ns, now_ns))
                case Received():
                    records += self._heard_line(output.data, now_ns)
                case Dropped():
                    records += self._dropped(output, now_ns)
                case Closed():
                    self._session = None
        return records

    def _established(self, rtt_ns: int, now_ns: int) -> Opened:
        self._restarts += 1
        self._opened_ns = now_ns
        self._asked_ns = 0
        self._traced_ns = 0
        self._trace = None
        self._hops = ()
        self.answer = replace(
            self.answer,
            session=self.session_name,
            site="",
            nat_pool="",
            nat_address="",
            server="",
            node="",
            node_known_by=KnownBy.UNKNOWN,
        )
        return Opened(
            now_ns, self._vantage, self.number, self.session_name, self._source, self.port, rtt_ns, self._restarts
        )

    def _dropped(self, dropped: Dropped, now_ns: int) -> list[Record]:
        session = self._session
        was_open = self._opened_ns > 0
        if session is not None and session.state is State.CLOSE_WAIT:
            self._perform(session.abort(self._attempt), now_ns)
        self._session = None
        self._reopen_ns = now_ns if was_open else now_ns + REOPEN_AFTER_REFUSAL_NS
        if not was_open:
            return []
        opened_ns, self._opened_ns = self._opened_ns, 0
        self.tracker.session_changed()
        return [
            Drop(
                now_ns, self._vantage, self.number, self.session_name, dropped.cause, dropped.detail, now_ns - opened_ns
            )
        ]

    def _heard_line(self, data: bytes, now_ns: int) -> list[Record]:
        self._line += data
        *lines, self._line = self._line[-256:].split(b"\n")
        if not lines:
            return []
        words = lines[-1].decode("ascii", "replace").split()
        try:
            _, _, seen, _, server = words
            address = IPv4Address(seen)
        except (ValueError, AddressValueError):
            return []
        site = self._inventory.site_of_nat_address(address)
        return self._answer_is(
            replace(
                self.answer,
                site=site.name if site else "",
                nat_pool=site.nat_pool.name if site else "",
                nat_address=str(address),
                server=server,
            ),
            now_ns,
        )

    def _answer_is(self, answer: Answer, now_ns: int) -> list[Record]:
        if answer == self.answer:
            return []
        self.answer = answer
        return [replace(answer, t_ns=now_ns)] if answer.site else []

    def _trace_step(self, session: Session, now_ns: int) -> list[Record]:
        """Begin a trace when one is due, or close the one under way; low-TTL copies go out at the slot's turn."""
        if self._trace is not None:
            if now_ns - self._trace.began_ns < TRACE_TAKES_NS:
                return []
            trace, self._trace = self._trace, None
            return self._traced(trace, now_ns)
        if now_ns - self._traced_ns >= TRACE_EVERY_NS and session.idle and self._may_trace():
            self._traced_ns = now_ns
            self._trace = Trace(now_ns)
            self._trace_number = (self._trace_number + 1) & 0xFFF
            copy = session.heartbeat(self._attempt)
            for ttl in range(1, HOPS + 1):
                self._transmit(self.port, copy, ttl, (self._trace_number << 4 | ttl) or 1)
        return []

    def icmp(self, router: IPv4Address, ip_id: int, now_ns: int) -> list[Record]:
        """Take in a time exceeded about a low-TTL copy; the trace ends early when a node has shown itself."""
        trace = self._trace
        if trace is None or ip_id >> 4 != self._trace_number:
            return []
        trace.hops[ip_id & 0xF] = router
        known = [ttl for ttl, hop in trace.hops.items() if self._inventory.node_of_address(hop)]
        if not known or any(ttl not in trace.hops for ttl in range(1, min(known))):
            return []
        self._trace = None
        return self._traced(trace, now_ns)

    def _traced(self, trace: Trace, now_ns: int) -> list[Record]:
        hops: list[str] = []
        node = ""
        for ttl in range(1, max(trace.hops, default=0) + 1):
            hop = trace.hops.get(ttl)
            hops.append(str(hop) if hop else "")
            found = self._inventory.node_of_address(hop) if hop else None
            if found:
                node = found.name
                break
        records: list[Record] = []
        if tuple(hops) != self._hops:
            self._hops = tuple(hops)
            records.append(PathTraced(now_ns, self._vantage, self.number, self.session_name, self._hops))
        if node:
            records += self._answer_is(replace(self.answer, node=node, node_known_by=KnownBy.FLOW), now_ns)
        return records

    def unreachable(self, detail: str, now_ns: int) -> list[Record]:
        """Take in another ICMP error about this slot's session."""
        return self._perform(self._session.unreachable(detail), now_ns) if self._session else []

    def close(self) -> None:
        """End the session, if any, by a reset: nothing of it is left at the far end."""
        if self._session is not None and self._session.state is not State.CLOSED:
            self._perform(self._session.abort(self._attempt), 0)
