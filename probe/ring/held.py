"""The held sessions as arrays: numbers that change with every answer, and each one's heartbeat as a finished frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Slots = NDArray[np.int64]
ETHERNET = 14
PORTS = 1 << 16
NO_STAMPS = 0x01010101  # four NOPs in the place of a stamp, where the far end has no timestamps
AWAY_NS = 1_000_000_000
"""A probe that did nothing for so long asked nothing either: what was silent meanwhile is not dead for that."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things are in a heartbeat's frame, for IPv4 (header of 20 bytes) or IPv6 (40)."""

    ip_header: int

    @property
    def tcp(self) -> int:
        """Offset of the TCP header."""
        return ETHERNET + self.ip_header

    @property
    def length(self) -> int:
        """Bytes of the frame: headers, NOP NOP timestamps, one byte of payload."""
        return self.tcp + 33

    def fields(self, base: int, row: int) -> np.dtype[np.void]:
        """Return the type of a row of `row` bytes that has such a frame at `base`: tsval, tsecr and checksum."""
        at = base + self.tcp
        return np.dtype(
            {
                "names": ["checksum", "tsval", "tsecr"],
                "formats": [">u2", ">u4", ">u4"],
                "offsets": [at + 16, at + 24, at + 28],
                "itemsize": row,
            }
        )


class Held:
    """`count` slots: a parked one is on a visit to the slow path, a closed one has no session, a live one has.

    The numbers of a live one are good even while it is parked: a bare answer to it needs no machine.
    """

    def __init__(self, count: int, sources: int, layout: Layout) -> None:
        self.count = count
        self.layout = layout
        self.port = np.zeros(count, np.uint16)
        self.source = np.zeros(count, np.uint8)
        self.snd_una = np.zeros(count, np.uint32)
        self.rcv_nxt = np.zeros(count, np.uint32)
        self.ts_recent = np.zeros(count, np.uint32)
        self.stamped = np.ones(count, np.bool_)
        self.awake_ns = 0  # since when the probe has been at work without a long stop
        self._at_work_ns = 0
        self.live = np.zeros(count, np.bool_)
        self.parked = np.ones(count, np.bool_)
        self.closed = np.ones(count, np.bool_)
        self.answer = np.zeros(count, np.uint16)
        self.opened_ns = np.zeros(count, np.int64)
        self.restarts = np.full(count, -1, np.int32)
        self.asked_ns = np.zeros(count, np.int64)
        self.traced_ns = np.zeros(count, np.int64)
        self.all_stamped = True
        self._sums = np.zeros(count, np.uint32)
        self._frames = np.zeros((count, layout.length), np.uint8)
        self._slot_of = np.full(sources * PORTS, -1, np.int32)

    def ethernet(self, header: bytes) -> None:
        """Put the next hop's address before every frame; `header` has 14 bytes."""
        self._frames[:, :ETHERNET] = np.frombuffer(header, np.uint8)

    def take_port(self, slot: int, source: int, port: int) -> None:
        """Let what comes to `port` of source address number `source` be the slot's, and nothing else."""
        old = int(self.source[slot]) * PORTS + int(self.port[slot])
        if self._slot_of[old] == slot:
            self._slot_of[old] = -1
        self.port[slot] = port
        self.source[slot] = source
        self._slot_of[source * PORTS + port] = slot

    def slot_of(self, source: int, port: int) -> int:
        """Return the slot that has this port, or -1."""
        return int(self._slot_of[source * PORTS + port])

    def slots_of(self, source: NDArray[np.int64] | int, ports: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return `slot_of` of many."""
        return self._slot_of[source * PORTS + ports]

    def hold(self, slot: int, packet: bytes, numbers: tuple[int, int, int | None]) -> None:
        """Take in a session. `packet` is its heartbeat with stamps of zero; `numbers` snd_una, rcv_nxt, ts_recent."""
        at = self.layout.tcp - ETHERNET
        self._frames[slot, ETHERNET : ETHERNET + len(packet)] = np.frombuffer(packet, np.uint8)
        self._sums[slot] = ~int.from_bytes(packet[at + 16 : at + 18], "big") & 0xFFFF
        self.number(slot, numbers)
        self.parked[slot] = self.closed[slot] = False

    def at_work(self, now_ns: int) -> None:
        """Note that the probe is at work, at each reading of the clock by which a session may be found dead.

        It may be stopped in the middle of a tick as well as between two.
        """
        if now_ns - self._at_work_ns >= AWAY_NS:
            self.awake_ns = now_ns
        self._at_work_ns = now_ns

    def number(self, slot: int, numbers: tuple[int, int, int | None]) -> None:
        """Note the present numbers of an established session: snd_una, rcv_nxt, ts_recent (None: no timestamps)."""
        self.snd_una[slot], self.rcv_nxt[slot], ts_recent = numbers
        self.ts_recent[slot] = ts_recent or 0
        self.stamped[slot] = ts_recent is not None
        self.all_stamped = self.all_stamped and ts_recent is not None
        self.live[slot] = True

    def newest(self, slots: Slots, stamps: NDArray[np.uint32]) -> None:
        """Note the stamps of acceptable answers, none older than what is noted; a slot may be there several times."""
        self.ts_recent[slots] = stamps
        # Of several answers of one slot the last was taken, which after reordering is not the newest.
        newer = (stamps - self.ts_recent[slots]).view(np.int32) > 0
        while newer.any():
            slots, stamps = slots[newer], stamps[newer]
            self.ts_recent[slots] = stamps
            newer = (stamps - self.ts_recent[slots]).view(np.int32) > 0

    def close(self, slot: int) -> None:
        """There is no session in the slot any more."""
        self.parked[slot] = self.closed[slot] = True
        self.live[slot] = False

    def fill(self, frames: NDArray[np.uint8], fields: NDArray[np.void], slots: slice | Slots, revolution: int) -> None:
        """Write the heartbeats of `slots` into `frames` (n rows of frame bytes) and `fields`, a view of the same rows.

        The checksum is added up from the frame's own (RFC 1624): stamps of zero are in it already.
        """
        length = self.layout.length
        frames[:, :length] = self._frames[slots]
        echoed = self.ts_recent[slots]
        total = self._sums[slots] + (echoed >> 16) + (echoed & 0xFFFF) + ((revolution >> 16) + (revolution & 0xFFFF))
        if self.all_stamped:
            fields["tsval"] = revolution
            fields["tsecr"] = echoed
        else:
            stamped = self.stamped[slots]
            fields["tsval"] = np.where(stamped, revolution, NO_STAMPS)
            fields["tsecr"] = np.where(stamped, echoed, NO_STAMPS)
            total = np.where(stamped, total, self._sums[slots])
        total = (total & 0xFFFF) + (total >> 16)
        total += total >> 16
        fields["checksum"] = ~total & 0xFFFF

    @property
    def state_bytes(self) -> int:
        """Bytes of all arrays."""
        return sum(value.nbytes for value in vars(self).values() if isinstance(value, np.ndarray))
