"""Captures against intervals: the right gap is found, and a wrong interval is told."""

from __future__ import annotations

from dataclasses import replace

from core.capture_records import CaptureGap
from core.records import Clock, OutageEnded
from core.truth import captured, compare

MS = 1_000_000
OUTAGE = OutageEnded(
    t_ns=501 * MS,
    vantage="c1",
    slot=3,
    clock=Clock.DATA_PLANE,
    s_a_ns=100 * MS,
    r_a_ns=101 * MS,
    s_a1_ns=110 * MS,
    s_b1_ns=490 * MS,
    s_b_ns=500 * MS,
    r_b_ns=501 * MS,
    lost=39,
    skipped=0,
    slip_ns=0,
    self_inflicted=False,
    same_session=True,
)
PORTS = {3: [20_000]}


def gap_of(outage: OutageEnded, *instants_ms: float) -> int:
    (found,) = captured([outage], {20_000: [round(ms * MS) for ms in instants_ms]}, PORTS)
    return found.captured_ns


def test_answers_that_were_held_back_and_come_together_show_the_gap_before_them() -> None:
    """A router keeps the first packets for a neighbour that it has lost, and gives them up with the last at 238 ms."""
    held = replace(OUTAGE, r_a_ns=238 * MS, s_b1_ns=200 * MS, s_b_ns=210 * MS, r_b_ns=239 * MS, lost=10)
    assert gap_of(held, 81, 91, 238, 239, 249) == 147 * MS
    (comparison,) = compare([held, CaptureGap(held.t_ns, "c1", 3, held.s_a_ns, 147 * MS)])
    assert comparison.inside


def test_the_gap_is_taken_from_the_capture() -> None:
    assert gap_of(OUTAGE, 81, 91, 101, 501, 511) == 400 * MS
    (comparison,) = compare([OUTAGE, CaptureGap(OUTAGE.t_ns, "c1", 3, OUTAGE.s_a_ns, 400 * MS)])
    assert comparison.inside


def test_answers_of_other_ports_are_not_answers() -> None:
    (found,) = captured([OUTAGE], {20_000: [101 * MS, 501 * MS], 20_001: [200 * MS, 300 * MS]}, PORTS)
    assert found.captured_ns == 400 * MS
    (both,) = captured([OUTAGE], {20_000: [101 * MS], 20_001: [300 * MS, 501 * MS]}, {3: [20_000, 20_001]})
    assert both.captured_ns == 201 * MS, "the slot's next session answers from another port"


def test_one_outage_right_after_another_keeps_its_own_gap() -> None:
    short = replace(OUTAGE, s_a1_ns=110 * MS, s_b1_ns=140 * MS, s_b_ns=150 * MS, r_b_ns=151 * MS, t_ns=151 * MS)
    assert gap_of(short, -900, -899, 101, 151, 161) == 50 * MS
    before = replace(
        OUTAGE, s_a_ns=-900 * MS, r_a_ns=-899 * MS, s_a1_ns=-890 * MS, s_b1_ns=90 * MS, s_b_ns=100 * MS, r_b_ns=101 * MS
    )
    assert gap_of(before, -909, -899, 101, 151, 161) == 1000 * MS


def test_a_capture_without_a_gap_there_says_so() -> None:
    assert gap_of(OUTAGE) == -1
    assert gap_of(OUTAGE, 101) == -1
    (comparison,) = compare([OUTAGE, CaptureGap(OUTAGE.t_ns, "c1", 3, OUTAGE.s_a_ns, -1)])
    assert comparison.captured_ns is None
    assert not comparison.inside
    assert gap_of(OUTAGE, *range(81, 521, 10)) == 10 * MS, "answers all the while contradict the outage"


def test_what_was_not_captured_is_not_compared() -> None:
    assert compare([OUTAGE]) == ()
    own = replace(OUTAGE, self_inflicted=True)
    fresh = replace(OUTAGE, clock=Clock.NEW_CONNECTIONS, slot=-1)
    assert captured([own, fresh], {}, PORTS) == []
