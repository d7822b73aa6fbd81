"""Every slot has one turn a period, evenly spread; what is late by more is skipped; instants are found again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from probe.ring import turns as module
from probe.ring.turns import Due, Turns, ticks

MS = 1_000_000


def one(find: Callable[..., NDArray[np.int64]], slot: int, revolution: int) -> int:
    return int(find(np.array([slot]), np.array([revolution]))[0])


def flat(pieces: list[Due]) -> list[tuple[int, int]]:
    return [(slot, piece.revolution) for piece in pieces for slot in range(piece.low, piece.high)]


@given(st.integers(1, 20), st.integers(1_000, 10_000), st.lists(st.integers(0, 15_000), max_size=20))
def test_each_turn_once_in_order(slots: int, period_ns: int, steps: list[int]) -> None:
    turns = Turns(1_000, period_ns, slots)
    now_ns, seen = 1_000, []
    for step in steps:
        now_ns += step
        skipped, due = turns.take(now_ns)
        assert len(flat(due)) <= slots
        for piece in due:
            assert now_ns - period_ns - 1 <= piece.due_ns <= now_ns
        seen += flat(skipped) + flat(due)
    assert seen == [(turn % slots, turn // slots + 1) for turn in range(len(seen))]
    if steps:
        assert len(seen) == (now_ns - 1_000) * slots // period_ns + 1


def test_instants_are_found_until_they_are_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_TICKS", 8)
    turns = Turns(0, 100, 10)
    when: dict[tuple[int, int], int] = {}
    for tick in range(40):
        now_ns = tick * 30 + (500 if tick >= 20 else 0)
        skipped, due = turns.take(now_ns)
        turns.sent(now_ns + 1)
        turns.took(tick)
        when |= dict.fromkeys(flat(skipped), -1)
        when |= dict.fromkeys(flat(due), now_ns + 1)
        recent = [turn for turn in when if turn[1] >= due[-1].revolution - 1]
        slots, revolutions = np.array([slot for slot, _ in recent]), np.array([number for _, number in recent])
        assert turns.instants(slots, revolutions).tolist() == [when[turn] for turn in recent]
        assert one(turns.uncertainty, due[-1].high - 1, due[-1].revolution) == tick
        assert one(turns.instants, 0, due[-1].revolution + 5) == -1, "that is yet to come"
    assert one(turns.instants, 0, 1) == -1
    assert -1 in when.values()


@pytest.mark.parametrize(("slots", "period_ns"), [(1, 10 * MS), (25, 10 * MS), (100, 10 * MS), (10_000, 100 * MS)])
def test_a_tick_has_one_share_and_none_is_early_or_late_by_more_than_one(slots: int, period_ns: int) -> None:
    count = ticks(slots, period_ns)
    tick_ns = period_ns // count
    turns = Turns(0, period_ns, slots, count)
    sent: list[tuple[int, int]] = []
    for number in range(4 * count):
        late_ns = number * 7919 % (tick_ns * 7 // 8)  # in time, and late by up to seven eighths of a tick
        now_ns = number * tick_ns + tick_ns // 2 + tick_ns // 16 + late_ns
        skipped, due = turns.take(now_ns)
        assert not skipped
        assert len(due) == (slots >= count or bool(due))
        for piece in due:
            sent += [(piece.revolution, slot) for slot in range(piece.low, piece.high)]
            assert -tick_ns < now_ns - piece.due_ns < 2 * tick_ns
    assert sent == [(revolution, slot) for revolution in range(1, 5) for slot in range(slots)]
