"""The flight recorder gives back what was received and sent, the last of each slot, in a bounded number of bytes."""

from __future__ import annotations

import numpy as np
import pytest

from core.tcp.segments import Flag, Segment
from probe.evidence import Beat, Packet
from probe.ring import recorder as module
from probe.ring.gaps import Gaps
from probe.ring.held import Held, Layout
from probe.ring.parse import Answers, Split
from probe.ring.recorder import Recorder
from probe.ring.turns import Turns

NETWORK, WIDTH = 80, 256


def recorder_of(count: int, ip_header: int = 20) -> Recorder:
    return Recorder(Held(count, 1, Layout(ip_header)), Turns(0, 1_000_000, count), NETWORK, WIDTH)


def packets(recorder: Recorder, slot: int) -> set[Packet]:
    return {kept for kept in recorder.last(slot).within(0, 10**18) if isinstance(kept, Packet)}


def beats_of(recorder: Recorder, slot: int) -> set[Beat]:
    return {kept for kept in recorder.last(slot).within(0, 10**18) if isinstance(kept, Beat)}


def batch(recorder: Recorder, answers: list[tuple[int, int]], steady: list[bool] | None = None) -> None:
    """Take in answers (slot, instant), each with bytes of its own; `steady` marks those that are."""
    rows = np.zeros((len(answers), WIDTH), np.uint8)
    for row, answer in zip(rows, answers, strict=True):
        row[NETWORK:] = np.frombuffer(body(*answer, WIDTH - NETWORK), np.uint8)
    slots, r_ns = (np.array(column, np.int64) for column in zip(*answers, strict=True))
    mask = slice(None) if steady is None else np.array(steady)
    nothing = np.zeros(0, np.int64)
    found = Split(
        Answers(slots, slots, r_ns),
        mask,
        slots[mask],
        np.zeros(len(slots[mask]), np.uint32),
        nothing,
        nothing,
        nothing,
        np.zeros(0, np.bool_),
    )
    recorder.answered(rows, r_ns, found)


def body(slot: int, r_ns: int, length: int = 52) -> bytes:
    return (bytes([slot, r_ns % 251]) * length)[:length]


def test_of_each_slot_the_last_answers_are_kept_whole_also_several_in_one_batch() -> None:
    recorder = recorder_of(3)
    given = [(slot, 1 + number * 10 + slot) for number in range(recorder.depth + 20) for slot in (0, 0, 2)]
    given = [(slot, r_ns + place) for place, (slot, r_ns) in enumerate(given)]
    for low in range(0, len(given), 70):
        batch(recorder, given[low : low + 70])
    for slot in range(3):
        mine = [(own, r_ns) for own, r_ns in given if own == slot][-recorder.depth :]
        assert packets(recorder, slot) == {Packet(r_ns, body(own, r_ns)) for own, r_ns in mine}


def test_what_is_not_steady_is_left_to_the_slow_path() -> None:
    recorder = recorder_of(2)
    batch(recorder, [(0, 5), (1, 6), (0, 7)], [True, False, True])
    recorder.unusual(1, 6, b"\x45whole", out=True)
    assert packets(recorder, 0) == {Packet(5, body(0, 5)), Packet(7, body(0, 7))}
    assert packets(recorder, 1) == {Packet(6, b"\x45whole", out=True)}


def test_heartbeats_are_kept_by_their_numbers_at_the_time() -> None:
    held, turns = Held(2, 1, Layout(20)), Turns(0, 100, 2)
    recorder = Recorder(held, turns, NETWORK, WIDTH)
    for revolution in range(1, recorder.depth + 4):
        now_ns = revolution * 100 - 1
        turns.take(now_ns)
        turns.sent(now_ns)
        held.number(1, (1_000 + revolution, 2_000, 3_000 + revolution))
        held.port[1] = 40_000
        if revolution % 2:
            recorder.sent(slice(1, 2) if revolution % 3 else np.array([1]), revolution)
    beats = sorted(beats_of(recorder, 1), key=lambda beat: beat.revolution)
    assert [beat.revolution for beat in beats] == [r for r in range(4, recorder.depth + 4) if r % 2]
    assert not beats_of(recorder, 0)
    last = beats[-1]
    revolution = last.revolution
    assert (last.t_ns, last.slot, last.port) == (revolution * 100 - 1, 1, 40_000)
    numbers = (999 + revolution, 2_000, Flag.ACK, 65_535, b"\0", revolution, 3_000 + revolution)
    assert last.segment == Segment(*numbers)


def test_the_slow_path_keeps_the_last_of_all_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "UNUSUAL", 8)
    recorder = recorder_of(3)
    for number in range(20):
        recorder.unusual(number % 2, number, bytes(300))
    kept = {packet.t_ns for slot in range(3) for packet in packets(recorder, slot)}
    assert kept == set(range(12, 20))
    assert {len(packet.data) for packet in packets(recorder, 0)} == {256}


@pytest.mark.parametrize("ip_header", [20, 40])
@pytest.mark.parametrize("count", [1, 1_000, 10_000, 100_000])
def test_all_sessions_together_take_a_bounded_number_of_bytes(count: int, ip_header: int) -> None:
    recorder = recorder_of(count, ip_header)
    assert 2 <= recorder.depth <= 256
    shallowest = 2 * count * (ip_header + 32 + 8 + 18)
    assert recorder.state_bytes <= max(16_000_000, shallowest) + 3 * count + 70_000
    if count == 100_000:
        held, gaps = Held(count, 1, Layout(ip_header)), Gaps("v1", Turns(0, 1_000_000, count))
        gap_bytes = sum(value.nbytes for value in vars(gaps).values() if isinstance(value, np.ndarray))
        assert (recorder.state_bytes + held.state_bytes + gap_bytes) / count < 600
