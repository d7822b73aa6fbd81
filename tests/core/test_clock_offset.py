"""Offsets of clocks: the truth is within the bound, whatever the way there and back takes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.clock_offset import DRIFT, ClockFilter, Exchange, Offset, best, measured

S = 1_000_000_000
delays = st.integers(0, 2 * S)


def exchange(at_ns: int, offset_ns: int, there_ns: int, work_ns: int, back_ns: int) -> Exchange:
    t2_ns = at_ns + there_ns + offset_ns
    return Exchange(at_ns, t2_ns, t2_ns + work_ns, at_ns + there_ns + work_ns + back_ns)


@given(st.integers(0, 10**18), st.integers(-(10**18), 10**18), delays, delays, delays)
def test_the_truth_is_within_the_bound(at_ns: int, offset_ns: int, there_ns: int, work_ns: int, back_ns: int) -> None:
    found = measured(exchange(at_ns, offset_ns, there_ns, work_ns, back_ns))
    assert found is not None
    assert abs(found.offset_ns - offset_ns) <= found.bound_ns <= (there_ns + back_ns) // 2 + 2


@given(st.lists(st.tuples(st.integers(0, 600), delays, delays), min_size=1), st.floats(-DRIFT, DRIFT))
def test_it_stays_within_while_the_clocks_drift(samples: list[tuple[int, int, int]], rate: float) -> None:
    kept = ClockFilter()
    for at_s, there_ns, back_ns in sorted(samples):
        kept.take("far", exchange(at_s * S, round(at_s * S * rate), there_ns, 0, back_ns))
    now_ns = 700 * S
    found = kept.best(now_ns)
    assert found is not None
    # A drift of the question's way (2 s at most) comes on top.
    assert abs(found.offset_ns - round(now_ns * rate)) <= found.bound_ns + 2 * S * DRIFT + 2


def test_the_narrowest_counts_until_it_is_too_old() -> None:
    narrow, wide = Offset(100, 1_000_000, 0), Offset(200, 2_000_000, 60 * S)
    assert best([narrow, wide], S) == Offset(100, 1_000_000 + round(S * DRIFT), S)
    assert best([narrow, wide], 61 * S) == Offset(200, 2_000_000 + round(S * DRIFT), 61 * S)
    assert best([], 0) is None


def test_another_clock_begins_anew() -> None:
    kept = ClockFilter()
    kept.take("a", exchange(S, 5 * S, 10, 0, 10))
    kept.take("b", exchange(2 * S, -7 * S, 10, 0, 10))
    found = kept.best(2 * S)
    assert found is not None
    assert found.offset_ns == -7 * S


def test_instants_in_no_possible_order_tell_nothing() -> None:
    assert measured(Exchange(10, 0, 0, 5)) is None
    assert measured(Exchange(0, 10, 5, 10)) is None
    assert measured(Exchange(0, 0, 100, 50)) is None
