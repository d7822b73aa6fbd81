"""A record in another clock: all its instants moved alike, its lengths untouched."""

from __future__ import annotations

import dataclasses

from core.bodies import RECORD_TYPES
from core.records import Heartbeats, Opened
from core.shifted import INSTANTS, NO_INSTANTS, ONLY_T, shifted
from tests.store.journals import health, outage, summary


def test_each_field_in_nanoseconds_is_said_to_be_an_instant_or_a_length() -> None:
    fields = {
        field.name for each in RECORD_TYPES.values() for field in dataclasses.fields(each) if field.name.endswith("_ns")
    }
    instants = {name for names in INSTANTS.values() for name in names}
    assert fields >= NO_INSTANTS
    assert instants == {
        *("t_ns", "planned_ns", "began_ns", "last_sent_ns", "s_a_ns", "r_a_ns", "s_a1_ns"),
        *("s_b1_ns", "s_b_ns", "r_b_ns"),
    }


def test_lengths_stay_as_they_are() -> None:
    before = outage(10_000_000_000, "c1", 3)
    after = shifted(before, 5)
    assert after.r_b_ns - after.s_a_ns == before.r_b_ns - before.s_a_ns
    assert (after.t_ns, after.slip_ns, after.stamp_error_ns) == (before.t_ns + 5, before.slip_ns, 1_000)
    assert shifted(after, -5) == before


def test_heartbeats_that_were_not_answered_stay_so() -> None:
    assert shifted(Heartbeats(100, "c1", 0, ((10, 20), (30, 0))), 1) == Heartbeats(101, "c1", 0, ((11, 21), (31, 0)))


def test_what_has_but_one_instant_is_known() -> None:
    assert {"Summary", "ProbeHealth", "Opened", "Drop", "Note"} <= ONLY_T
    assert not {"OutageEnded", "OutageBegan", "Heartbeats", "FaultStep", "CaptureGap"} & ONLY_T
    for record in (summary(7, "c1", 0), health(7, "c1"), Opened(7, "c1", 0, "s", "::1", 1, 9, 0)):
        assert shifted(record, 3) == dataclasses.replace(record, t_ns=10)
