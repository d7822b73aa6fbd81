"""What a packet may do to a session: RFC 9293 section 3.10.7 and RFC 5961 once more, from bytes, and nothing of probe.

It reads each packet by itself and says what the session's numbers must be after it, and how many things are counted
as ignored. An option list ends at the first damaged option, and the first whole timestamps option counts.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

WINDOW = 65_535
FIN, SYN, RST, ACK = 1, 2, 4, 16
MODULUS = 1 << 32
ABSENT, WAITING, SYN_SENT, OPEN = range(4)
"""No session; one that has sent nothing yet; RFC 9293's SYN-SENT; its ESTABLISHED."""


@dataclass(frozen=True)
class Numbers:
    """A session as it is: `ts` is TS.Recent, None without timestamps."""

    state: int
    una: int = 0
    nxt: int = 0
    rcv: int = 0
    ts: int | None = None


@dataclass(frozen=True)
class Tcp:
    """A segment as it was read; `stamps` are (tsval, tsecr), None without the option."""

    to: bytes
    port: int
    seq: int
    ack: int
    flags: int
    length: int
    stamps: tuple[int, int] | None


@dataclass(frozen=True)
class Icmp:
    """An error as it was read: what it quotes."""

    exceeded: bool
    to: bytes
    port: int
    seq: int
    mark: int
    vip: bytes
    vip_port: int


@dataclass(frozen=True)
class After:
    """What a packet must lead to: the session's numbers, how many things are ignored, what is told of it."""

    numbers: Numbers
    ignored: int
    opens: bool = False
    drops: bool = False


def read(packet: bytes) -> Tcp | Icmp | None:
    """Return what an IP packet is; None for one that no session can be meant by."""
    if len(packet) < 28:
        return None
    if packet[0] >> 4 == 6:
        header, length, protocol = 40, 40 + int.from_bytes(packet[4:6], "big"), packet[6]
        to, icmp = packet[24:40], 58
    elif packet[0] >> 4 == 4:
        header, length, protocol = (packet[0] & 15) * 4, int.from_bytes(packet[2:4], "big"), packet[9]
        to, icmp = packet[16:20], 1
        if header < 20 or int.from_bytes(packet[6:8], "big") & 0x3FFF:
            return None
    else:
        return None
    if length <= header or length > len(packet):
        return None
    if protocol == 6:
        return _tcp(packet[header:length], to)
    if protocol != icmp:
        return None
    # The quoted packet of an error may be cut off by the error's own length or by the end of what was captured.
    return _icmp4(packet[header:]) if icmp == 1 else _icmp6(packet[header:])


def _tcp(data: bytes, to: bytes) -> Tcp | None:
    if len(data) < 20:
        return None
    offset = (data[12] >> 4) * 4
    if offset < 20 or offset > len(data):
        return None
    _, port, seq, ack = struct.unpack_from("!HHII", data)
    return Tcp(to, port, seq, ack, data[13] & 0x1F, len(data) - offset, _stamps(data[20:offset]))


def _stamps(options: bytes) -> tuple[int, int] | None:
    rest = options
    while rest and rest[0]:
        size = 1 if rest[0] == 1 else rest[1] if len(rest) > 1 else 0
        if size > len(rest) or size < 1 + (rest[0] != 1):
            return None
        if rest[0] == 8 and size == 10:
            return struct.unpack("!II", rest[2:10])
        rest = rest[size:]
    return None


def _icmp4(data: bytes) -> Icmp | None:
    if len(data) < 36 or data[0] not in (3, 11) or (data[0] == 3 and data[1] == 4):
        return None
    quoted = data[8:]
    header = (quoted[0] & 15) * 4
    if quoted[0] >> 4 != 4 or header < 20 or len(quoted) < header + 8 or quoted[9] != 6:
        return None
    port, vip_port, seq = struct.unpack_from("!HHI", quoted, header)
    mark = int.from_bytes(quoted[4:6], "big")
    return Icmp(data[0] == 11, quoted[12:16], port, seq, mark, quoted[16:20], vip_port)


def _icmp6(data: bytes) -> Icmp | None:
    quoted = data[8:]
    if len(quoted) < 56 or data[0] not in (1, 3) or quoted[0] >> 4 != 6 or quoted[6] != 6:
        return None
    port, vip_port, seq = struct.unpack_from("!HHI", quoted, 40)
    mark = int.from_bytes(quoted[54:56], "big")
    return Icmp(data[0] == 3, quoted[8:24], port, seq, mark, quoted[24:40], vip_port)


def _ahead(start: int, end: int) -> int:
    return (end - start + (1 << 31)) % MODULUS - (1 << 31)


def near(now: Numbers, segment: Tcp) -> bool:
    """Return whether an open session's segment is near enough to its windows to answer an attempt."""
    return abs(_ahead(now.una, segment.ack)) <= WINDOW and abs(_ahead(now.rcv, segment.seq)) <= WINDOW


def after_icmp(now: Numbers, error: Icmp) -> After:
    """Return what an error other than time exceeded does: it may end an attempt to open whose SYN it quotes."""
    if now.state == SYN_SENT and error.seq == now.una:
        return After(Numbers(ABSENT), 0)
    return After(now, 1)


def after_tcp(now: Numbers, segment: Tcp) -> After:
    """Return what a segment does."""
    tsval = segment.stamps[0] if segment.stamps else None
    if now.state in (ABSENT, WAITING):
        return After(now, 1)
    return _opening(now, segment, tsval) if now.state == SYN_SENT else _open(now, segment, tsval)


def _opening(now: Numbers, segment: Tcp, tsval: int | None) -> After:
    """Section 3.10.7.3."""
    same = After(now, 1)
    if not segment.flags & ACK or segment.ack != now.nxt:
        return same
    if segment.flags & RST:
        return After(Numbers(ABSENT), 1)  # told as refused
    if not segment.flags & SYN:
        return same
    rcv = (segment.seq + 1) % MODULUS
    return After(Numbers(OPEN, now.nxt, now.nxt, rcv, tsval), 0, opens=True)


def _open(now: Numbers, segment: Tcp, tsval: int | None) -> After:
    """Section 3.10.7.4, in its order."""
    same = After(now, 1)
    offset = _ahead(now.rcv, segment.seq)
    if segment.flags & RST:
        return After(Numbers(ABSENT), 0, drops=True) if offset == 0 else same
    if segment.flags & SYN:
        return same
    if now.ts is not None and tsval is not None and _ahead(now.ts, tsval) < 0:
        return same
    fin = bool(segment.flags & FIN)
    size = segment.length + fin
    starts_inside = 0 <= offset < WINDOW
    ends_inside = size > 0 and 0 <= offset + size - 1 < WINDOW
    if not starts_inside and not ends_inside:
        return same
    if not segment.flags & ACK or _ahead(now.nxt, segment.ack) > 0 or _ahead(now.una, segment.ack) < -WINDOW:
        return same
    una = segment.ack if _ahead(now.una, segment.ack) > 0 else now.una
    ts = tsval if now.ts is not None and tsval is not None and offset <= 0 else now.ts
    moved = replace(now, una=una, ts=ts)
    if not size:
        return After(moved, 0)
    if offset > 0:
        return After(moved, 1)  # what comes out of order is answered, and not kept
    if fin:
        return After(Numbers(ABSENT), 0, drops=True)
    return After(replace(moved, rcv=(now.rcv + segment.length + offset) % MODULUS), 0)
