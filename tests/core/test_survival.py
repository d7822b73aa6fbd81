"""Lifetimes of sessions and the share that lives on."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.records import Drop, DropCause, Opened, Record
from core.survival import Lifetime, kaplan_meier, lifetimes


def opened(t_ns: int, slot: int, restart: int = 0, kernel: bool = False) -> Opened:
    return Opened(t_ns, "c1", slot, f"c1-{slot}-{restart}", "a", 1, 1, restart, kernel)


def drop(t_ns: int, slot: int, restart: int = 0, kernel: bool = False) -> Drop:
    return Drop(t_ns, "c1", slot, f"c1-{slot}-{restart}", DropCause.RESET, "", 1, kernel)


def test_each_session_has_its_begin_and_its_end() -> None:
    records: list[Record] = [
        opened(1, 0),
        opened(2, -2, kernel=True),
        drop(5, 0),
        drop(6, -2, kernel=True),
        opened(7, 0, 1),
        drop(8, 9),  # of a session that the journal has not seen opened
    ]
    assert lifetimes(records) == [
        Lifetime("c1", 0, "c1-0-0", 1, 5, "reset"),
        Lifetime("c1", 0, "c1-0-1", 7, None, ""),
    ]
    assert [life.alive_at(5) for life in lifetimes(records)] == [True, False]
    assert [life.alive_at(t_ns) for t_ns in (1, 2, 6) for life in lifetimes(records)[:1]] == [False, True, False]


def test_a_session_that_is_not_dropped_leaves_without_a_step() -> None:
    lives = [Lifetime("c1", slot, str(slot), 0, end) for slot, end in enumerate([10, 10, 20, None])]
    steps = kaplan_meier(lives, 5, 15)
    assert [(step.t_ns, step.share, step.at_risk) for step in steps] == [(5, 1.0, 4), (10, 0.5, 4)]
    assert kaplan_meier([], 5, 15) == ()


@given(st.lists(st.none() | st.integers(1, 50), min_size=1, max_size=30))
def test_without_others_leaving_early_it_is_the_plain_share(ends: list[int | None]) -> None:
    lives = [Lifetime("c1", slot, str(slot), 0, end) for slot, end in enumerate(ends)]
    steps = kaplan_meier(lives, 1, 40)
    left = sum(end is None or end > 40 for end in ends)
    assert abs(steps[-1].share - left / len(ends)) < 1e-9
    assert [step.share for step in steps] == sorted((step.share for step in steps), reverse=True)
