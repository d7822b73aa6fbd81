"""What the slow path is given: the packets that are for it, and what it works on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from core.inventory import Service
from core.tcp.segments import Segment
from probe.ring.answers import Answers
from probe.ring.gaps import Gaps
from probe.ring.held import Held
from probe.ring.traces import Traces


@dataclass(frozen=True, slots=True)
class Unusual:
    """A packet for the slow path, and when it came. `noted`: as an answer it has been taken in already.

    `ts_recent` is that of the session in `slot` as it was then; None: there was no established session. (With options
    in its IP header a packet is for another slot than the batch parser, which knows none, could tell.)
    """

    r_ns: int
    packet: bytes
    slot: int
    ts_recent: int | None
    noted: bool


@dataclass(frozen=True)
class Surroundings:
    """What the slow path works on.

    `transmit(slot, segment, ttl, mark)` sends, `packet(slot, segment)` only builds; `renew(slot)` gives the slot a
    fresh port, `source(slot)` is its address as text; `answered(slot, revolution, r_ns)` notes an answer.
    """

    vantage: str
    service: Service
    held: Held
    gaps: Gaps
    answers: Answers
    traces: Traces
    transmit: Callable[[int, Segment, int, int], None]
    renew: Callable[[int], None]
    source: Callable[[int], str]
    answered: Callable[[int, int, int], None]
    packet: Callable[[int, Segment], bytes]
