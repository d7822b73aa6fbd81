"""The view of a run: every figure of the page, from records alone; nothing of how it is drawn."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from cli.verdict import Judged
from core.judge import judge
from core.records import (
    Answer,
    Clock,
    Drop,
    DropCause,
    KnownBy,
    Opened,
    OutageBegan,
    OutageEnded,
    Outcome,
    Record,
    RunEnded,
    Summary,
)
from dashboards.report import lanes
from dashboards.report.assemble import Run, view
from dashboards.report.timeline import MOST_ROWS, timeline
from dashboards.report.view import NO_ANSWER, NO_TELEMETRY, Lane, View
from tests.dashboards.conftest import run_of
from tests.recorded.synthetic import Synthetic

S = 1_000_000_000


def at(lane: Lane, second: float) -> dict[str, float]:
    """Who answers the sessions of a lane then."""
    return next((dict(span.parts) for span in lane.spans if span.from_s <= second < span.until_s), {})


def test_the_first_screen_says_what_was_expected_and_what_happened(shown: View) -> None:
    assert shown.outcome == "PASSED"
    assert shown.expected.startswith("ace1 dies, its peer ace2 takes over; dc1 loses both nodes")
    assert "32 expectations" in shown.expected
    assert shown.happened.startswith("All 32 expectations held; the longest data-plane outage was 1.3")
    assert "(48 by reset) and all opened again" in shown.happened
    for sentence in (shown.expected, shown.happened):
        assert sentence.endswith(".")
        assert sentence.count(". ") == 0


def test_the_lanes_show_who_answered(shown: View) -> None:
    by_name = {lane.vantage: lane for lane in shown.overview.lanes}
    failover, _, site, back, *_ = shown.events
    assert at(by_name["c1"], failover.at_s - 1) == {"ace1": 1.0}
    assert at(by_name["c1"], failover.at_s + 2) == {"ace2": 1.0}
    assert at(by_name["c1"], site.at_s + 0.6) == {NO_ANSWER: 1.0}
    assert at(by_name["c1"], site.at_s + 4) == {"ace3": 1.0}
    assert at(by_name["c1"], back.at_s + 10) == {"ace1": 1.0}
    assert {name for span in by_name["c3"].spans for name, _ in span.parts} == {"ace3"}
    assert [(who.label, who.hue, who.pattern) for who in shown.who] == [("ace1", 0, 0), ("ace2", 0, 1), ("ace3", 1, 0)]


def test_an_event_has_its_bounds_clocks_drops_and_paths(shown: View, judged: Judged) -> None:
    site = shown.events[2]
    (outcome,) = (o for o in judged.verdict.events[2].vantages if o.vantage == "c1")
    assert outcome.data_plane is not None
    (gap,) = site.lanes.lanes[0].gaps
    assert gap.upper_s == outcome.data_plane.worst.upper_ns / 1e9
    assert gap.from_s < gap.sure_from_s < gap.sure_until_s < gap.until_s
    clocks = {(bound.vantage, bound.clock): bound for bound in site.clocks}
    assert {clock for name, clock in clocks if name == "c1"} == {"data plane", "new connections", "held kernel session"}
    assert clocks["c1", "data plane"].limit_s == 5
    assert {drops.vantage: drops.by_cause for drops in site.drops}["c1"] == (("reset", 6),)
    curve = next(curve for curve in site.curves if curve.vantage == "c1")
    assert (curve.steps[0][1], curve.steps[-1][1]) == (1.0, 0.0)
    assert all(curve.survived == curve.alive for curve in site.curves if curve.vantage in ("c3", "c4"))
    paths = {paths.vantage: paths for paths in site.paths}
    assert paths["c1"].changed
    assert not paths["c3"].changed
    assert paths["c1"].before[0].hops[-1][1] in ("ace1", "ace2")
    assert paths["c1"].after[0].hops[-1][1] == "ace3"
    trips = {trip.vantage: trip for trip in site.round_trips}
    assert trips["c1"].shift_ms is not None
    assert abs(trips["c1"].shift_ms) < 5
    assert len(site.held) == 8


def test_rails_say_how_near_it_came(shown: View) -> None:
    assert {rail.verdict for rail in shown.rails} == {"kept"}
    rails = {(rail.experiment, rail.rail): rail for rail in shown.rails}
    lease = rails["node-failover", "lease: armed until proven reverted"]
    assert (lease.limit, float(lease.reached.split()[0]) < 10) == ("30 s", True)
    assert rails["site-failover", "longest silence at c3 c4"].reached == "no outage"


def test_the_timeline_has_every_step_and_puts_sessions_together(shown: View) -> None:
    words = [row.text for row in shown.timeline]
    assert sum("injected" in text for text in words) == 10
    assert any(text == "6 sessions dropped by reset" for text in words)
    assert [row.at_s for row in shown.timeline] == sorted(row.at_s for row in shown.timeline)
    assert shown.timeline_left_out == 0
    rows, _ = timeline([answer(2, ""), answer(2.1, "ace1"), answer(2.2, "ace1")], 0, 0)
    assert [row.text for row in rows] == ["1 session answered by dc1", "1 session answered by ace1"]


def test_a_long_timeline_keeps_what_the_runner_did() -> None:
    records: list[Record] = [RunEnded(10_000 * S, 1, Outcome.PASSED)]
    records += [Drop(t * S, "c1", 0, "x", DropCause.RESET, "", 1) for t in range(2 * MOST_ROWS)]
    rows, left_out = timeline(records, 0, 0)
    assert (len(rows), left_out) == (MOST_ROWS, MOST_ROWS + 1)
    assert rows[-1].text == "run ended: PASSED"


def changes_of(*records: Record, sessions: int = 1) -> lanes.Changes:
    run = Synthetic(sessions=4 * sessions)
    from core.loader import parse_inventory

    inventory = parse_inventory(run.inventory, "inventory")
    found = lanes.gather(sorted(records, key=lambda each: each.t_ns), inventory, 0, 100 * S)
    return next(changes for changes in found if changes.vantage == "c1")


def second(t_s: int) -> Summary:
    return Summary(t_s * S, "c1", "dc1", "ace1", "N1", 1, 1, 1, 0, 0, 1, 1, ())


def opened(t_s: int, restart: int = 0) -> Opened:
    return Opened(t_s * S, "c1", 0, f"c1-0-{restart}", "a", 1, 1, restart)


def answer(t_s: float, node: str, restart: int = 0) -> Answer:
    t_ns = round(t_s * S)
    return Answer(t_ns, "c1", 0, f"c1-0-{restart}", "dc1", "N1", "10.1.100.1", "s1", node, KnownBy.FLOW)


def ended(from_s: int, until_s: int, self_inflicted: bool = False) -> OutageEnded:
    a, b = from_s * S, until_s * S
    bounds = (a - 1, a - 1, a, b - 1, b, b)
    return OutageEnded(b, "c1", 0, Clock.DATA_PLANE, *bounds, 9, 0, 0, self_inflicted, True)


SECONDS = [second(t_s) for t_s in range(1, 101)]


def test_what_a_path_shows_after_an_outage_is_shown_from_its_end() -> None:
    told = changes_of(opened(1), answer(2, "ace1"), ended(10, 12), answer(13.5, "ace2"), *SECONDS)
    lane = lanes.lane(told, 0, 48 * S, 0)
    assert [at(lane, t_s) for t_s in (9, 11, 12.5, 14)] == [{"ace1": 1}, {NO_ANSWER: 1}, {"ace2": 1}, {"ace2": 1}]
    late = changes_of(opened(1), answer(2, "ace1"), ended(10, 12), answer(30, "ace2"), *SECONDS)
    assert at(lanes.lane(late, 0, 48 * S, 0), 20) == {"ace1": 1}


def test_what_becomes_known_later_was_so_from_the_beginning() -> None:
    told = changes_of(opened(1), answer(2, ""), answer(5, "ace1"), *SECONDS)
    assert at(lanes.lane(told, 0, 48 * S, 0), 3) == {"ace1": 1}
    another = changes_of(
        opened(1),
        answer(2, "ace1"),
        Drop(3 * S, "c1", 0, "c1-0-0", DropCause.FIN, "", 1),
        opened(9, 1),
        answer(10, "ace2", 1),
        *SECONDS,
    )
    lane = lanes.lane(another, 0, 48 * S, 0)
    assert [at(lane, t_s) for t_s in (2.5, 5, 9.5, 11)] == [{"ace1": 1}, {NO_ANSWER: 1}, {NO_ANSWER: 1}, {"ace2": 1}]


def test_no_outage_is_too_short_to_be_seen() -> None:
    short = OutageEnded(
        10 * S + 400,
        "c1",
        0,
        Clock.DATA_PLANE,
        10 * S,
        10 * S,
        10 * S,
        10 * S + 300,
        10 * S + 300,
        10 * S + 400,
        3,
        0,
        0,
        False,
        True,
    )
    told = changes_of(opened(1), answer(2, "ace1"), short, *SECONDS)
    assert NO_ANSWER in {name for span in lanes.lane(told, 0, 100 * S, 0).spans for name, _ in span.parts}
    own = changes_of(opened(1), answer(2, "ace1"), ended(10, 12, self_inflicted=True), *SECONDS)
    assert at(lanes.lane(own, 0, 48 * S, 0), 11) == {"ace1": 1}
    open_end = changes_of(
        opened(1), answer(2, "ace1"), OutageBegan(91 * S, "c1", 0, Clock.DATA_PLANE, 90 * S), *SECONDS
    )
    assert at(lanes.lane(open_end, 0, 100 * S, 0), 95) == {NO_ANSWER: 1}


def test_a_time_without_telemetry_is_no_answer_of_anybody() -> None:
    told = changes_of(opened(1), answer(2, "ace1"), *(each for each in SECONDS if not 20 * S < each.t_ns < 30 * S))
    lane = lanes.lane(told, 0, 48 * S, 0)
    assert at(lane, 25) == {NO_TELEMETRY: 1}
    assert at(lane, 31) == {"ace1": 1}


def test_an_interrupted_run_and_an_empty_one_are_shown(judged: Judged) -> None:
    run = run_of(judged)
    cut = [record for record in run.records if record.t_ns < run.records[0].t_ns + 9 * S]
    verdict = judge(cut, run.inventory, run.experiments)
    found = view(replace(run, records=cut, verdict=verdict))
    assert found.happened.startswith("The run was interrupted: its end was never written; ")
    assert len(found.events) == 1
    empty = view(
        Run(
            run.started,
            [run.started],
            judge([run.started], run.inventory, run.experiments),
            run.inventory,
            run.experiments,
        )
    )
    assert empty.events == ()
    assert len(empty.other_held) == 32
    assert {held.verdict for held in empty.other_held} == {"unknown"}


def test_a_failed_run_says_what_broke() -> None:
    made = Synthetic(sessions=40, seconds=120, node_outage_s=1.6)
    from core.loader import parse_inventory, parse_past_experiments

    inventory = parse_inventory(made.inventory, "inventory")
    experiments = parse_past_experiments([("e", text) for text in made.experiments], inventory)
    records = made.all()
    started = records[0]
    found = view(Run(started, records, judge(records, inventory, experiments), inventory, experiments))  # type: ignore[arg-type]
    assert found.happened.startswith("1 of 32 expectations broken: c1 c2 data-plane outage below 1 s in node-failover")
    assert [held.verdict for held in found.events[0].held].count("broken") == 1


@pytest.mark.parametrize("module", ["assemble", "lanes", "event_facts", "sentences", "guard_rails", "timeline", "view"])
def test_the_view_knows_no_drawing(module: str) -> None:
    look = "print([name for name in ('matplotlib', 'jinja2', 'numpy') if name in sys.modules])"
    code = f"import sys, dashboards.report.{module}; {look}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
