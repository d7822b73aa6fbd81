"""The ring engine: on every tick receives, answers, sends what is due, and tells what happened."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

import numpy as np

from core.errors import PrivilegeError
from core.inventory import Address, Inventory, Mode, Vantage
from core.records import Drop, Note, ProbeHealth, Record
from core.tcp.segments import Segment
from probe.evidence import Beat, Burst
from probe.filters import Filter
from probe.next_hop import NextHop, NextHopWatch
from probe.ring.answers import Answers
from probe.ring.beats import Beats
from probe.ring.cases import Cases
from probe.ring.fresh import PERIOD_NS as SYN_PERIOD_NS
from probe.ring.fresh import PORTS as SYN_PORTS
from probe.ring.fresh import FreshSyns
from probe.ring.gaps import Gaps
from probe.ring.held import Held, Layout
from probe.ring.intake import Intake, Served
from probe.ring.parse import Answers as Answered
from probe.ring.parse import Parser
from probe.ring.ports import FreePorts
from probe.ring.recorder import Recorder
from probe.ring.rings import RX_FRAME, RX_NETWORK, RxRing, TxRing
from probe.ring.surroundings import Surroundings
from probe.ring.tally import Tally
from probe.ring.traces import Traces
from probe.ring.turns import Turns, ticks
from probe.ring.visits import Visits
from probe.rule import NoResetRule, PortBlock
from probe.sockets import RawSender, source_address
from probe.wire import DEFAULT_TTL, HEADER, Templates

SUMMARY_NS = 1_000_000_000
CHECK_NS = 50_000_000
DEAD_NS = 10_000_000_000
DEATHS_A_CHECK = 100
WAITING = 50
"""While more packets wait for the slow path no session is opened: their answers would only wait too."""
RECORDS_A_TICK = 20


class RingEngine:
    """Holds `vantage.sessions` sessions to the inventory's VIP. Needs CAP_NET_RAW, and CAP_NET_ADMIN to begin.

    `evidence` is given the packets around outages and drops, to be written by somebody who has the time.
    Raises PrivilegeError, CallError when source ports are short, OSError without a route.
    """

    name = "ring"
    syn_period_ns = SYN_PERIOD_NS

    def __init__(
        self, inventory: Inventory, vantage: Vantage, run: str, now_ns: int, evidence: Callable[[Burst], None]
    ) -> None:
        vip, count = inventory.vip, vantage.sessions
        self._vantage = vantage.name
        self.period_ns = round(vantage.period_s * 1e9)
        ticks_a_period = ticks(count, self.period_ns)
        self.tick_ns = self.period_ns // ticks_a_period
        self._sources: tuple[Address, ...] = vantage.sources or (source_address(vip.address),)
        self._open_sockets(vip.address, vip.port, run, count)
        now_ns = time.monotonic_ns()
        self._templates = [Templates(source, vip.address, vip.port) for source in self._sources]
        layout = Layout(HEADER[vip.address.version])
        self._held = Held(count, len(self._sources), layout)
        self._turns = Turns(now_ns, self.period_ns, count, ticks_a_period)
        # Just after a share has become the nearest: a tick is never early, and may be late by almost a whole one.
        self.first_tick_ns = now_ns + self.tick_ns // 2 + self.tick_ns // 16
        self._recorder = Recorder(self._held, self._turns, RX_NETWORK, RX_FRAME)
        self._gaps = Gaps(vantage.name, self._turns)
        self._tally = Tally()
        self._records: list[Record] = []
        self._answers = Answers(inventory, vantage.name, self._held)
        self._traces = Traces(inventory, vantage.name, self._held, self._answers, self._transmit)
        self._fresh = FreshSyns(vantage.name, self._ports[-SYN_PORTS:], now_ns, self._transmit_fresh)
        self._visits = Visits(self._surroundings(inventory), self._records)
        self._intake = Intake(self._served(vip.address, vip.port), self._records)
        parts = (self._held, self._turns, self._gaps, self._tally, self._tx, self._visits, self._traces)
        self._beats = Beats(*parts, self._recorder, self.tick_ns)
        name = self._answers.session_name
        self._cases = Cases(self._recorder, count, self.period_ns, name, self._heartbeat, evidence)
        self._beats.asks = inventory.vip.service.mode in (Mode.LINE, Mode.HTTP)
        self._check_ns = now_ns
        self._summary_ns = now_ns + SUMMARY_NS
        self._cpu_ns = time.process_time_ns()
        self._lost_way = ""

    def _open_sockets(self, vip: Address, port: int, run: str, count: int) -> None:
        share = -(-count // len(self._sources))
        self._block = PortBlock(share + max(share // 20, 500) + SYN_PORTS)
        self._ports = self._block.ports
        held = self._ports[:-SYN_PORTS]
        self._free = [FreePorts(held) for _ in self._sources]
        rate = count * 1_000_000_000 // self.period_ns
        with contextlib.ExitStack() as opened:  # what is refused on the way leaves nothing open
            opened.callback(self._block.release)
            self._rx = RxRing(Filter(vip, port, self._ports), _frames(rate))
            opened.callback(self._rx.close)
            self._tx = TxRing(Layout(HEADER[vip.version]), _frames(rate // 16))
            opened.callback(self._tx.close)
            self._sender = RawSender(vip)
            opened.callback(self._sender.close)
            self._watch = NextHopWatch(vip, self._sources)
            self._hop: NextHop | None = None
            self._watch.settle()
            self._watch.start()
            opened.callback(self._watch.stop)
            self._rule = NoResetRule(vip, port, self._ports, run)
            opened.pop_all()

    def _surroundings(self, inventory: Inventory) -> Surroundings:
        return Surroundings(
            self._vantage,
            inventory.vip.service,
            self._held,
            self._gaps,
            self._answers,
            self._traces,
            self._transmit,
            self._renew,
            lambda slot: str(self._sources[slot % len(self._sources)]),
            self._answered_one,
            self._packet,
        )

    def _served(self, vip: Address, port: int) -> Served:
        parser = Parser(self._held, self._sources, RX_NETWORK, RX_FRAME)
        return Served(
            vip,
            port,
            self._held,
            parser,
            self._turns,
            self._gaps,
            self._tally,
            self._traces,
            self._fresh,
            self._visits,
            self._recorder,
        )

    # --- the slow path's ways out -----------------------------------------------------------------------------

    def _packet(self, slot: int, segment: Segment, ttl: int = DEFAULT_TTL, mark: int = 0) -> bytes:
        templates = self._templates[slot % len(self._sources)]
        return templates.packet(int(self._held.port[slot]), segment, ttl, mark)

    def _heartbeat(self, beat: Beat) -> bytes:
        return self._templates[beat.slot % len(self._sources)].packet(beat.port, beat.segment)

    def _transmit(self, slot: int, segment: Segment, ttl: int, mark: int) -> None:
        packet = self._packet(slot, segment, ttl or DEFAULT_TTL, mark)
        self._recorder.unusual(slot, time.monotonic_ns(), packet, out=True)
        self._sender.send(packet)

    def _transmit_fresh(self, port: int, segment: Segment) -> None:
        self._sender.send(self._templates[0].packet(port, segment))

    def _renew(self, slot: int) -> None:
        """Give a slot the port that was out of use for the longest time."""
        source = slot % len(self._sources)
        self._held.take_port(slot, source, self._free[source].take(int(self._held.port[slot])))

    def _answered_one(self, slot: int, revolution: int, r_ns: int) -> None:
        self._intake.answered(Answered(np.array([slot]), np.array([revolution]), np.array([r_ns])))

    # --- a tick -----------------------------------------------------------------------------------------------

    def tick(self, now_ns: int) -> list[Record]:
        """See `Engine.tick`."""
        self._held.at_work(now_ns)
        for batch in self._rx.drain():
            self._intake.received(batch, self._rx.whole)
        self._intake.handle_unusual(self.tick_ns // 2)
        self._beats.calm = self._intake.waiting <= WAITING
        self._follow(now_ns)
        self._beats.step(time.monotonic_ns())
        self._fresh.step(now_ns)
        for slot, ended in self._gaps.ended(RECORDS_A_TICK):
            self._records += ended
            # Who answers may be somebody else now: ask and trace at the next turn.
            self._held.asked_ns[slot] = self._held.traced_ns[slot] = 0
        self._records += self._traces.step(now_ns)
        if any(isinstance(record, Drop) for record in self._records):
            self._guarded(now_ns)
        if now_ns >= self._check_ns:
            self._check_ns = now_ns + CHECK_NS
            self._guarded(now_ns)
            self._check(now_ns)
        if now_ns >= self._summary_ns:
            self._summary_ns = max(self._summary_ns + SUMMARY_NS, now_ns)
            self._summarise(now_ns)
        records = self._records[:]
        self._records.clear()
        self._cases.see(records)
        return records

    def _follow(self, now_ns: int) -> None:
        """Take over a changed next hop, and say when there is none."""
        hop = self._watch.now
        if hop is self._hop:
            return
        before, self._hop = self._hop, hop
        self._beats.way = bool(hop.ethernet)
        if hop.ethernet:
            self._held.ethernet(hop.ethernet)
            self._tx.use(hop.interface)
        if hop.why != self._lost_way:
            self._records.append(Note(now_ns, self._vantage, hop.why or f"the VIP is reached by {hop.interface} again"))
            self._lost_way = hop.why
        elif before is not None and hop.ethernet != before.ethernet:
            self._records.append(Note(now_ns, self._vantage, f"next hop changed: {hop.interface} {_mac(hop.ethernet)}"))

    # --- now and then -----------------------------------------------------------------------------------------

    def _guarded(self, now_ns: int) -> None:
        """End with PrivilegeError when the rule is gone: this host's own resets are then no drops of the network's."""
        if not self._rule.gone:
            return
        own = [record for record in self._records if isinstance(record, Drop)]
        self._records = [record for record in self._records if not isinstance(record, Drop)]
        why = "nft, which held the rule that keeps this host from resetting the sessions, has ended"
        self._records.append(
            Note(now_ns, self._vantage, f"{why}; {len(own)} drops were its own resets and are not told")
        )
        raise PrivilegeError(f"{why}: start again")

    def _check(self, now_ns: int) -> None:
        self._visits.check(now_ns)
        if not self._intake.waiting:  # else answers may be waiting
            began_here = self._gaps.check(now_ns)
            self._held.traced_ns[[record.slot for record in began_here]] = 0
            self._records += began_here
        self._cases.step(now_ns, self._gaps.pending.waiting + self._intake.waiting)
        began = self._fresh.check(now_ns)
        if began:
            self._records.append(began)
        held = self._held
        heard_ns = np.maximum(np.maximum(self._gaps.received_ns, held.opened_ns), held.awake_ns)
        for slot in np.flatnonzero(~held.parked & (now_ns - heard_ns >= DEAD_NS))[:DEATHS_A_CHECK].tolist():
            self._visits.dead(slot, now_ns)

    def _summarise(self, now_ns: int) -> None:
        late = self._tally.lateness()
        skipped = self._tally.skipped
        held = self._held
        alive = np.bincount(held.answer[held.opened_ns > 0], minlength=len(self._answers.known))
        self._tally.syn_sent, self._fresh.sent = self._fresh.sent, 0
        self._tally.syn_answered, self._fresh.answered = self._fresh.answered, 0
        self._tally.syn_refused, self._fresh.refused = self._fresh.refused, 0
        self._records += self._tally.summaries(now_ns, self._vantage, self._answers.known, alive)
        self._records += self._traces.seen(now_ns)
        cpu_ns, self._cpu_ns = self._cpu_ns, time.process_time_ns()
        ignored, self._visits.ignored = self._visits.ignored, type(self._visits.ignored)()
        lost, overtaken = self._gaps.losses, self._gaps.late
        self._gaps.losses = self._gaps.late = 0
        pending = self._gaps.pending
        untold, untold_own = pending.untold, pending.untold_own
        pending.untold = pending.untold_own = 0
        refused = self._tx.refused + self._sender.refused
        self._tx.refused = self._sender.refused = 0
        self._records.append(
            ProbeHealth(
                now_ns,
                self._vantage,
                self.tick_ns,
                *late,
                skipped,
                self._rx.dropped(),
                refused,
                self._intake.waiting + self._gaps.pending.waiting,
                len(self._visits.open),
                self._cpu_ns - cpu_ns,
                tuple(sorted(ignored.items())),
                lost,
                overtaken,
                untold,
                untold_own,
            )
        )

    def close(self, now_ns: int) -> list[Record]:
        """See `Engine.close`: outages that have ended are told, however many."""
        del now_ns
        self._records += [record for _, ended in self._gaps.ended(self._gaps.pending.waiting) for record in ended]
        self._cases.close()
        self._visits.close()
        self._watch.stop()
        for edge in (self._tx, self._rx, self._sender):
            edge.close()
        self._rule.remove()
        self._block.release()
        return self._records


def _frames(rate: int) -> int:
    """Return how many frames hold a second of `rate` packets: a power of two."""
    return 1 << max(12, min(18, (rate - 1).bit_length()))


def _mac(ethernet: bytes) -> str:
    return ethernet[:6].hex(":")
