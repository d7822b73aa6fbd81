"""The probes' own lateness is told with every verdict."""

from __future__ import annotations

from dataclasses import replace

from core.records import ProbeHealth
from core.timing import timing


def health(vantage: str, p99_ns: int, worst_ns: int, skipped: int) -> ProbeHealth:
    return ProbeHealth(1, vantage, 5, 0, p99_ns, worst_ns, skipped, 0, 0, 0, 0, 1, ())


def test_the_usual_and_the_worst_and_what_was_never_sent() -> None:
    mine = [
        health("c1", 2_000_000, 4_000_000, 0),
        health("c1", 3_000_000, 40_000_000, 7),
        health("c1", 9_000_000, 1, 0),
    ]
    assert timing([*mine, health("a", 500_000, 600_000, 0)]) == [
        "heartbeats left late by ms, 99 % of a second's: a 0.5 (worst 0.6, 0 missed), c1 3.0 (worst 40.0, 7 missed)"
    ]
    assert timing([]) == []


def test_outages_that_found_no_room_are_told_as_a_count() -> None:
    found = timing([replace(health("c1", 1, 1, 0), untold=3, untold_own=9), replace(health("c1", 1, 1, 0), untold=4)])
    assert found[1:] == [
        "c1: 9 more gaps were the probe's own making",
        "c1: 7 outages came too fast to be told one by one",
    ]
