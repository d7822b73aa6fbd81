"""The lead: of any controllers that look and write in any order, at most one holds itself for leading."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.leading import BEAT_NS, HOLD_NS, Lead, Seen, from_data, leads, seen, step, to_data

WALL_NS = 1_800_000_000 * 10**9
NORTH = Lead("north", "p1", 5, "run", ("site1",), 3)


def test_nobody_leads_so_who_comes_does() -> None:
    assert step("south", "p2", Seen(None, 0, 1), 1, WALL_NS).write == Lead("south", "p2", WALL_NS // 10**9)
    free = replace(NORTH, controller="", process="", run="", guards=())
    found = step("south", "p2", Seen(free, 9, 1), 1, 0)
    assert (found.write, found.left) == (Lead("south", "p2", 6), None)


def test_who_leads_goes_on_and_others_wait() -> None:
    assert step("north", "p1", Seen(NORTH, 9, 1), 10**12, WALL_NS).write == replace(NORTH, beat=4)
    found = step("south", "p2", Seen(NORTH, 9, 1), HOLD_NS, WALL_NS)
    assert (found.write, found.wait) == (None, "controller north leads, with run run")
    assert step("north", "p3", Seen(NORTH, 9, 1), HOLD_NS, WALL_NS).write is None, "another process of the same name"


def test_who_is_silent_is_followed_and_its_run_is_left() -> None:
    found = step("south", "p2", Seen(NORTH, 9, 1), HOLD_NS + 1, 0)
    assert found.write == Lead("south", "p2", 6, "run", ("site1",))
    assert found.left == NORTH


def test_a_look_at_the_same_revision_leaves_the_clock_running() -> None:
    first = seen(Seen(None, 0, 0), NORTH, 9, 100)
    assert first.since_ns == 100
    assert seen(first, NORTH, 9, 500).since_ns == 100
    assert seen(first, NORTH, 10, 500).since_ns == 500


def test_a_value_is_read_as_it_was_written() -> None:
    assert from_data(to_data(NORTH)) == NORTH
    assert from_data(None) is None
    for data in (b"", b"[]", b"{}", b'{"guards": 1}', b'{"guards": [], "x": 1}'):
        with pytest.raises(ValueError):  # noqa: PT011  its kind is all that is promised
            from_data(data)


@dataclass
class Controller:
    name: str
    seen: Seen = field(default_factory=lambda: Seen(None, 0, 0))
    confirmed_ns: int = -HOLD_NS


MOVES = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from(["look", "write"]), st.integers(0, 3 * BEAT_NS)),
    max_size=60,
)


@given(MOVES)
def test_never_do_two_lead(moves: list[tuple[str, str, int]]) -> None:
    """The bucket writes by compare-and-set; clocks are each controller's own, here the same one, with any pauses."""
    value: Lead | None = None
    revision, now_ns = 0, 1
    everybody = {name: Controller(name) for name in "abc"}
    terms: list[int] = []
    for name, move, pause_ns in moves:
        now_ns += pause_ns
        one = everybody[name]
        if move == "look":
            one.seen = seen(one.seen, value, revision, now_ns)
            continue
        wanted = step(name, name, one.seen, now_ns, WALL_NS).write if one.seen.since_ns else None
        if wanted is not None and one.seen.revision == revision:
            revision += 1
            value = wanted
            one.seen, one.confirmed_ns = Seen(wanted, revision, now_ns), now_ns
            terms.append(wanted.term)
        leading = [each.name for each in everybody.values() if leads(each.confirmed_ns, now_ns)]
        assert len(leading) <= 1
    assert terms == sorted(terms)
