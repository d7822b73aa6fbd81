"""Ten thousand sessions at four vantages, as records made by rule; and an outage of half of them."""

from __future__ import annotations

from collections.abc import Iterator

from core.records import Answer, Clock, KnownBy, Opened, OutageBegan, ProbeStarted, Record, Summary
from tests.tui.recorded import records
from tui.model.tape import Tape

SESSIONS = 2_500
VANTAGES = ("c1", "c2", "c3", "c4")
SECOND_NS = 1_000_000_000


def opening(begin_ns: int) -> Iterator[Record]:
    """Yield the beginning of the recorded run, then 10 000 sessions opened and answered within a second."""
    yield records()[0]
    for vantage in VANTAGES:
        yield ProbeStarted(begin_ns, 0, vantage, "ring", SESSIONS, 1_000_000_000, 50_000_000)
    for slot in range(SESSIONS):
        t_ns = begin_ns + slot * SECOND_NS // SESSIONS
        for vantage in VANTAGES:
            yield Opened(t_ns, vantage, slot, f"{vantage}-{slot}-0", "10.10.1.2", 20_000 + slot, 200_000 + slot, 0)
            yield answered(t_ns, vantage, slot, "dc1" if vantage in ("c1", "c2") else "dc2")


def answered(t_ns: int, vantage: str, slot: int, site: str) -> Answer:
    """Return an answer of a session from a site's first node."""
    pool, node = ("N1", "ace1") if site == "dc1" else ("N2", "ace3")
    address = "10.1.100.10" if site == "dc1" else "10.2.100.10"
    return Answer(t_ns, vantage, slot, f"{vantage}-{slot}-0", site, pool, address, "s1", node, KnownBy.FLOW)


def second(t_ns: int) -> Iterator[Record]:
    """Yield one second's summaries."""
    for vantage in VANTAGES:
        site, node, pool = ("dc1", "ace1", "N1") if vantage in ("c1", "c2") else ("dc2", "ace3", "N2")
        yield Summary(t_ns, vantage, site, node, pool, SESSIONS, SESSIONS, SESSIONS, 0, 0, 210_000, 900_000, (0,) * 24)


def many(seconds: int = 3, silent: int = 1_000) -> Tape:
    """Return a tape of so many seconds, at whose end `silent` sessions of c1 have no answer."""
    begin_ns = records()[0].t_ns + SECOND_NS
    tape = Tape()
    tape.add(opening(begin_ns))
    for number in range(1, seconds + 1):
        tape.add(second(begin_ns + number * SECOND_NS))
    end_ns = begin_ns + seconds * SECOND_NS
    tape.add(OutageBegan(end_ns, "c1", slot, Clock.DATA_PLANE, end_ns - 14 * SECOND_NS // 10) for slot in range(silent))
    return tape
