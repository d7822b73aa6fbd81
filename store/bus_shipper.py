"""Ships an agent's journals to the bus, behind a durable cursor; loses nothing, and stops no probe when it is away.

One message a parcel: 60 kB, or what came within 250 ms. The cursor moves after the acknowledgement. A message that may
or may not have come is sent again, and told apart by its rows.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from core.bus import CLOCK_SUBJECT, BusAwayError, records_subject
from core.clock_offset import ClockFilter, Exchange
from core.errors import VipchaosError
from store.bus import Bus
from store.parcel import pack
from store.ship_ledger import ShipLedger
from store.shipper import Clocks, waits_s
from store.spool import Measured, Spool

EVERY_S = 0.25
SETTLE_EVERY = 16
THIN_EVERY_S = 5.0
STAND_EVERY_S = 1.0
CLOCK_WITHIN_S = 1.0


class ClockReply(msgspec.Struct, frozen=True, array_like=True):
    """What a controller answers to a question for its clock: whose it is, when it was asked and when it answered."""

    clock: str
    t2_ns: int
    t3_ns: int


@dataclass
class AgentClock:
    """Asks the controller for its clock, once a second while the bus is there; `measured` is what is known now."""

    bus: Bus
    every_s: float = 1.0
    _filter: ClockFilter = field(default_factory=ClockFilter)
    _asked_s: float = float("-inf")

    def ask(self) -> None:
        """Ask, when it is time to. That nobody answers is no error: there may be no controller."""
        now_s = time.monotonic()
        if now_s - self._asked_s < self.every_s or not self.bus.connected:
            return
        self._asked_s = now_s
        try:
            t1_ns = time.monotonic_ns()
            reply = self.bus.request(CLOCK_SUBJECT, b"", CLOCK_WITHIN_S)
            t4_ns = time.monotonic_ns()
            answer = msgspec.msgpack.decode(reply, type=ClockReply)
        except (BusAwayError, msgspec.DecodeError):
            return
        self._filter.take(answer.clock, Exchange(t1_ns, answer.t2_ns, answer.t3_ns, t4_ns))

    def measured(self) -> Measured:
        """Return the clocks as they are known now."""
        now_ns = time.monotonic_ns()
        wall_offset_ns = time.time_ns() - now_ns
        found = self._filter.best(now_ns)
        if found is None:
            return Measured(wall_offset_ns)
        return Measured(wall_offset_ns, self._filter.clock, found.offset_ns, found.bound_ns)


@dataclass
class BusShipper:
    """Ships what `spool` gives. `told` gets a line when shipping begins to wait, and when it goes on."""

    bus: Bus
    spool: Spool
    ledger: ShipLedger
    clocks: Clocks
    told: Callable[[str], None] = lambda _: None
    accepted: int = 0
    _since: int = 0
    _thin_s: float = float("-inf")
    _stood_s: float = float("-inf")
    _waiting: str = ""

    def __post_init__(self) -> None:
        self._clock = AgentClock(self.bus)

    def run(self, once: bool = False) -> None:
        """Ship until told to stop, or with `once` until there is nothing more. Raises what ends shipping for good."""
        try:
            while not self.clocks.stop.is_set():
                sent = self._round()
                if once and not sent:
                    break
                if not sent:
                    self.clocks.sleep(EVERY_S)
        except VipchaosError as error:
            self._stand("stopped", str(error))
            raise
        finally:
            self.spool.settle()
        self._stand("ended", "")

    def _round(self) -> int:
        """Ship all that is new; return how many parcels that were."""
        self._clock.ask()
        self._keep_small()
        count = 0
        for name, parcel in self.spool.parcels(self._clock.measured):
            if not self._publish(parcel.message_id, pack(parcel)):
                return count
            self.spool.sent(name, parcel)
            self.accepted += len(parcel.rows)
            count += 1
            if count % SETTLE_EVERY == 0:
                self.spool.settle()
                self._clock.ask()
        self.spool.settle()
        self._stand("waiting" if self._waiting else "running", self._waiting)
        return count

    def _publish(self, message_id: str, data: bytes) -> bool:
        """Send until the bus has it; False when told to stop meanwhile."""
        attempt = 0
        while not self.clocks.stop.is_set():
            try:
                self.bus.publish(records_subject(self.spool.agent), data, message_id)
            except BusAwayError as error:
                self._wait(str(error), attempt)
                attempt += 1
                continue
            if self._waiting:
                self._waiting = ""
                self.told("shipping goes on")
            return True
        return False

    def _wait(self, why: str, attempt: int) -> None:
        if not self._waiting:
            self._waiting = why
            self.told(f"shipping waits, {why}; the journals keep everything")
        self._stand("waiting", why)
        self._keep_small()
        until_s = self.clocks.now_s() + waits_s(attempt, 0.0, self.clocks.chance())
        was_there = self.bus.connected
        while self.clocks.now_s() < until_s and not self.clocks.stop.is_set():
            if self.bus.connected and not was_there:
                return  # it is back
            self.clocks.sleep(EVERY_S)

    def _keep_small(self) -> None:
        if self.clocks.now_s() - self._thin_s < THIN_EVERY_S:
            return
        self._thin_s = self.clocks.now_s()
        gone = self.spool.thin(self.clocks.wall_ns())
        if gone:
            self.told(f"{gone} summaries are given up for room; changes are all kept")

    def _stand(self, state: str, words: str) -> None:
        now_s = self.clocks.now_s()
        if now_s - self._stood_s < STAND_EVERY_S and state in ("running", "waiting"):
            return
        rate = (self.accepted - self._since) / (now_s - self._stood_s) if self._stood_s > 0 else 0.0
        self._since, self._stood_s = self.accepted, now_s
        self.ledger.stand(state, words, self.clocks.wall_ns(), self.accepted, rate)
