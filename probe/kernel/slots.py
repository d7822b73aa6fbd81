"""A slot on kernel sockets and its present session, and what a step of the loop counts. Values only."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from probe.kernel.held import Held
from probe.kernel.link import Link
from probe.kernel.tls import Secure
from probe.service import Dialogue, Seen


class Phase(enum.Enum):
    """Where a slot's session is."""

    CLOSED = enum.auto()
    CONNECTING = enum.auto()
    SHAKING_HANDS = enum.auto()
    OPEN = enum.auto()


@dataclass
class Slot:
    """One slot and its present session. Instants are 0 for what has not happened in it."""

    index: int
    held: Held
    phase: Phase = Phase.CLOSED
    link: Link | None = None
    secure: Secure | None = None
    dialogue: Dialogue | None = None
    began_ns: int = 0
    rtt_ns: int = 0
    opened_ns: int = 0
    asked_ns: int = 0
    acked_ns: int = 0
    probes: int = 0
    right: bool = False


@dataclass(frozen=True, slots=True)
class Happened:
    """What a step counted: questions as (slot, lateness), answers as (slot, round trip or -1), and what they told."""

    sent: list[tuple[int, int]]
    answered: list[tuple[int, int]]
    seen: list[tuple[int, Seen, int]]
