"""The view of a run at its instants: sentence, counts, countdowns; and the same however an instant is reached."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaos.drivers import DECLARED
from core.loader import load_experiments, load_inventory
from core.records import Clock, Drop, DropCause, Heartbeats, Opened, OutageBegan, OutageEnded, ProbeStarted
from tests.tui.recorded import AFTER_S, OUTAGE_S, STEADY_S, frame_at, records, tape
from tui.model.faults import acts_on
from tui.model.fold import Fold
from tui.model.headline import Mood, headline
from tui.model.tape import MARK_EVERY, Tape
from tui.model.vantage import VantageFold
from tui.model.view import View

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"


def view_at(at_s: float) -> View:
    view = frame_at(at_s).view
    assert view is not None
    return view


def summary(view: View) -> object:
    return [
        (v.name, v.alive, v.silent, v.down, v.restarted, dict(v.dropped), v.answering, len(v.seconds), v.last_ns)
        for v in view.vantages.values()
    ], [(fault.fault, fault.out) for fault in view.faults]


@pytest.mark.parametrize(
    ("at_s", "word", "mood", "parts"),
    [
        (0.5, "STARTING", Mood.QUIET, "no session is open yet"),
        (STEADY_S, "STEADY", Mood.GOOD, "100 of 100 sessions alive"),
        (OUTAGE_S, "FAILING OVER", Mood.BAD, "c1 c2 without answer for 0.94 s"),
        (OUTAGE_S, "FAILING OVER", Mood.BAD, "c3 c4 answered"),
        (AFTER_S, "FAULT OUT", Mood.CAUTION, "c1 c2 c3 c4 by ace3"),
        (54.6, "RUN ENDED", Mood.GOOD, "PASSED"),
    ],
)
def test_the_sentence_is_right(at_s: float, word: str, mood: Mood, parts: str) -> None:
    said = headline(view_at(at_s))
    assert (said.word, said.mood) == (word, mood)
    assert parts in said.text


def test_without_a_run_it_waits() -> None:
    assert headline(None).word == "WAITING"


def test_when_data_stop_coming_it_says_so_and_shows_nothing_green() -> None:
    begun = tape().begin_ns
    now_ns = begun + round(STEADY_S * 1e9)
    fold = Tape()
    fold.add(record for record in records() if record.t_ns <= now_ns)
    for later_s, word in ((1.0, "STEADY"), (4.0, "NO DATA")):
        said = headline(fold.at(now_ns).view(now_ns + round(later_s * 1e9)))
        assert said.word == word
    assert said.mood is Mood.BAD
    assert "c1 c2 c3 c4 silent for" in said.text


def test_the_kill_switch_is_in_the_sentence() -> None:
    assert "kill switch on: drill" in headline(view_at(STEADY_S), "drill").text


def test_countdowns() -> None:
    view = view_at(OUTAGE_S)
    assert {fault.fault for fault in view.out} >= {"ace1-link", "ace2-link"}
    assert 28 < (view.lease_ends_ns - view.now_ns) / 1e9 < 30
    assert 4 < (view.hold_ends_ns - view.now_ns) / 1e9 < 6
    assert view.number == 2
    assert view_at(STEADY_S).lease_ends_ns == 0


def test_counts_are_those_of_the_journal() -> None:
    view = view_at(54.6)
    for name, vantage in view.vantages.items():
        mine = [record for record in records() if getattr(record, "vantage", "") == name]
        sessions = [record for record in mine if not getattr(record, "held_kernel", False)]
        assert vantage.drops == sum(isinstance(record, Drop) for record in sessions)
        assert vantage.restarted == sum(isinstance(record, Opened) and record.restart > 0 for record in sessions)


def gap(s_a_ns: int, s_b_ns: int, t_ns: int, clock: Clock = Clock.DATA_PLANE, own: bool = False) -> OutageEnded:
    """The end of a gap from one answered heartbeat to another, told at `t_ns`; the period is 10."""
    slot = -1 if clock is Clock.NEW_CONNECTIONS else 0
    a1_ns, b1_ns = s_a_ns + 10, s_b_ns - 10
    return OutageEnded(
        t_ns, "c1", slot, clock, s_a_ns, s_a_ns + 1, a1_ns, b1_ns, s_b_ns, s_b_ns + 1, 9, 0, 0, own, True
    )


@pytest.mark.parametrize("own", [False, True])
def test_the_end_of_an_older_outage_told_late_ends_no_newer_one(own: bool) -> None:
    fold = VantageFold("c1")
    fold.take(ProbeStarted(0, 0, "c1", "ring", 1, 10, 10))
    fold.take(Opened(1, "c1", 0, "c1-0-0", "10.0.0.1", 1000, 5, 0))
    for clock, slot in ((Clock.DATA_PLANE, 0), (Clock.NEW_CONNECTIONS, -1)):
        fold.take(OutageBegan(130, "c1", slot, clock, 100))
        fold.take(OutageBegan(530, "c1", slot, clock, 500))
        fold.take(gap(100, 300, 540, clock, own))
    view = fold.view()
    assert (view.silent, view.no_new_since_ns) == (1, 500)
    for clock in (Clock.DATA_PLANE, Clock.NEW_CONNECTIONS):
        fold.take(gap(500, 700, 710, clock))
    view = fold.view()
    assert (view.silent, view.no_new_since_ns) == (0, 0)


def test_the_end_of_an_outage_before_a_drop_does_not_answer_the_slot() -> None:
    fold = VantageFold("c1")
    fold.take(ProbeStarted(0, 0, "c1", "ring", 1, 10, 10))
    fold.take(Opened(1, "c1", 0, "c1-0-0", "10.0.0.1", 1000, 5, 0))
    fold.take(Drop(400, "c1", 0, "c1-0-0", DropCause.RESET, "", 399))
    fold.take(gap(100, 300, 410))
    assert fold.view().silent == 1
    fold.take(gap(350, 600, 610))
    assert fold.view().silent == 0


def test_a_fault_is_drawn_at_the_nodes_that_it_acts_on() -> None:
    view = view_at(OUTAGE_S)
    assert {fault.fault: sorted(fault.nodes) for fault in view.out}["ace1-link"] == ["ace1"]
    inventory = load_inventory(EXPERIMENTS / "lab.yaml")
    withdrawal = load_experiments([EXPERIMENTS / "route-withdrawal.yaml"], inventory, DECLARED)[0]
    assert acts_on(withdrawal.faults[0], inventory) == (frozenset(), frozenset({"dc1"}))


@given(st.lists(st.floats(0, 55), min_size=1, max_size=6))
@settings(max_examples=15, deadline=None)
def test_an_instant_looks_the_same_however_it_is_reached(instants: list[float]) -> None:
    wound = Tape()
    wound.add(records())
    for at_s in instants:
        now_ns = wound.begin_ns + round(at_s * 1e9)
        fresh = Fold()
        for record in records():
            if record.t_ns <= now_ns:
                fresh.take(record)
        assert summary(wound.at(now_ns).view(now_ns)) == summary(fresh.view(now_ns))


def test_views_that_were_handed_out_stay_as_they_are() -> None:
    wound = Tape()
    wound.add(records())
    early_ns = wound.begin_ns + round(STEADY_S * 1e9)
    view = wound.at(early_ns).view(early_ns)
    before = summary(view), dict(view.vantages["c1"].history.slices)
    wound.at(wound.end_ns)
    assert (summary(view), dict(view.vantages["c1"].history.slices)) == before


def test_a_live_tape_is_bounded_and_goes_on() -> None:
    whole, bounded = Tape(), Tape(most=1000)
    for record in records():
        bounded.add([record])
        bounded.at(record.t_ns)
    whole.add(records())
    assert len(bounded.records) <= 1000 + MARK_EVERY
    assert bounded.let_go > 1000
    end_ns = whole.end_ns
    assert summary(bounded.at(end_ns).view(end_ns)) == summary(whole.at(end_ns).view(end_ns))
    at_ns = bounded.records[10].t_ns
    assert summary(bounded.at(at_ns).view(at_ns)) == summary(whole.at(at_ns).view(at_ns))


def test_a_record_that_comes_late_is_not_lost() -> None:
    mine = [record for record in records() if not isinstance(record, Heartbeats)]
    began = next(number for number, record in enumerate(mine) if isinstance(record, OutageBegan))
    late = Tape()
    late.add(mine[:began])
    late.add(mine[began + 1 : began + 40])
    end_ns = mine[began + 39].t_ns
    late.at(end_ns)
    late.add([mine[began]])
    straight = Tape()
    straight.add(mine[: began + 40])
    found, wanted = (tape.at(end_ns).view(end_ns).vantages for tape in (late, straight))
    assert {name: v.silent for name, v in found.items()} == {name: v.silent for name, v in wanted.items()}
