"""Answers out of a batch of ring frames, all at once: which are steady, and what they echo. Pure; arrays in and out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.inventory import Address
from probe.ring.held import Held

STAMPS = 0x0101080A  # NOP NOP timestamps of ten bytes
ACK = 0x10
BARE = 0x80 << 8 | ACK  # a header of 32 bytes, nothing but an ACK
NOTED_MASK = 0xFF07 | ACK  # with or without a push; no FIN, SYN or RST
WINDOW = 65_535
TCP = 6
Column = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers of live sessions, in order: their slots, the attempts they echo, their instants."""

    slots: Column
    revolutions: Column
    r_ns: Column

    def part(self, which: NDArray[np.bool_]) -> Answers:
        """Return those that `which` marks."""
        return Answers(self.slots[which], self.revolutions[which], self.r_ns[which])


@dataclass(frozen=True, slots=True)
class Split:
    """What is in a batch: the `answers`; `slots` whose newest stamp is now `stamps`; rows that are for the slow path.

    Steady are `rows`, which are of `slots`.
    `others` are the numbers of those rows, `other_slots` their slots (-1: of none), `other_lengths` how many bytes of
    the packet are in the row, `noted` which are answers too.
    """

    answers: Answers
    rows: slice | NDArray[np.bool_]
    slots: Column
    stamps: NDArray[np.uint32]
    others: Column
    other_slots: Column
    other_lengths: Column
    noted: NDArray[np.bool_]


class Parser:
    """Reads frames of `width` bytes, as TPACKET_V2 has them, whose network header is at `network`.

    `sources` are the probe's own addresses.
    """

    def __init__(self, held: Held, sources: tuple[Address, ...], network: int, width: int) -> None:
        self._held = held
        self._network = network
        self._version = sources[0].version
        tcp = network + held.layout.ip_header
        # One word tells most of the shape: version and header length, protocol, TCP's header length and flags.
        length, protocol, destination = (2, 9, 16) if self._version == 4 else (4, 6, 36)
        self._row = np.dtype(
            {
                "names": [
                    *("came", "kept", "net", "first", "length", "fragment", "protocol", "to_head", "to", "to_words"),
                    *("port", "seq", "ack", "shape", "option", "tsval", "tsecr"),
                ],
                "formats": [
                    *("u4", "u4", "u2", "u1", ">u2", ">u2", "u1", "V12", ">u4", "(4,)>u4"),
                    *(">u2", ">u4", ">u4", ">u2", ">u4", ">u4", ">u4"),
                ],
                "offsets": [
                    *(4, 8, 14, network, network + length, network + 6, network + protocol),
                    *(network + destination - 12, network + destination, network + destination - 12),
                    *(tcp + 2, tcp + 4, tcp + 8, tcp + 12, tcp + 20, tcp + 24, tcp + 28),
                ],
                "itemsize": width,
            }
        )
        self._whole = held.layout.ip_header + 32
        self._total = held.layout.ip_header + 32 if self._version == 4 else 32
        self._number_of = {source.packed: number for number, source in enumerate(sources)}
        words = np.array([[0] * 3 + [*np.frombuffer(source.packed, ">u4")] for source in sources])[:, -4:]
        keys = np.bitwise_xor.reduce(words.astype(np.uint32), axis=1)
        self._order = np.argsort(keys)
        self._keys = keys[self._order]
        self._tails = words[self._order, 3].astype(np.uint32)
        self._heads = np.array([sources[number].packed[:-4] for number in self._order], "V12")

    def source_of(self, address: bytes) -> int:
        """Return the number of the probe's own address, -1 when it is none."""
        return self._number_of.get(address, -1)

    def split(self, rows: NDArray[np.uint8], r_ns: Column, copied: NDArray[np.bool_]) -> Split:
        """Tell the steady answers, which need no more, from what is for the slow path.

        Steady: a bare ACK with timestamps of a session that is live, that acknowledges all, carries the next number
        expected and a stamp that is not old (RFC 9293 section 3.10.7.4, RFC 7323 section 5). Other segments inside
        the windows answer an attempt as well, whatever else they are for: that is noted at once, so that answers
        are taken in order.
        """
        held = self._held
        frames = np.ascontiguousarray(rows).reshape(-1).view(self._row)
        shape = frames["shape"]
        ours = (frames["option"] == STAMPS) & (frames["protocol"] == TCP) & (frames["net"] == self._network)
        if self._version == 4:
            ours &= (frames["first"] == 0x45) & (frames["fragment"] & 0x3FFF == 0)
        else:
            ours &= frames["first"] >> 4 == 6
        at: Column | int = 0
        if len(self._keys) > 1:
            # Addresses of several networks may end alike: all of their words tell them apart.
            to = frames["to"] if self._version == 4 else np.bitwise_xor.reduce(frames["to_words"], axis=1)
            at = np.minimum(np.searchsorted(self._keys, to.astype(np.uint32)), len(self._keys) - 1)
        ours &= frames["to"] == self._tails[at]
        if self._version == 6:
            ours &= frames["to_head"] == self._heads[at]
        slots = held.slots_of(self._order[at], frames["port"].astype(np.int64)).astype(np.int64)
        ours &= (slots >= 0) & held.live[slots]
        ack, seq, stamps = frames["ack"], frames["seq"], frames["tsval"].astype(np.uint32)
        ours &= frames["kept"] >= self._whole  # beyond that a row has what an older frame left there
        steady = ours & (frames["length"] == self._total) & (shape == BARE) & ~copied
        steady &= (ack == held.snd_una[slots]) & (seq == held.rcv_nxt[slots])
        steady &= (stamps - held.ts_recent[slots]).view(np.int32) >= 0
        answers = Answers(slots, frames["tsecr"].astype(np.int64), r_ns)
        if steady.all():
            nothing = np.zeros(0, np.int64)
            return Split(answers, slice(None), slots, stamps, nothing, nothing, nothing, np.zeros(0, np.bool_))
        noted = ours & (shape & NOTED_MASK == BARE)
        for number, known in ((ack, held.snd_una), (seq, held.rcv_nxt)):
            noted &= number.astype(np.uint32) - known[slots] + np.uint32(WINDOW - 1) < 2 * WINDOW - 1
        length = frames["length"].astype(np.int64)
        noted &= held.stamped[slots] & (length >= self._total)
        noted &= length + (self._whole - self._total) <= frames["came"]
        others = np.flatnonzero(~steady)
        return Split(
            answers.part(steady | noted),
            steady,
            slots[steady],
            stamps[steady],
            others,
            slots[others],
            frames["kept"][others].astype(np.int64),
            noted[others],
        )


def rounds(answers: Answers, scratch: Column) -> list[Answers]:
    """Split answers so that no slot is twice in one part, in order. `scratch` has a place for every slot."""
    parts = []
    while len(answers.slots):
        places = np.arange(len(answers.slots))
        scratch[answers.slots[::-1]] = places[::-1]
        first = scratch[answers.slots] == places
        if first.all():
            parts.append(answers)
            break
        parts.append(answers.part(first))
        answers = answers.part(~first)
    return parts
