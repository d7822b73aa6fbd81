"""Sessions are opened at their turn: at a bounded rate, a bounded number at a time, spread over the period."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from probe.ring.beats import OPENING, OPENS_A_SECOND, Beats
from probe.ring.gaps import Gaps
from probe.ring.held import Held, Layout
from probe.ring.recorder import Recorder
from probe.ring.tally import Tally
from probe.ring.turns import Turns

COUNT = 20_000
PERIOD_NS = 1_000_000_000
TICK_NS = 5_000_000


class Far:
    """Stands for the slow path: notes what is opened, and says how many SYNs are under way."""

    def __init__(self, held: Held) -> None:
        self._held = held
        self.opening = 0
        self.admitted: list[tuple[int, int]] = []
        self.awake_ns: set[int] = set()

    def to_open(self, closed: np.ndarray, now_ns: int) -> np.ndarray:
        del now_ns
        return closed

    def admit(self, slot: int, now_ns: int) -> None:
        self.admitted.append((now_ns, slot))
        self._held.closed[slot] = False
        self.opening += 1

    def turn(self, slot: int, revolution: int, now_ns: int) -> bool:
        del slot, revolution, now_ns
        self.awake_ns.add(self._held.awake_ns)
        return True


def engine() -> tuple[Beats, Far]:
    held, turns = Held(COUNT, 1, Layout(20)), Turns(0, PERIOD_NS, COUNT, PERIOD_NS // TICK_NS)
    far = Far(held)
    tx = SimpleNamespace(room=lambda _: [], flush=lambda: None)
    recorder = Recorder(held, turns, 80, 256)
    return Beats(held, turns, Gaps("v1", turns), Tally(), tx, far, None, recorder, TICK_NS), far  # type: ignore[arg-type]


def play(beats: Beats, far: Far, seconds: float, *, answered: bool) -> None:
    for number in range(round(seconds * PERIOD_NS / TICK_NS)):
        beats.step(number * TICK_NS + TICK_NS // 2)
        far.opening = 0 if answered else far.opening


def test_no_more_than_so_many_a_second_and_each_at_its_turn() -> None:
    beats, far = engine()
    play(beats, far, 2, answered=True)
    assert len(far.admitted) == 2 * OPENS_A_SECOND
    slots = [slot for _, slot in far.admitted]
    assert len(set(slots)) == len(slots)
    per_tick = np.bincount(np.array(slots) * 200 // COUNT, minlength=200)
    assert per_tick.max() <= 2 * OPENS_A_SECOND * TICK_NS // PERIOD_NS, "spread over the whole period"
    assert per_tick.min() > 0


def test_no_more_than_so_many_handshakes_are_under_way() -> None:
    beats, far = engine()
    play(beats, far, 3, answered=False)
    assert len(far.admitted) == OPENING


def test_none_is_opened_while_answers_wait_to_be_read() -> None:
    beats, far = engine()
    beats.calm = False
    play(beats, far, 1, answered=True)
    assert far.admitted == []


@pytest.mark.parametrize("stop_ns", [11 * PERIOD_NS, TICK_NS])
def test_a_stop_in_the_middle_of_a_tick_is_known_at_the_turns_of_that_tick(
    monkeypatch: pytest.MonkeyPatch, stop_ns: int
) -> None:
    """Else what was silent during it is taken for dead."""
    beats, far = engine()
    held, now_ns = beats._held, 5 * PERIOD_NS
    held.closed[:] = False
    held.at_work(now_ns)
    beats._turns.take(now_ns - TICK_NS)  # those before are over
    monkeypatch.setattr("probe.ring.beats.time.monotonic_ns", lambda: now_ns + stop_ns)
    beats.step(now_ns + TICK_NS // 2)
    assert far.awake_ns == {now_ns + stop_ns if stop_ns >= PERIOD_NS else now_ns}
