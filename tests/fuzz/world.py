"""The receive side with its sessions, without a socket: slots that open, beat, ask and trace on a clock of its own."""

from __future__ import annotations

import random
from collections import deque
from ipaddress import IPv4Address, IPv6Address

import numpy as np
from numpy.typing import NDArray

from core.inventory import Address
from core.loader import parse_inventory
from core.records import Record
from core.tcp.segments import Segment
from core.tcp.states import State
from probe.ring.answers import Answers
from probe.ring.fresh import FreshSyns
from probe.ring.gaps import Gaps
from probe.ring.held import Held, Layout
from probe.ring.intake import Intake, Served
from probe.ring.parse import Answers as Answered
from probe.ring.parse import Parser
from probe.ring.recorder import Recorder
from probe.ring.rings import RX_FRAME, RX_NETWORK, Batch
from probe.ring.surroundings import Surroundings
from probe.ring.tally import Tally
from probe.ring.traces import Traces
from probe.ring.turns import Turns
from probe.ring.visits import FIRST_ASKED, Visits
from probe.wire import HEADER, Template
from tests.fuzz import model
from tests.fuzz.model import Numbers

PERIOD_NS = 10_000_000
PORT = 7000
FIRST = 20_000
FRESH = 1_000
VIPS: dict[int, Address] = {4: IPv4Address("203.0.113.10"), 6: IPv6Address("2001:db8:ff::10")}
SOURCES: dict[int, tuple[Address, ...]] = {
    4: tuple(IPv4Address(f"10.77.1.{last}") for last in (2, 3, 9)),
    6: tuple(IPv6Address(f"2001:db8:1::{last}") for last in (2, 3, 9)),
}
INVENTORY = """
vip: {{name: vip, address: '{vip}', port: 7000}}
sites:
  here:
    nat_pool: {{name: N1, network: '{pool}'}}
    nodes: {{node: {{host: box, addresses: ['{node}']}}}}
vantages: {{v1: {{host: box, sessions: 1, period_s: 0.01}}}}
hosts: {{box: {{transport: local}}}}
"""
POOLS = {4: ("10.77.1.0/28", "10.77.1.1"), 6: ("2001:db8:1::/64", "2001:db8:1::1")}
NO_STAMP = -1


class World:
    """`count` slots of IP `version` with `sources` addresses."""

    def __init__(self, version: int, sources: int, count: int) -> None:
        self.version, self.count = version, count
        self.vip, self.sources = VIPS[version], SOURCES[version][:sources]
        pool, node = POOLS[version]
        inventory = parse_inventory(INVENTORY.format(vip=self.vip, pool=pool, node=node), "fuzz")
        self.now_ns = 1_000_000_000
        self.held = Held(count, sources, Layout(HEADER[version]))
        self.parser = Parser(self.held, self.sources, RX_NETWORK, RX_FRAME)
        self.turns = Turns(self.now_ns, PERIOD_NS, count)
        self.turns.take(self.now_ns)  # the very first turn: a whole round at every later one
        self.turns.sent(self.now_ns)
        self.gaps = Gaps("v1", self.turns)
        self.records: list[Record] = []
        answers = self._answers = Answers(inventory, "v1", self.held)
        self.traces = Traces(inventory, "v1", self.held, answers, self._send)
        self.fresh_ports = range(FIRST + 2 * count, FIRST + 2 * count + FRESH)
        self.fresh = FreshSyns("v1", self.fresh_ports, self.now_ns, self._send_fresh)
        self._templates = [Template(one, self.vip, PORT, syn=False, stamps=True) for one in self.sources]
        self._plain = [Template(one, self.vip, PORT, syn=False, stamps=False) for one in self.sources]
        self._free = [deque(range(FIRST, FIRST + 2 * count)) for _ in self.sources]
        self.visits = Visits(
            Surroundings(
                "v1",
                inventory.vip.service,
                self.held,
                self.gaps,
                answers,
                self.traces,
                self._send,
                self._renew,
                lambda slot: str(self.sources[slot % sources]),
                self._answered_one,
                self._packet,
            ),
            self.records,
        )
        tally = Tally()
        served = Served(
            self.vip,
            PORT,
            self.held,
            self.parser,
            self.turns,
            self.gaps,
            tally,
            self.traces,
            self.fresh,
            self.visits,
            Recorder(self.held, self.turns, RX_NETWORK, RX_FRAME),
        )
        self.tally = tally
        self.visits._asked_at_once = FIRST_ASKED  # questions come by the dice of `turn`
        self.intake = Intake(served, self.records)
        self.sent = 0
        self.fresh_isn: dict[int, int] = {}

    def _send(self, slot: int, segment: Segment, ttl: int, mark: int) -> None:
        del slot, segment, ttl, mark
        self.sent += 1

    def _send_fresh(self, port: int, segment: Segment) -> None:
        self.fresh_isn[port] = segment.seq

    def _packet(self, slot: int, segment: Segment) -> bytes:
        made = self._plain if segment.tsval is None else self._templates
        return made[slot % len(self.sources)].packet(int(self.held.port[slot]), segment)

    def _renew(self, slot: int) -> None:
        source = slot % len(self.sources)
        old = int(self.held.port[slot])
        self.held.take_port(slot, source, self._free[source].popleft())
        if old:
            self._free[source].append(old)

    def _answered_one(self, slot: int, revolution: int, r_ns: int) -> None:
        self.intake.answered(Answered(np.array([slot]), np.array([revolution]), np.array([r_ns])))

    def turn(self, rng: np.random.Generator) -> None:
        """Let a period go by: what is to be opened is, every session sends, some are asked and traced."""
        self.now_ns += PERIOD_NS
        self.records.clear()
        self.tally.summaries(self.now_ns, "v1", self._answers.known, np.zeros(0, np.int64))
        for slot in self.visits.to_open(np.flatnonzero(self.held.closed), self.now_ns).tolist():
            if rng.random() >= 0.1:  # some stay closed for a while
                self.visits.admit(slot, self.now_ns)
        waiting_still = {slot for slot, visit in self.visits.open.items() if rng.random() < 0.05 and not visit.dialogue}
        skipped, due = self.turns.take(self.now_ns)
        assert not skipped
        self.turns.sent(self.now_ns)
        asked = rng.random(self.count) < 0.03
        for piece in due:
            for slot in range(piece.low, piece.high):
                self._turn_of(slot, piece.revolution, asked=bool(asked[slot]), waits=slot in waiting_still)
        self.fresh.step(self.now_ns)
        self.traces.step(self.now_ns)
        self.records.clear()

    def _turn_of(self, slot: int, revolution: int, *, asked: bool, waits: bool) -> None:
        held, visits = self.held, self.visits
        if held.parked[slot]:
            sends = not held.closed[slot] and not waits and visits.turn(slot, revolution, self.now_ns)
        else:
            sends = not asked or visits.ask(slot, revolution, self.now_ns)
            if asked and random.random() < 0.5:
                self.traces.begin(slot, int(self.gaps.answered_revolution[slot]), self.now_ns)
        if sends:
            self.gaps.sent(np.array([slot]), revolution, self.now_ns, np.zeros(1, np.int64))
        else:
            self.gaps.unsent(np.array([slot]), revolution)

    def numbers(self) -> NDArray[np.int64]:
        """Return a row for every slot: state, una, nxt, rcv, ts (-1: without timestamps), as `model.Numbers`."""
        held = self.held
        stamps = np.where(held.stamped, held.ts_recent.astype(np.int64), NO_STAMP)
        una, rcv = held.snd_una.astype(np.int64), held.rcv_nxt.astype(np.int64)
        found = np.stack([np.full(self.count, model.OPEN), una, una, rcv, stamps], axis=1)
        found[held.closed] = 0
        for slot, visit in self.visits.open.items():
            session = visit.session
            if session.state is State.CLOSED:
                found[slot] = (model.WAITING, 0, 0, 0, 0)
            elif session.state is State.SYN_SENT:
                found[slot] = (model.SYN_SENT, session.snd_una, session.snd_nxt, 0, 0)
            else:
                assert session.state is State.ESTABLISHED, session.state
                assert held.live[slot]
                assert (session.snd_una, session.rcv_nxt) == (int(held.snd_una[slot]), int(held.rcv_nxt[slot]))
                assert session.timestamps == bool(held.stamped[slot])
                found[slot, 2] = session.snd_nxt
        return found

    def receive(self, batch: Batch, copies: list[bytes]) -> None:
        """Give a batch to the receive side and let it finish."""
        left = deque(copies)
        self.intake.received(batch, lambda: left.popleft() if left else b"")
        while self.intake.waiting:
            self.intake.handle_unusual(1_000_000_000)


def as_numbers(row: NDArray[np.int64]) -> Numbers:
    """Return a row of `World.numbers` as a value."""
    state, una, nxt, rcv, ts = row.tolist()
    if state in (model.ABSENT, model.WAITING):
        return Numbers(state)
    if state == model.SYN_SENT:
        return Numbers(state, una, nxt)
    return Numbers(state, una, nxt, rcv, None if ts == NO_STAMP else ts)
