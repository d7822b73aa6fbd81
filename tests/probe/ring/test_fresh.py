"""Fresh SYNs: what answers one, what refuses one, and what is neither."""

from __future__ import annotations

from core.tcp.segments import Flag, Segment, add
from probe.ring.fresh import PERIOD_NS, FreshSyns


def test_a_reset_to_a_syn_refuses_it_once_and_any_other_says_nothing() -> None:
    sent: list[tuple[int, Segment]] = []
    fresh = FreshSyns("c1", range(40_000, 40_010), 0, lambda port, segment: sent.append((port, segment)))
    fresh.step(0)
    (port, syn) = sent[0]
    reset = Segment(0, add(syn.seq, 1), Flag.RST | Flag.ACK, 0, b"", 0, 0)
    forged = (
        Segment(0, add(syn.seq, 2), Flag.RST | Flag.ACK, 0, b"", 0, 0),
        Segment(0, 0, Flag.RST, 0, b"", 0, 0),
    )
    for segment in forged:
        assert fresh.arrived(port, segment, 1) == []
    assert (fresh.refused, fresh.answered) == (0, 0), "who does not know the sequence number refuses nothing"
    for _ in range(2):
        assert fresh.arrived(port, reset, 2) == []
    assert (fresh.refused, fresh.answered) == (1, 0)
    fresh.step(PERIOD_NS)
    (port, syn) = sent[-1]
    fresh.arrived(port, Segment(7, add(syn.seq, 1), Flag.SYN | Flag.ACK, 0, b"", 1, 0), PERIOD_NS + 1)
    assert (fresh.refused, fresh.answered) == (1, 1)
