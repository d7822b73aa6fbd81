"""The engine of raw packets: slots taken round the period, fresh SYNs beside them, one second's counts as summaries."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from core.inventory import Inventory, Vantage
from core.outage import Tracker
from core.records import Answer, Clock, Note, Record, Summary
from core.tcp.segments import Flag, Segment
from probe.rule import NoResetRule, PortBlock
from probe.slot import Counts, Slot
from probe.sockets import PacketSockets, source_address
from probe.wire import DEFAULT_TTL, Arrived, IcmpError, Template, parse

SYN_PERIOD_NS = 50_000_000
SYN_PORTS = 1_000
SYN_KEPT = 64
SUMMARY_NS = 1_000_000_000
CHECK_NS = 50_000_000
HISTOGRAM_BUCKETS = 24
TIME_EXCEEDED = 11
START_SPREAD_NS = 500_000_000
"""All sessions are opened within this time, evenly: a bounded rate."""


@dataclass
class FreshSyns:
    """The new-connection clock: every SYN is a measurement of its own, never sent again."""

    tracker: Tracker
    ports: range
    due_ns: int
    attempt: int = 0
    sent: int = 0
    answered: int = 0
    pending: dict[int, tuple[int, int]] = field(default_factory=dict)  # port -> (attempt, ISN)
    order: deque[int] = field(default_factory=deque)


class RawEngine:
    """Holds `vantage.sessions` sessions to the inventory's VIP by raw packets. Needs CAP_NET_RAW and CAP_NET_ADMIN."""

    name = "raw"

    def __init__(self, inventory: Inventory, vantage: Vantage, run: str, now_ns: int) -> None:
        vip = inventory.vip
        self._vantage = vantage.name
        self._inventory = inventory
        self._block = PortBlock()
        self._sockets = PacketSockets(vip.address, vip.port, self._block.ports)
        source = source_address(vip.address)
        self._rule = NoResetRule(vip.address, vip.port, self._block.ports)
        self.stale_rules = self._rule.install(run)
        self._syn = Template(source, vip.address, vip.port, syn=True)
        self._other = Template(source, vip.address, vip.port, syn=False)
        self._period_ns = round(vantage.period_s * 1e9)
        self._free = deque(self._block.ports[:-SYN_PORTS])
        # A far end may still hold connections of a probe that was killed: begin somewhere else.
        self._free.rotate(random.getrandbits(10))
        self._by_port: dict[int, Slot] = {}
        self._slots = [
            Slot(
                number,
                vantage.name,
                inventory,
                self._period_ns,
                str(source),
                self._transmit,
                self._take_port,
                self._may_trace,
            )
            for number in range(vantage.sessions)
        ]
        for slot in self._slots:
            turn_ns = slot.number * self._period_ns // len(self._slots)
            start_ns = slot.number * START_SPREAD_NS // len(self._slots)
            slot.due_ns = now_ns + turn_ns + start_ns // self._period_ns * self._period_ns
        tracker = Tracker(vantage.name, -1, Clock.NEW_CONNECTIONS, SYN_PERIOD_NS)
        self._fresh = FreshSyns(tracker, self._block.ports[-SYN_PORTS:], now_ns)
        self._summary_ns = now_ns + SUMMARY_NS
        self._check_ns = now_ns
        self._trace_allowed = True
        self._fresh_source = source

    def _transmit(self, port: int, segment: Segment, ttl: int, ip_id: int) -> None:
        template = self._syn if segment.flags & Flag.SYN else self._other
        self._sockets.send(template.packet(port, segment, ttl or DEFAULT_TTL, ip_id))

    def _take_port(self) -> int:
        """Give the port that was out of use for the longest time."""
        port = self._free.popleft()
        self._free.append(port)
        while port in self._by_port and self._by_port[port].port == port and self._by_port[port].alive:
            port = self._free.popleft()
            self._free.append(port)
        return port

    def _may_trace(self) -> bool:
        """Let one trace begin a tick."""
        allowed, self._trace_allowed = self._trace_allowed, False
        return allowed

    def tick(self, now_ns: int) -> list[Record]:
        """See `Engine.tick`."""
        records: list[Record] = []
        self._trace_allowed = True
        for r_ns, packet in self._sockets.drain():
            found = parse(packet)
            if isinstance(found, Arrived):
                records += self._arrived(found, r_ns)
            elif isinstance(found, IcmpError):
                records += self._icmp(found, r_ns)
        for slot in self._slots:
            late_ns = now_ns - slot.due_ns
            if late_ns >= 0:
                if late_ns > self._period_ns:
                    missed = late_ns // self._period_ns
                    slot.skip(missed, late_ns)
                    slot.due_ns += missed * self._period_ns
                    late_ns = now_ns - slot.due_ns
                records += slot.due(now_ns, late_ns)
                self._by_port[slot.port] = slot
                slot.due_ns += self._period_ns
        self._send_fresh(now_ns)
        if now_ns >= self._check_ns:
            self._check_ns = now_ns + CHECK_NS
            trackers = [*(slot.tracker for slot in self._slots), self._fresh.tracker]
            records += [began for tracker in trackers if (began := tracker.check(now_ns))]
        if now_ns >= self._summary_ns:
            self._summary_ns = max(self._summary_ns + SUMMARY_NS, now_ns)
            records += self._summaries(now_ns)
        return records

    def _arrived(self, arrived: Arrived, r_ns: int) -> list[Record]:
        if arrived.port in self._fresh.ports:
            return self._fresh_answered(arrived, r_ns)
        slot = self._by_port.get(arrived.port)
        return slot.arrived(arrived.segment, r_ns) if slot is not None and slot.port == arrived.port else []

    def _icmp(self, error: IcmpError, r_ns: int) -> list[Record]:
        slot = self._by_port.get(error.port)
        if slot is None or slot.port != error.port:
            return []
        if error.type == TIME_EXCEEDED:
            return slot.icmp(error.router, error.ip_id, r_ns)
        return slot.unreachable(f"ICMP type {error.type} code {error.code} from {error.router}", r_ns)

    def _send_fresh(self, now_ns: int) -> None:
        fresh = self._fresh
        late_ns = now_ns - fresh.due_ns
        if late_ns < 0:
            return
        if late_ns > SYN_PERIOD_NS:
            missed = late_ns // SYN_PERIOD_NS
            fresh.tracker.skipped(missed, late_ns)
            fresh.due_ns += missed * SYN_PERIOD_NS
            late_ns = now_ns - fresh.due_ns
        fresh.due_ns += SYN_PERIOD_NS
        fresh.attempt += 1
        fresh.sent += 1
        port = fresh.ports[fresh.attempt % len(fresh.ports)]
        isn = random.getrandbits(32)
        fresh.pending[port] = (fresh.attempt, isn)
        fresh.order.append(port)
        if len(fresh.order) > SYN_KEPT:
            fresh.pending.pop(fresh.order.popleft(), None)
        fresh.tracker.sent(fresh.attempt, now_ns, late_ns)
        self._transmit(port, Segment(isn, 0, Flag.SYN, 65_535, b"", fresh.attempt, 0), 0, 0)

    def _fresh_answered(self, arrived: Arrived, r_ns: int) -> list[Record]:
        """A SYN-ACK answers; a reset does not. The far end is told at once to forget the connection."""
        attempt, isn = self._fresh.pending.get(arrived.port, (0, 0))
        segment = arrived.segment
        if not attempt or segment.flags & (Flag.SYN | Flag.ACK | Flag.RST) != Flag.SYN | Flag.ACK:
            return []
        if segment.ack != (isn + 1) & 0xFFFFFFFF:
            return []
        del self._fresh.pending[arrived.port]
        reset = Segment(
            segment.ack, (segment.seq + 1) & 0xFFFFFFFF, Flag.RST | Flag.ACK, 0, b"", attempt, segment.tsval
        )
        self._transmit(arrived.port, reset, 0, 0)
        self._fresh.answered += 1
        return list(self._fresh.tracker.answered(attempt, r_ns))

    def _summaries(self, now_ns: int) -> list[Record]:
        groups: dict[tuple[str, str, str], list[Slot]] = {}
        for slot in self._slots:
            answer: Answer = slot.answer
            key = (answer.site, answer.node, answer.nat_pool) if slot.alive else ("", "", "")
            groups.setdefault(key, []).append(slot)
        records: list[Record] = []
        for key, slots in groups.items():
            syns = (self._fresh.sent, self._fresh.answered) if not records else (0, 0)
            records.append(_summary(now_ns, self._vantage, key, slots, syns))
        for slot in self._slots:
            slot.counts = Counts()
        self._fresh.sent = self._fresh.answered = 0
        dropped = self._sockets.dropped()
        if dropped:
            records.append(Note(now_ns, self._vantage, f"{dropped} packets lost on receive: the buffer was full"))
        if self._sockets.send_errors:
            errors, self._sockets.send_errors = self._sockets.send_errors, 0
            records.append(Note(now_ns, self._vantage, f"{errors} packets refused by the kernel on send"))
        return records

    def close(self, now_ns: int) -> None:
        """See `Engine.close`."""
        del now_ns
        for slot in self._slots:
            slot.close()
        self._sockets.close()
        self._rule.remove()
        self._block.release()

    @property
    def source(self) -> IPv4Address:
        """The address that the sessions come from."""
        return self._fresh_source


def _summary(
    now_ns: int, vantage: str, answer: tuple[str, str, str], slots: list[Slot], syns: tuple[int, int]
) -> Summary:
    site, node, nat_pool = answer
    rtts = sorted(rtt for slot in slots for rtt in slot.counts.rtts_ns)
    histogram = [0] * HISTOGRAM_BUCKETS
    for rtt_ns in rtts:
        histogram[min((max(rtt_ns, 0) // 1_000).bit_length(), HISTOGRAM_BUCKETS - 1)] += 1
    return Summary(
        t_ns=now_ns,
        vantage=vantage,
        site=site,
        node=node,
        nat_pool=nat_pool,
        alive=sum(slot.alive for slot in slots),
        sent=sum(slot.counts.sent for slot in slots),
        answered=sum(slot.counts.answered for slot in slots),
        skipped=sum(slot.counts.skipped for slot in slots),
        late_ns=max(slot.counts.late_ns for slot in slots),
        rtt_p50_ns=rtts[len(rtts) // 2] if rtts else 0,
        rtt_p99_ns=rtts[len(rtts) * 99 // 100] if rtts else 0,
        rtt_histogram=tuple(histogram),
        syn_sent=syns[0],
        syn_answered=syns[1],
    )
