"""One pass over a vantage's records gives each event what a pass for that event alone gives it."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from core.accounts import fold
from core.events import _vantage
from core.records import (
    Answer,
    Clock,
    Drop,
    DropCause,
    KnownBy,
    Opened,
    OutageBegan,
    OutageEnded,
    ProbeHealth,
    ProbeStarted,
    Record,
    Summary,
)
from tests.core.test_judge import S, health

INSTANTS = st.integers(1, 12)
SLOTS = st.integers(0, 2)


def answer(t_ns: int, slot: int, node: str) -> Answer:
    return Answer(t_ns, "c1", slot, f"c1-{slot}", "dc1", "N1", "", "", node, KnownBy.FLOW)


def ended(t_ns: int, slot: int) -> OutageEnded:
    return OutageEnded(
        t_ns, "c1", slot, Clock.DATA_PLANE, t_ns - 4, t_ns - 4, t_ns - 3, t_ns - 2, t_ns - 1, t_ns, 3, 0, 0, False, True
    )


RECORDS = st.lists(
    st.one_of(
        st.builds(lambda t, s: Opened(t, "c1", s, f"c1-{s}", "a", 1, 1, 0), INSTANTS, SLOTS),
        st.builds(answer, INSTANTS, SLOTS, st.sampled_from(["ace1", "ace2"])),
        st.builds(lambda t, s: Drop(t, "c1", s, f"c1-{s}", DropCause.RESET, "", 1), INSTANTS, SLOTS),
        st.builds(lambda t, s: OutageBegan(t, "c1", s, Clock.DATA_PLANE, t), INSTANTS, SLOTS),
        st.builds(ended, INSTANTS, SLOTS),
        st.builds(lambda t: Summary(t, "c1", "", "", "", 1, 1, 1, 0, 0, 1, 1, ()), INSTANTS),
        st.builds(lambda t: ProbeStarted(t, 1, "c1", "socket", 1, 1, 1), INSTANTS),
        st.builds(lambda t, n: ProbeHealth(t, "c1", 1, 0, 0, 0, 0, n, 0, 0, 0, 1, ()), INSTANTS, st.integers(0, 1)),
    ),
    max_size=25,
)


@given(RECORDS, st.lists(INSTANTS, min_size=2, max_size=5))
def test_together_as_alone(records: list[Record], instants: list[int]) -> None:
    records.sort(key=lambda record: record.t_ns)
    spans = list(pairwise(sorted(instants)))
    together = _vantage("c1", records, spans)
    alone = []
    for span in spans:
        alone += _vantage("c1", records, [span])
    assert together == alone


def test_what_happens_at_the_very_instant_is_in_both() -> None:
    records: list[Record] = [
        Opened(1, "c1", 0, "c1-0", "a", 1, 1, 0),
        answer(2, 0, "ace1"),
        Drop(10, "c1", 0, "c1-0", DropCause.RESET, "", 1),
    ]
    first, second = _vantage("c1", records, [(5, 10), (10, 20)])
    assert (first.alive, first.drops, second.alive, second.drops) == (1, 1, 1, 1)


def test_nothing_told_is_no_account() -> None:
    records: list[Record] = [Opened(1, "c1", 0, "c1-0", "a", 1, 1, 0), health(30, 0)]
    assert [account for _, account, _ in fold(records, [(5, 10), (10, 20)])] == [None, None]
    assert _vantage("c1", records, [(5, 10 * S)])[0].unknown == "no session was alive at the event"
