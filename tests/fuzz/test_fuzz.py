"""The short cut of `make fuzz`, and that the model finds a receive side that is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from core.tcp.segments import Flag, Segment
from core.tcp.session import Output, Session
from probe.ring.held import Held
from tests.fuzz.chunk import WORLDS, Chunk, Unexplained

PACKETS = 25_000


@pytest.mark.parametrize("number", range(len(WORLDS)))
def test_no_packet_does_what_the_model_does_not_allow(number: int) -> None:
    seen = Chunk(7, number).run(PACKETS)
    assert seen.packets >= PACKETS
    # It has been where it matters: sessions opened, moved on, were reset, and most packets were refused for a reason.
    assert min(seen.opened, seen.dropped, seen.moved, seen.answers) > 500
    assert {"old timestamp", "reset elsewhere in the window", "icmp", "no segment", "closed"} <= set(seen.ignored)


Refuse = Callable[[Session, Segment, int], tuple[Output, ...] | None]


def inexact(refuse: Refuse) -> Refuse:
    """A machine that takes a reset anywhere in the window, as before RFC 5961."""

    def lenient(session: Session, segment: Segment, tsval: int) -> tuple[Output, ...] | None:
        if segment.flags & Flag.RST and 0 < segment.seq - session.rcv_nxt < session.config.window:
            segment = replace(segment, seq=session.rcv_nxt)
        return refuse(session, segment, tsval)

    return lenient


def test_a_reset_that_is_not_exact_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Session, "_refuse", inexact(Session._refuse))
    with pytest.raises(Unexplained, match="became"):
        Chunk(7, 0).run(PACKETS)


def test_a_stamp_that_goes_back_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def backwards(held: Held, slots: NDArray[np.int64], stamps: NDArray[np.uint32]) -> None:
        held.ts_recent[slots] = stamps - np.uint32(1)

    monkeypatch.setattr(Held, "newest", backwards)
    with pytest.raises(Unexplained, match="became"):
        Chunk(7, 0).run(PACKETS)


def test_what_is_not_counted_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Session, "ignored", {})
    with pytest.raises(Unexplained, match="were ignored"):
        Chunk(7, 2).run(PACKETS)


def test_the_same_seed_plays_the_same_packets() -> None:
    first, second = (Chunk(9, 1).run(3_000) for _ in range(2))
    assert first == second
