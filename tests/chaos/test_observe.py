"""What a running experiment knows: steady, not steady and why, and when to abort."""

from __future__ import annotations

from dataclasses import replace

from chaos.observe import Observations
from core.experiment import Abort, SteadyState
from core.records import Clock, OutageBegan, OutageEnded, Summary

S = 1_000_000_000
STEADY = SteadyState({"c1": "dc1"}, 1, 1)
ABORT = (Abort(("c1",), 2.0, 3.0),)


def summary(t_ns: int, site: str, alive: int, answered: int = 100) -> Summary:
    return Summary(t_ns, "c1", site, "", "", alive, 100, answered, 0, 0, 0, 0, ())


def seen(*records: Summary | OutageBegan | OutageEnded, now_s: float) -> Observations:
    observations = Observations()
    for record in records:
        observations = observations.after(record)
    return observations.at(round(now_s * S))


def test_steady_needs_fresh_data_all_sessions_one_site_and_no_silence() -> None:
    count = {"c1": 25}
    assert seen(summary(S, "dc1", 25), now_s=2).unsteady(STEADY, count) == ""
    assert "no fresh data" in seen(now_s=9).unsteady(STEADY, count)
    assert "no fresh data" in seen(summary(S, "dc1", 25), now_s=4).unsteady(STEADY, count)
    assert "seen 24 by dc1" in seen(summary(S, "dc1", 24), now_s=2).unsteady(STEADY, count)
    mixed = seen(summary(S, "dc1", 20), summary(S, "dc2", 5), now_s=2)
    assert "20 by dc1, 5 by dc2" in mixed.unsteady(STEADY, count)
    assert "seen 25 by dc1" in seen(summary(S, "dc1", 25, 0), now_s=2).unsteady(STEADY, count)
    began = OutageBegan(2 * S, "c1", 3, Clock.DATA_PLANE, S)
    assert "1 sessions without answer" in seen(summary(S, "dc1", 25), began, now_s=2).unsteady(STEADY, count)
    ended = OutageEnded(2 * S, "c1", 3, Clock.DATA_PLANE, S, 1, 1, 1, 1, 1, 3, 0, 0, False, True)
    assert seen(summary(S, "dc1", 25), began, ended, now_s=2).unsteady(STEADY, count) == ""
    older = replace(ended, s_a_ns=S - 1)
    told_late = seen(summary(S, "dc1", 25), began, older, now_s=2)
    assert "1 sessions without answer" in told_late.unsteady(STEADY, count), "the end of an outage before this one"
    later = seen(summary(S, "dc1", 25), summary(2 * S, "dc2", 25), now_s=3)
    assert "seen 25 by dc2" in later.unsteady(STEADY, count), "a new second replaces the one before"


def test_abort_on_a_long_outage_and_on_stale_telemetry() -> None:
    assert seen(summary(S, "dc1", 25), now_s=2).abort_reason(ABORT) == ""
    assert "telemetry is 4.0 s old" in seen(summary(S, "dc1", 25), now_s=5).abort_reason(ABORT)
    assert "telemetry" in seen(now_s=5).abort_reason(ABORT)
    began = OutageBegan(S, "c1", 3, Clock.DATA_PLANE, S)
    assert seen(summary(2 * S, "", 0), began, now_s=2.5).abort_reason(ABORT) == ""
    assert "without answer" in seen(summary(3 * S, "", 0), began, now_s=3.5).abort_reason(ABORT)


def test_a_session_on_a_kernel_socket_is_silent_too_but_the_one_beside_the_ring_is_not_counted() -> None:
    held = OutageBegan(2 * S, "c1", 3, Clock.HELD_KERNEL, S)
    assert "1 sessions without answer" in seen(summary(S, "dc1", 25), held, now_s=2).unsteady(STEADY, {"c1": 25})
    ended = OutageEnded(2 * S, "c1", 3, Clock.HELD_KERNEL, S, 1, 1, 1, 1, 1, 3, 0, 0, False, True)
    assert seen(summary(S, "dc1", 25), held, ended, now_s=2).unsteady(STEADY, {"c1": 25}) == ""
    for slot, clock in ((-2, Clock.HELD_KERNEL), (-1, Clock.NEW_CONNECTIONS)):
        other = OutageBegan(2 * S, "c1", slot, clock, S)
        assert seen(summary(S, "dc1", 25), other, now_s=2).unsteady(STEADY, {"c1": 25}) == ""
