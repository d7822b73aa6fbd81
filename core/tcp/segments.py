"""TCP segments as values, and the arithmetic of sequence numbers modulo 2**32 (RFC 9293 section 3.4)."""

from __future__ import annotations

import enum
from dataclasses import dataclass

MODULUS = 1 << 32
HALF = 1 << 31


class Flag(enum.IntFlag):
    """The control bits of the header (RFC 9293 section 3.1)."""

    FIN = 0x01
    SYN = 0x02
    RST = 0x04
    PSH = 0x08
    ACK = 0x10


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment, without addresses and ports; `tsval` and `tsecr` are the option of RFC 7323, None where absent."""

    seq: int
    ack: int
    flags: Flag
    window: int
    payload: bytes = b""
    tsval: int | None = None
    tsecr: int | None = None

    @property
    def length(self) -> int:
        """Sequence numbers that the segment takes: payload, SYN and FIN."""
        return len(self.payload) + bool(self.flags & Flag.SYN) + bool(self.flags & Flag.FIN)


def add(number: int, count: int) -> int:
    """Return `number` + `count` in sequence space."""
    return (number + count) % MODULUS


def distance(start: int, end: int) -> int:
    """Return how far `end` lies after `start`: negative when before; in [-2**31, 2**31)."""
    return (end - start + HALF) % MODULUS - HALF
