"""The flight recorder: the last packets of every slot, kept in arrays as they come and go, of a fixed size in bytes.

An answer is kept whole, as it was received. Of a heartbeat are kept the numbers that tell it from the others of its
session: with them it can be built again, byte for byte. What goes through the slow path, in either direction, is kept
as it is, for all slots together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.tcp.segments import Flag, Segment, add
from probe.evidence import SNAP_BYTES, Beat, Packet
from probe.ring.held import Held
from probe.ring.parse import WINDOW, Split
from probe.ring.turns import Turns

Slots = NDArray[np.int64]
ROOM_BYTES = 16_000_000
DEEPEST = 256
SHALLOWEST = 2
UNUSUAL = 16_384
TCP_HEADER = 32  # of a bare answer with timestamps


@dataclass(frozen=True, eq=False, slots=True)
class Snapshot:
    """What is kept of one slot at an instant, as arrays yet: copying them is all that a tick has the time for."""

    slot: int
    stamped: bool
    answers: NDArray[np.void]
    r_ns: Slots
    revolutions: NDArray[np.uint32]
    s_ns: Slots
    numbers: tuple[NDArray[np.uint16] | NDArray[np.uint32], ...]
    unusual: tuple[Packet, ...]

    def within(self, first_ns: int, last_ns: int) -> Iterator[Packet | Beat]:
        """See `probe.evidence.Kept`."""
        first_ns = max(1, first_ns)  # an instant below is that of no packet
        for at in np.flatnonzero((first_ns <= self.r_ns) & (self.r_ns <= last_ns)).tolist():
            yield Packet(int(self.r_ns[at]), self.answers[at].tobytes())
        yield from (packet for packet in self.unusual if first_ns <= packet.t_ns <= last_ns)
        sent = np.flatnonzero((first_ns <= self.s_ns) & (self.s_ns <= last_ns) & (self.revolutions > 0))
        columns = (column[sent].tolist() for column in (self.revolutions, self.s_ns, *self.numbers))
        for revolution, s_ns, port, seq, ack, tsecr in zip(*columns, strict=True):
            stamps = (revolution, tsecr) if self.stamped else (None, None)
            yield Beat(s_ns, self.slot, port, revolution, Segment(add(seq, -1), ack, Flag.ACK, WINDOW, b"\0", *stamps))


class Recorder:
    """Keeps the packets of `held.count` slots, the last `depth` of each direction. Frames have `width` bytes."""

    def __init__(self, held: Held, turns: Turns, network: int, width: int) -> None:
        self._held = held
        self._turns = turns
        count, size = held.count, held.layout.ip_header + TCP_HEADER
        self.depth = max(SHALLOWEST, min(DEEPEST, ROOM_BYTES // (count * (size + 8 + 18))))
        self._row = np.dtype({"names": ["packet"], "formats": [f"V{size}"], "offsets": [network], "itemsize": width})
        cells = self.depth * count
        self._answers = np.zeros(cells, f"V{size}")
        self._r_ns = np.zeros(cells, np.int64)
        self._at = np.zeros(count, np.uint8)
        self._row_of = np.zeros(count, np.uint16)
        shape = (self.depth, count)
        self._revolution = np.zeros(shape, np.uint32)
        self._seq, self._ack, self._tsecr = (np.zeros(shape, np.uint32) for _ in range(3))
        self._port = np.zeros(shape, np.uint16)
        self._slot = np.full(UNUSUAL, -1, np.int32)
        self._unusual: list[Packet | None] = [None] * UNUSUAL
        self._next = 0

    def answered(self, rows: NDArray[np.uint8], r_ns: Slots, found: Split) -> None:
        """Keep the steady answers of a batch of at most 65 536 rows, in which a slot may be several times."""
        if not len(found.slots):
            return
        packets = np.ascontiguousarray(rows).reshape(-1).view(self._row)["packet"][found.rows]
        self._keep(found.slots, packets, r_ns[found.rows])

    def _keep(self, slots: Slots, packets: NDArray[np.void], r_ns: Slots) -> None:
        numbers = np.arange(len(slots), dtype=np.uint16)
        self._row_of[slots] = numbers
        last = self._row_of[slots] == numbers
        if not last.all():
            self._keep(slots[~last], packets[~last], r_ns[~last])
            slots, packets, r_ns = slots[last], packets[last], r_ns[last]
        at = self._at[slots]
        cells = at.astype(np.int64) * self._held.count + slots
        self._answers[cells] = packets
        self._r_ns[cells] = r_ns
        self._at[slots] = np.where(at == self.depth - 1, 0, at + 1)

    def sent(self, slots: slice | Slots, revolution: int) -> None:
        """Keep what the heartbeats of `slots` in this revolution were made of."""
        held, at = self._held, revolution % self.depth
        self._revolution[at, slots] = revolution
        self._seq[at, slots] = held.snd_una[slots]
        self._ack[at, slots] = held.rcv_nxt[slots]
        self._tsecr[at, slots] = held.ts_recent[slots]
        self._port[at, slots] = held.port[slots]

    def unusual(self, slot: int, t_ns: int, packet: bytes, out: bool = False) -> None:
        """Keep a packet of the slow path."""
        self._slot[self._next] = slot
        self._unusual[self._next] = Packet(t_ns, packet[:SNAP_BYTES], out)
        self._next = (self._next + 1) % UNUSUAL

    def last(self, slot: int) -> Snapshot:
        """Return what is kept of a slot now."""
        answers = self._answers.reshape(self.depth, -1)[:, slot].copy()
        r_ns = self._r_ns.reshape(self.depth, -1)[:, slot].copy()
        revolutions = self._revolution[:, slot].copy()
        s_ns = self._turns.instants(np.full(self.depth, slot), revolutions.astype(np.int64))
        numbers = tuple(column[:, slot].copy() for column in (self._port, self._seq, self._ack, self._tsecr))
        found = [self._unusual[at] for at in np.flatnonzero(self._slot == slot).tolist()]
        unusual = tuple(packet for packet in found if packet is not None)
        return Snapshot(slot, bool(self._held.stamped[slot]), answers, r_ns, revolutions, s_ns, numbers, unusual)

    @property
    def state_bytes(self) -> int:
        """Bytes of all arrays."""
        return sum(value.nbytes for value in vars(self).values() if isinstance(value, np.ndarray))
