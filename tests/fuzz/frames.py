"""Frames as a receive ring holds them, made and damaged by the batch: from answers of live sessions to plain noise."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from probe.ring.rings import RX_FRAME, RX_NETWORK
from tests.fuzz import model
from tests.fuzz.world import NO_STAMP, PORT, World

ROOM = RX_FRAME - RX_NETWORK
NOP_NOP_STAMPS = 0x0101080A
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
KINDS = (
    "answer",
    "data",
    "seq",
    "ack",
    "stamp",
    "echo",
    "syn-ack",
    "reset",
    "reset near",
    "fin",
    "flags",
    "icmp",
    "options",
    "merged",
    "fragment",
    "length",
    "fresh",
    "noise",
)
SHARES = np.array([26, 14, 10, 7, 5, 4, 3, 1.2, 4, 2, 4, 5, 4, 3, 2, 3, 0.8, 2])
NEAR = np.array([-(1 << 31), -65_536, -65_535, -65_534, -61, -2, -1, 0, 1, 2, 60, 65_533, 65_534, 65_535, 65_536])
MASK = 0xFFFFFFFF
Rows = NDArray[np.uint8]


@dataclass
class Made:
    """A batch: ring rows, and for each row the whole packet where it came by a copy (else b'')."""

    rows: Rows
    copies: list[bytes]
    kinds: NDArray[np.int64]

    def packet(self, row: int) -> bytes:
        """Return what the receive side may know of the packet in a row."""
        kept = int(self.rows[row, 8:12].view(np.uint32)[0])
        return self.copies[row] or self.rows[row, RX_NETWORK : RX_NETWORK + kept].tobytes()

    def headers(self, row: int) -> bytes:
        """Return what is in the row as a packet of its own, of one whose copy was lost; b'' for another."""
        came, kept = self.rows[row, 4:12].view(np.uint32).tolist()
        packet = bytearray(self.rows[row, RX_NETWORK : RX_NETWORK + kept].tobytes())
        version = packet[0] >> 4 if packet else 0
        if came <= kept or kept < 40 or self.copies[row] or version not in (4, 6):
            return b""
        at, length = (2, kept) if version == 4 else (4, kept - 40)
        if int.from_bytes(packet[at : at + 2], "big") - length > came - kept:
            return b""
        packet[at : at + 2] = length.to_bytes(2, "big")
        return bytes(packet)


class Maker:
    """Makes frames for the sessions of one world."""

    def __init__(self, world: World, rng: np.random.Generator) -> None:
        self._world = world
        self._rng = rng
        self._tcp = RX_NETWORK + (20 if world.version == 4 else 40)
        at = self._tcp
        self._fields = np.dtype(
            {
                "names": ["sport", "port", "seq", "ack", "off", "flags", "window", "option", "tsval", "tsecr"],
                "formats": [">u2", ">u2", ">u4", ">u4", "u1", "u1", ">u2", ">u4", ">u4", ">u4"],
                "offsets": [at, at + 2, at + 4, at + 8, at + 12, at + 13, at + 14, at + 20, at + 24, at + 28],
                "itemsize": RX_FRAME,
            }
        )

    def make(self, numbers: NDArray[np.int64]) -> Made:
        """Return a frame for every slot, in a random order; `numbers` as of `World.numbers`."""
        rng, count = self._rng, self._world.count
        slots = rng.permutation(count)
        state = numbers[slots, 0]
        kinds = rng.choice(len(KINDS), count, p=SHARES / SHARES.sum())
        opening = state == model.SYN_SENT
        kinds[opening & (rng.random(count) < 0.6)] = KINDS.index("syn-ack")
        rows = rng.integers(0, 256, (count, RX_FRAME), np.uint8)  # an older frame's bytes
        payload = np.zeros(count, np.int64)
        for name in ("data", "fin", "syn-ack"):
            some = kinds == KINDS.index(name)
            payload[some] = rng.integers(0, 61, int(some.sum()))
        self._plain(rows, slots, numbers[slots], kinds, payload)
        made = Made(rows, [b""] * count, kinds)
        for row in np.flatnonzero(np.isin(kinds, [KINDS.index(n) for n in ("icmp", "options", "merged", "fresh")])):
            self._special(made, int(row), int(slots[row]), numbers[slots[row]], KINDS[kinds[row]])
        self._damage(made)
        return made

    def _plain(
        self,
        rows: Rows,
        slots: NDArray[np.int64],
        now: NDArray[np.int64],
        kinds: NDArray[np.int64],
        size: NDArray[np.int64],
    ) -> None:
        rng, world, count = self._rng, self._world, len(slots)

        def of(*names: str) -> NDArray[np.bool_]:
            return np.isin(kinds, [KINDS.index(name) for name in names])

        def near(which: NDArray[np.bool_]) -> NDArray[np.int64]:
            wild = rng.integers(0, 1 << 32, count)
            return np.where(which, np.where(rng.random(count) < 0.85, rng.choice(NEAR, count), wild), 0)

        seq = now[:, 3] + near(of("seq") | (of("data", "fin", "flags") & (rng.random(count) < 0.3)))
        seq += np.where(of("reset near"), near(of("reset near")), 0)
        una = rng.random(count) < 0.3
        ack = np.where(una, now[:, 1], now[:, 2]) + near(of("ack"))
        stamps = np.where(now[:, 4] == NO_STAMP, 7, now[:, 4]) + rng.integers(0, 3, count)
        stamps += near(of("stamp"))
        opening = of("syn-ack") & (now[:, 0] == model.SYN_SENT)
        seq = np.where(opening, rng.choice(np.array([0, 77, MASK, MASK - 5, 1 << 31]), count), seq)
        echo = world.gaps.last_sent[slots] - rng.integers(0, 3, count) * (rng.random(count) < 0.2)
        echo = np.where(of("echo"), rng.integers(0, 1 << 32, count), echo)
        flags = np.full(count, ACK)
        flags[of("data")] |= PSH
        flags[of("syn-ack")] |= SYN
        flags[of("reset", "reset near")] = rng.choice([RST, RST | ACK], int(of("reset", "reset near").sum()))
        flags[of("fin")] |= FIN
        flags[of("flags")] = rng.integers(0, 256, int(of("flags").sum()))
        fields = rows.reshape(-1).view(self._fields)
        fields["sport"], fields["port"] = PORT, world.held.port[slots]
        fields["seq"], fields["ack"] = seq & MASK, ack & MASK
        fields["off"], fields["flags"], fields["window"] = 0x80, flags, 1_000
        fields["option"], fields["tsval"], fields["tsecr"] = NOP_NOP_STAMPS, stamps & MASK, echo & MASK
        # Some far ends have no timestamps: twelve NOPs stand there.
        bare = np.where(now[:, 4] == NO_STAMP, rng.random(count) < 0.9, opening & (rng.random(count) < 0.15))
        rows[np.flatnonzero(bare)[:, None], np.arange(self._tcp + 20, self._tcp + 32)] = 1
        self._headers(rows, slots, size)
        self._odd_headers(rows, of("fragment"), of("length"))
        noise = np.flatnonzero(of("noise"))
        begin = self._tcp + 4  # addresses and ports as they were, or the kernel's filter would leave all of it
        rows[noise, begin:] = rng.integers(0, 256, (len(noise), RX_FRAME - begin), np.uint8)

    def _headers(self, rows: Rows, slots: NDArray[np.int64], size: NDArray[np.int64]) -> None:
        world, net = self._world, RX_NETWORK
        to = np.array([list(source.packed) for source in world.sources], np.uint8)[slots % len(world.sources)]
        rows[:, 0:4], rows[:, 12:16] = 0, (net, 0, net, 0)
        length = 32 + size
        if world.version == 4:
            length += 20
            rows[:, net : net + 12] = (0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 6, 0, 0)
            rows[:, net + 2 : net + 4] = length.astype(">u2").view(np.uint8).reshape(-1, 2)
            rows[:, net + 12 : net + 16] = list(world.vip.packed)
            rows[:, net + 16 : net + 20] = to
        else:
            rows[:, net : net + 8] = (0x60, 0, 0, 0, 0, 0, 6, 64)
            rows[:, net + 4 : net + 6] = length.astype(">u2").view(np.uint8).reshape(-1, 2)
            rows[:, net + 8 : net + 24] = list(world.vip.packed)
            rows[:, net + 24 : net + 40] = to
            length = length + 40
        rows[:, 4:8] = rows[:, 8:12] = length.astype("<u4").view(np.uint8).reshape(-1, 4)

    def _odd_headers(self, rows: Rows, fragment: NDArray[np.bool_], length: NDArray[np.bool_]) -> None:
        rng, net = self._rng, RX_NETWORK
        pieces, wrong = np.flatnonzero(fragment), np.flatnonzero(length)
        if self._world.version == 4:  # more fragments, or an offset, or both; a first fragment passes the filter
            rows[pieces, net + 6] = rng.choice([0x20, 0x20, 0x00, 0x3F], len(pieces))
        else:
            rows[pieces, net + 6] = 44
        at = net + (2 if self._world.version == 4 else 4)
        few = rng.integers(0, 200, len(wrong)).astype(">u2").view(np.uint8).reshape(-1, 2)
        rows[wrong, at], rows[wrong, at + 1] = few[:, 0], few[:, 1]
        some = wrong[rng.random(len(wrong)) < 0.3]
        rows[some, self._tcp + 12] = rng.integers(0, 256, len(some))

    # --- one by one -------------------------------------------------------------------------------------------

    def _special(self, made: Made, row: int, slot: int, now: NDArray[np.int64], kind: str) -> None:
        kept = int(made.rows[row, 8:12].view(np.uint32)[0])
        packet = bytearray(made.rows[row, RX_NETWORK : RX_NETWORK + kept].tobytes())
        header = self._tcp - RX_NETWORK
        if kind == "icmp":
            packet = self._icmp(slot, now)
        elif kind == "options":
            packet = self._options(packet, header)
        elif kind == "merged":
            packet += self._rng.bytes(int(self._rng.choice([150, 1_400, 2_800, 20_000, 64_000])))
        elif kind == "fresh":
            self._to_fresh(packet, header)
        self._set(made, row, bytes(packet), header)

    def _set(self, made: Made, row: int, packet: bytes, header: int) -> None:
        """Put a packet into its row, with its length; what is longer than the row comes by a copy, mostly."""
        whole = bytearray(packet)
        counted, at = (len(whole), 2) if header == 20 else (len(whole) - 40, 4)
        whole[at : at + 2] = min(counted, 0xFFFF).to_bytes(2, "big")
        kept = min(len(whole), ROOM)
        made.rows[row, RX_NETWORK : RX_NETWORK + kept] = np.frombuffer(whole, np.uint8, kept)
        made.rows[row, 8:12].view(np.uint32)[0] = kept
        made.rows[row, 4:8].view(np.uint32)[0] = len(whole)
        if len(whole) > ROOM and self._rng.random() < 0.95:  # else there was no room for the copy
            made.copies[row] = bytes(whole)

    def _options(self, packet: bytearray, header: int) -> bytearray:
        """Other options than the usual twelve bytes, whole or cut; in IPv4 also options of IP."""
        rng = self._rng
        stamp = bytes(packet[header + 22 : header + 32])
        pieces = [
            stamp,
            b"\x01",
            b"\x02\x04\x05\xb4",
            b"\x04\x02",
            b"\x03\x03\x07",
            b"\x05\x0a" + rng.bytes(8),
            b"\x00",
        ]
        pieces += [b"\x08\x02", b"\x08\x0a\x00", b"\x22\x00", rng.bytes(3), stamp]
        chosen = rng.choice(len(pieces), int(rng.integers(0, 5)))
        options = b"".join(pieces[number] for number in chosen)[:40]
        options += b"\x01" * (-len(options) % 4) if rng.random() < 0.9 else b""
        tcp = bytearray(packet[header : header + 20]) + options + packet[header + 32 :]
        tcp[12] = (20 + len(options)) // 4 << 4 if rng.random() < 0.9 else int(rng.integers(0, 256))
        more = rng.bytes(4 * int(rng.integers(1, 11))) if header == 20 and rng.random() < 0.3 else b""
        if more:
            packet[0] = 0x45 + len(more) // 4
        return bytearray(packet[:header]) + more + tcp

    def _to_fresh(self, packet: bytearray, header: int) -> None:
        world, rng = self._world, self._rng
        port = int(rng.choice(np.array(world.fresh_ports))) if rng.random() < 0.3 else 0
        port = port or next(reversed(world.fresh_isn), world.fresh_ports[0])
        isn = world.fresh_isn.get(port, 5)
        flags = SYN | ACK if rng.random() < 0.5 else int(rng.integers(0, 32))
        struct.pack_into("!HIIBB", packet, header + 2, port, 77, (isn + 1) & MASK, 0x80, flags)
        to = world.sources[0].packed
        packet[header - len(to) : header] = to

    def _icmp(self, slot: int, now: NDArray[np.int64]) -> bytearray:
        """An error that quotes the session's own packet, rightly or nearly."""
        world, rng, version = self._world, self._rng, self._world.version
        source, vip = world.sources[slot % len(world.sources)].packed, world.vip.packed
        seq = int(now[1])
        trace = world.traces._open.get(slot)
        exceeded = trace is not None and rng.random() < 0.7
        mark = trace.number << 4 | int(rng.integers(0, 7)) if trace else 77
        if trace and exceeded:
            seq = trace.seq
        port, vip_port = int(world.held.port[slot]), PORT
        seq = (seq + int(rng.choice([0, 0, 0, -1, 1, 1 << 30]))) & MASK
        if rng.random() < 0.1:
            vip_port += 1
        if rng.random() < 0.1:
            vip = source
        tcp = struct.pack("!HHIIBBHHH", port, vip_port, seq, 0, 0x50, ACK, mark, 0, 0)
        tcp = tcp[: int(rng.choice([8, 20, 20, 4]))] if version == 4 else tcp
        if version == 4:
            quoted = struct.pack("!BBHHHBBH", 0x45, 0, 60, mark, 0, 1, 6, 0) + source + vip + tcp
            kind = 11 if exceeded else int(rng.choice([3, 3, 3, 11, 0, 8]))
            body = bytes([kind, int(rng.integers(0, 6)), 0, 0, 0, 0, 0, 0]) + quoted
            head = struct.pack("!BBHHHBBH", 0x45, 0, 0, 0, 0, 64, 1, 0) + bytes([10, 77, 1, 1])
        else:
            quoted = struct.pack("!IHBB", 6 << 28, 40, 6, 1) + source + vip + tcp
            kind = 3 if exceeded else int(rng.choice([1, 1, 1, 3, 2, 128]))
            body = bytes([kind, int(rng.integers(0, 6)), 0, 0, 0, 0, 0, 0]) + quoted
            head = struct.pack("!IHBB", 6 << 28, 0, 58, 64) + bytes.fromhex("20010db8000100000000000000000001")
        return bytearray(head + world.sources[slot % len(world.sources)].packed + body)

    # --- and then damaged -------------------------------------------------------------------------------------

    def _damage(self, made: Made) -> None:
        """Change up to four bytes of some packets, cut others short; of those that came by a copy in the copy too."""
        rng, count = self._rng, self._world.count
        for _ in range(4):
            some = np.flatnonzero(rng.random(count) < 0.1)
            places = rng.integers(0, 112, len(some))
            values = rng.integers(0, 256, len(some), np.uint8)
            flips = np.left_shift(1, rng.integers(0, 8, len(some))).astype(np.uint8)
            before = made.rows[some, RX_NETWORK + places]
            after = np.where(rng.random(len(some)) < 0.5, values, before ^ flips)
            made.rows[some, RX_NETWORK + places] = after
            for row, place, value in zip(some.tolist(), places.tolist(), after.tolist(), strict=True):
                if made.copies[row]:
                    made.copies[row] = made.copies[row][:place] + bytes([value]) + made.copies[row][place + 1 :]
        for row in np.flatnonzero(rng.random(count) < 0.02).tolist():
            if not made.copies[row]:
                kept = made.rows[row, 8:12].view(np.uint32)
                kept[0] = int(rng.integers(0, int(kept[0]) + 1))


def passes(world: World, rows: Rows) -> NDArray[np.bool_]:
    """Return which rows the kernel's filter lets through, as `probe.filters` says it: by what is in the packet."""
    net = RX_NETWORK
    kept = rows[:, 8:12].copy().view("<u4").reshape(-1)
    if world.version == 4:
        protocol, source = rows[:, net + 9], rows[:, net + 12 : net + 16]
        at = net + (rows[:, net].astype(np.int64) & 15) * 4
        later = (rows[:, net + 6] & 0x1F) | rows[:, net + 7] != 0
        icmp = 1
    else:
        protocol, source = rows[:, net + 6], rows[:, net + 8 : net + 24]
        at = np.full(len(rows), net + 40)
        later = np.zeros(len(rows), np.bool_)
        icmp = 58
    every = np.arange(len(rows))
    sport = rows[every, at].astype(np.int64) << 8 | rows[every, at + 1]
    port = rows[every, at + 2].astype(np.int64) << 8 | rows[every, at + 3]
    ours = (protocol == 6) & (source == np.array(list(world.vip.packed))).all(axis=1) & ~later
    ours &= (sport == PORT) & (port >= 20_000) & (port < world.fresh_ports.stop) & (kept >= at - net + 4)
    # A load beyond the end of a packet ends the filter: nothing passes.
    return np.asarray(ours | ((protocol == icmp) & (kept >= (10 if world.version == 4 else 7))))
