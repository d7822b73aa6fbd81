"""Lanes: a cell is the worst of its span, whatever the order in which spans become known."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tui.model.history import FINE_NS, KEPT_NS, History, State, What, lane
from tui.model.places import Place

SLOTS = 3
CELL_NS = 25 * FINE_NS
CELLS = 8
HOME = Place("dc1", "ace1", "N1")
spans = st.lists(
    st.tuples(st.integers(0, SLOTS - 1), st.integers(0, CELLS * CELL_NS - 1), st.integers(1, 2 * CELL_NS)), max_size=12
)


def history_of(silences: list[tuple[int, int, int]]) -> History:
    history = History()
    for _ in range(SLOTS):
        history.add(What.SLOT, 0)
        history.add(What.CAME, 0, 1, HOME)
    for _, begin_ns, length_ns in silences:
        history.add(What.SILENT_FROM, begin_ns)
        history.add(What.SILENT_TO, begin_ns + length_ns)
    return history


def cells_of(history: History) -> list[State]:
    end_ns = CELLS * CELL_NS
    return [cell.state for cell in lane(history, 0, CELL_NS, CELLS, 2 * end_ns, 2 * end_ns)]


@given(spans)
def test_a_cell_is_the_worst_of_its_slices(silences: list[tuple[int, int, int]]) -> None:
    expected = []
    for cell in range(CELLS):
        worst = State.ANSWERED
        for number in range(cell * CELL_NS // FINE_NS, (cell + 1) * CELL_NS // FINE_NS):
            silent = sum(begin // FINE_NS <= number <= (begin + length) // FINE_NS for _, begin, length in silences)
            worst = max(worst, State.NOBODY if silent >= SLOTS else State.PART if silent else State.ANSWERED)
        expected.append(worst)
    assert cells_of(history_of(silences)) == expected


@given(spans, st.randoms())
def test_the_order_in_which_spans_become_known_does_not_matter(
    silences: list[tuple[int, int, int]], random: Random
) -> None:
    shuffled = list(silences)
    random.shuffle(shuffled)
    assert cells_of(history_of(shuffled)) == cells_of(history_of(silences))


@given(spans)
@settings(max_examples=30)
def test_what_is_trimmed_changes_nothing_that_is_still_shown(silences: list[tuple[int, int, int]]) -> None:
    whole, trimmed = history_of(silences), history_of(silences)
    trimmed.trim(KEPT_NS + 4 * CELL_NS)
    assert cells_of(trimmed)[4:] == cells_of(whole)[4:]


def test_a_gap_of_one_slice_is_seen_in_a_long_cell() -> None:
    history = history_of([(slot, 3 * CELL_NS + 7, 1) for slot in range(SLOTS)])
    assert [state for state in cells_of(history) if state is State.NOBODY] == [State.NOBODY]


def test_what_is_not_heard_of_is_unknown_and_never_answered() -> None:
    heard_ns = 3 * CELL_NS
    found = lane(history_of([]), 0, CELL_NS, CELLS, heard_ns, CELLS * CELL_NS)
    assert [cell.state for cell in found] == [State.ANSWERED] * 4 + [State.UNKNOWN] * 4


def test_slices_are_bounded() -> None:
    history = history_of([])
    for number in range(20_000):
        history.add(What.OPENED_AGAIN, number * FINE_NS)
    history.trim(20_000 * FINE_NS)
    assert len(history.slices) <= 6_000
    assert sum(history.base.values()) + sum(sum(changes.values()) for changes in history.slices.values()) == 20_006
