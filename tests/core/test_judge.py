"""Verdicts from histories of a few records: each can be held, broken and unknown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from chaos.drivers import DECLARED
from core.clock_records import ClockOffset
from core.evidence import EvidenceWritten
from core.experiment import Expectation, Experiment, Sessions
from core.inventory import Inventory
from core.judge import RunVerdict, Verdict, judge
from core.loader import load_experiments, load_inventory
from core.records import (
    Answer,
    Clock,
    Drop,
    DropCause,
    FaultPhase,
    FaultStep,
    KnownBy,
    Opened,
    OutageBegan,
    OutageEnded,
    Outcome,
    ProbeHealth,
    ProbeStarted,
    ProbeStopped,
    Record,
    RunEnded,
    Summary,
)

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
S = 1_000_000_000
FAULT_S, END_S = 10, 20


@pytest.fixture(scope="module")
def inventory() -> Inventory:
    found = load_inventory(EXPERIMENTS / "lab.yaml")
    return replace(found, vantages={"c1": replace(found.vantages["c1"], sessions=2)})


@pytest.fixture(scope="module")
def experiment() -> Experiment:
    (found,) = load_experiments(
        [EXPERIMENTS / "node-failover.yaml"], load_inventory(EXPERIMENTS / "lab.yaml"), DECLARED
    )
    return replace(found, expectations=(Expectation(("c1",), "dc1", "ace2", "N1", Sessions.SURVIVE, 1.0, 0.5),))


def answer(t_ns: int, slot: int, node: str, site: str = "dc1", pool: str = "N1") -> Answer:
    return Answer(t_ns, "c1", slot, f"c1-{slot}-0", site, pool, "10.1.100.1", "s1", node, KnownBy.FLOW)


def outage(slot: int, length_ns: int, clock: Clock = Clock.DATA_PLANE) -> OutageEnded:
    begin, end = FAULT_S * S, FAULT_S * S + length_ns
    step = 10_000_000
    return OutageEnded(
        end + 1, "c1", slot, clock, begin, begin + 1, begin + step, end - step, end, end + 1, 9, 0, 0, False, True
    )


def history(*more: Record, injected: bool = True) -> list[Record]:
    """A node failover that went well: two sessions, both answered by ace2 after it."""
    records: list[Record] = [
        Summary(second * S, "c1", "dc1", "ace1", "N1", 2, 200, 200, 0, 0, 1, 1, (0,)) for second in range(1, END_S + 1)
    ]
    for slot in (0, 1):
        records.append(Opened(S, "c1", slot, f"c1-{slot}-0", "10.10.1.2", 20_000 + slot, 1, 0))
        records += [answer(2 * S, slot, "ace1"), answer(11 * S, slot, "ace2")]
        records.append(outage(slot, 300_000_000))
    phases = [FaultPhase.ARMED, FaultPhase.INJECTING, FaultPhase.INJECTED, *([FaultPhase.PROVEN] if injected else [])]
    for fault in ("ace1-link", "ace1-keepalived", "ace1-conntrackd"):
        records += [FaultStep(FAULT_S * S, "node-failover", fault, "l", phase) for phase in phases]
    records += [ProbeStopped(END_S * S, "c1", "x"), RunEnded(END_S * S, 1, Outcome.PASSED), *more]
    return sorted(records, key=lambda record: record.t_ns)


def verdicts(found: RunVerdict) -> dict[str, Verdict]:
    return {judgement.expected: judgement.verdict for judgement in found.judgements}


def judged(records: Sequence[Record], inventory: Inventory, experiment: Experiment) -> RunVerdict:
    return judge(records, inventory, [experiment])


def test_all_held(inventory: Inventory, experiment: Experiment) -> None:
    found = judged(history(), inventory, experiment)
    assert set(verdicts(found).values()) == {Verdict.HELD}
    assert len(found.judgements) == 6
    assert found.outcome is Outcome.PASSED
    (event,) = found.events
    (outcome,) = event.vantages
    assert (outcome.alive, outcome.survived, outcome.drops) == (2, 2, 0)
    assert (event.first_convergence_ns, event.full_convergence_ns) == (300_000_000, 300_000_000)
    assert outcome.before.only == ("dc1", "ace1", "N1")
    assert outcome.after.only == ("dc1", "ace2", "N1")


def test_one_drop_breaks_survival(inventory: Inventory, experiment: Experiment) -> None:
    drop = Drop(12 * S, "c1", 0, "c1-0-0", DropCause.RESET, "", S)
    again = Opened(12 * S + 1, "c1", 0, "c1-0-1", "10.10.1.2", 20_009, 1, 1)
    found = judged(history(drop, again, answer(12 * S + 2, 0, "ace2")), inventory, experiment)
    assert verdicts(found)["sessions survive"] is Verdict.BROKEN
    assert found.outcome is Outcome.FAILED
    assert found.events[0].vantages[0].dropped == {"reset": 1}
    restart = replace(experiment, expectations=(Expectation(("c1",), None, None, None, Sessions.RESTART, None, None),))
    assert verdicts(judged(history(drop, again), inventory, restart)) == {"sessions restart": Verdict.BROKEN}


def test_a_drop_before_the_fault_is_not_its_doing(inventory: Inventory, experiment: Experiment) -> None:
    early: list[Record] = [
        Drop(5 * S, "c1", 0, "c1-0-0", DropCause.RESET, "", S),
        Opened(5 * S + 1, "c1", 0, "c1-0-1", "a", 1, 1, 1),
    ]
    found = judged(history(*early, answer(5 * S + 2, 0, "ace1")), inventory, experiment)
    assert verdicts(found)["sessions survive"] is Verdict.HELD


@pytest.mark.parametrize(
    ("expected", "record"),
    [
        ("answered by node ace2", answer(13 * S, 1, "ace1")),
        ("answered by site dc1", answer(13 * S, 1, "ace3", "dc2", "N2")),
        ("answered by NAT pool N1", answer(13 * S, 1, "ace2", "dc1", "N2")),
        ("answered by node ace2", answer(13 * S, 1, "")),
        ("data-plane outage below 1 s", outage(1, S)),
        ("new connections within 0.5 s", outage(-1, S // 2, Clock.NEW_CONNECTIONS)),
        ("data-plane outage below 1 s", OutageBegan(14 * S, "c1", 1, Clock.DATA_PLANE, 13 * S)),
    ],
)
def test_each_expectation_breaks(inventory: Inventory, experiment: Experiment, expected: str, record: Record) -> None:
    found = verdicts(judged(history(record), inventory, experiment))
    assert found[expected] is Verdict.BROKEN


def test_untouched_means_no_drop_no_outage_no_move(inventory: Inventory, experiment: Experiment) -> None:
    calm = replace(experiment, expectations=(Expectation(("c1",), None, None, None, Sessions.UNTOUCHED, None, None),))
    still = [record for record in history() if not isinstance(record, OutageEnded)]
    assert verdicts(judged(still, inventory, calm)) == {"sessions untouched": Verdict.HELD}
    assert verdicts(judged(history(), inventory, calm)) == {"sessions untouched": Verdict.BROKEN}
    own = replace(outage(0, 300_000_000), self_inflicted=True)
    found = judged([*still[:-2], own, *still[-2:]], inventory, calm)
    assert verdicts(found) == {"sessions untouched": Verdict.HELD}
    assert found.events[0].vantages[0].self_inflicted == 1


def test_what_is_not_known_is_unknown(inventory: Inventory, experiment: Experiment) -> None:
    unproven = judged(history(injected=False), inventory, experiment)
    assert set(verdicts(unproven).values()) == {Verdict.UNKNOWN}
    assert unproven.outcome is Outcome.INCONCLUSIVE
    gap = [r for r in history() if not (isinstance(r, Summary) and 12 * S <= r.t_ns <= 16 * S)]
    assert set(verdicts(judged(gap, inventory, experiment)).values()) == {Verdict.UNKNOWN}
    no_sessions = [r for r in history() if not isinstance(r, Opened)]
    assert set(verdicts(judged(no_sessions, inventory, experiment)).values()) == {Verdict.UNKNOWN}
    assert set(verdicts(judge([], inventory, [experiment])).values()) == {Verdict.UNKNOWN}


def test_the_runners_own_words_come_first(inventory: Inventory, experiment: Experiment) -> None:
    for outcome in (Outcome.ABORTED, Outcome.REVERT_FAILED, Outcome.BLOCKED):
        records = [RunEnded(r.t_ns, 1, outcome, "why") if isinstance(r, RunEnded) else r for r in history()]
        assert judged(records, inventory, experiment).outcome is outcome
    killed = [r for r in history() if not isinstance(r, RunEnded)]
    assert judged(killed, inventory, experiment).outcome is Outcome.INCONCLUSIVE


def health(second: int, ring_dropped: int, vantage: str = "c1") -> ProbeHealth:
    return ProbeHealth(second * S, vantage, 1, 0, 0, 0, 0, ring_dropped, 0, 0, 0, 1, ())


@pytest.mark.parametrize(("second", "unknown"), [(9, False), (10, False), (11, True), (12, False)])
def test_a_full_ring_in_an_outage_makes_it_unknown(
    inventory: Inventory, experiment: Experiment, second: int, unknown: bool
) -> None:
    """The outage is from 10.0 to 10.3 s; what was lost is known by the second."""
    drops = [health(each, 7 if each == second else 0) for each in range(1, END_S + 1)]
    found = judged(history(*drops), inventory, experiment)
    assert set(verdicts(found).values()) == {Verdict.UNKNOWN if unknown else Verdict.HELD}
    (outcome,) = found.events[0].vantages
    assert ("7 packets found the receive ring full" in outcome.unknown) == unknown
    assert outcome.ring_dropped == (7 if second > FAULT_S else 0)


def test_a_full_ring_is_a_doubt_only_where_answers_are_missing(inventory: Inventory, experiment: Experiment) -> None:
    drops = [health(each, 7) for each in range(1, END_S + 1)]
    others = [health(each, 7, "c2") for each in range(1, END_S + 1)]
    assert set(verdicts(judged(history(*others), inventory, experiment)).values()) == {Verdict.HELD}
    calm = [record for record in history(*drops) if not isinstance(record, OutageEnded)]
    assert set(verdicts(judged(calm, inventory, experiment)).values()) == {Verdict.HELD}
    silent = sorted([*calm, OutageBegan(14 * S, "c1", 1, Clock.DATA_PLANE, 13 * S)], key=lambda record: record.t_ns)
    assert set(verdicts(judged(silent, inventory, experiment)).values()) == {Verdict.UNKNOWN}
    own = sorted([*calm, replace(outage(0, S), self_inflicted=True)], key=lambda record: record.t_ns)
    kernel = sorted([*calm, outage(-2, S, Clock.HELD_KERNEL)], key=lambda record: record.t_ns)
    for records in (own, kernel):
        assert set(verdicts(judged(records, inventory, experiment)).values()) == {Verdict.HELD}


def test_evidence_is_counted_and_the_command_named(inventory: Inventory) -> None:
    file = EvidenceWritten(1, "c1", "evidence/c1-1.pcapng", ("outage",), 1, 2, 3)
    assert judge([file, file], inventory, []).notes == (
        "packets around outages and drops: 2 files; `vipchaos evidence RUN` lists them",
    )
    assert judge([], inventory, []).notes == ()


def by_sockets(*more: Record) -> list[Record]:
    """The same failover, seen by the socket engine: no data plane, no node, and a stall for each session."""
    records: list[Record] = [ProbeStarted(S // 2, 1, "c1", "socket", 2, 1, 1), *more]
    for record in history():
        match record:
            case OutageEnded():
                records.append(replace(record, clock=Clock.HELD_KERNEL))
            case Answer():
                records.append(replace(record, node="", node_known_by=KnownBy.UNKNOWN))
            case _:
                records.append(record)
    return sorted(records, key=lambda record: record.t_ns)


def test_without_a_data_plane_clock_its_outage_is_unknown(inventory: Inventory, experiment: Experiment) -> None:
    found = judged(by_sockets(), inventory, experiment)
    assert verdicts(found) == {
        "answered by site dc1": Verdict.HELD,
        "answered by node ace2": Verdict.UNKNOWN,
        "answered by NAT pool N1": Verdict.HELD,
        "sessions survive": Verdict.HELD,
        "data-plane outage below 1 s": Verdict.UNKNOWN,
        "new connections within 0.5 s": Verdict.HELD,
    }
    evidence = {judgement.expected: judgement.evidence for judgement in found.judgements}
    assert evidence["data-plane outage below 1 s"] == "c1: no data-plane clock: socket engine"
    assert evidence["answered by node ace2"] == "c1: not known; the node is not seen: socket engine"
    assert found.outcome is Outcome.INCONCLUSIVE
    (outcome,) = found.events[0].vantages
    assert (outcome.engine, outcome.data_plane, outcome.measures_data_plane) == ("socket", None, False)
    assert outcome.held_kernel is not None


def test_a_session_that_stays_silent_on_a_socket_does_not_break_new_connections(
    inventory: Inventory, experiment: Experiment
) -> None:
    silent = by_sockets(OutageBegan(14 * S, "c1", 1, Clock.HELD_KERNEL, 13 * S))
    found = judged(silent, inventory, experiment)
    assert verdicts(found)["sessions survive"] is Verdict.BROKEN
    assert verdicts(found)["new connections within 0.5 s"] is Verdict.HELD
    assert found.events[0].vantages[0].open_ns == 7 * S
    refused = by_sockets(OutageBegan(14 * S, "c1", -1, Clock.NEW_CONNECTIONS, 13 * S))
    assert verdicts(judged(refused, inventory, experiment))["new connections within 0.5 s"] is Verdict.BROKEN


def test_untouched_on_sockets_is_held_without_a_stall_only(inventory: Inventory, experiment: Experiment) -> None:
    calm = replace(experiment, expectations=(Expectation(("c1",), None, None, None, Sessions.UNTOUCHED, None, None),))
    found = judged(by_sockets(), inventory, calm)
    assert verdicts(found) == {"sessions untouched": Verdict.UNKNOWN}
    assert "stall at c1, no data-plane clock: socket engine" in found.judgements[0].evidence
    still = [record for record in by_sockets() if not isinstance(record, OutageEnded)]
    assert verdicts(judged(still, inventory, calm)) == {"sessions untouched": Verdict.HELD}
    drop = Drop(12 * S, "c1", 0, "c1-0-0", DropCause.RESET, "", S)
    assert verdicts(judged(by_sockets(drop), inventory, calm)) == {"sessions untouched": Verdict.BROKEN}


def test_a_ring_that_breaks_is_not_excused_by_a_socket_beside_it(inventory: Inventory, experiment: Experiment) -> None:
    both = replace(inventory, vantages={**inventory.vantages, "c2": replace(inventory.vantages["c1"], name="c2")})
    limit = replace(experiment, expectations=(Expectation(("c1", "c2"), None, None, None, None, 0.2, None),))
    theirs = (Opened, Answer, OutageEnded, Summary)
    ring: list[Record] = [replace(record, vantage="c2") for record in history() if isinstance(record, theirs)]
    records = sorted([*by_sockets(), *ring], key=lambda record: record.t_ns)
    found = judged(records, both, limit)
    assert verdicts(found) == {"data-plane outage below 0.2 s": Verdict.BROKEN}
    relaxed = replace(limit, expectations=(replace(limit.expectations[0], outage_upper_s=1.0),))
    assert verdicts(judged(records, both, relaxed)) == {"data-plane outage below 1 s": Verdict.UNKNOWN}


def test_a_fault_that_ends_by_itself_ends_no_event(inventory: Inventory, experiment: Experiment) -> None:
    """The failback begins when the rest is reverted; of faults that all end by themselves, with the last."""
    reverted = [
        FaultStep((FAULT_S + after_s) * S, "node-failover", fault, "l", phase)
        for fault, after_s in (("ace1-link", 2), ("ace1-keepalived", 5), ("ace1-conntrackd", 4))
        for phase in (FaultPhase.REVERTING, FaultPhase.REVERT_PROVEN)
    ]
    for alone, failback_s in (((), 2), (("ace1-link",), 4), (("ace1-link", "ace1-conntrackd"), 5)):
        faults = tuple(replace(f, hold_s=1.0 if f.name in alone else None) for f in experiment.faults)
        found = judged(history(*reverted), inventory, replace(experiment, faults=faults))
        assert [event.kind for event in found.events] == ["failover", "failback"]
        assert found.events[1].at_ns == found.events[0].until_ns == (FAULT_S + failback_s) * S
    every = tuple(replace(fault, hold_s=1.0) for fault in experiment.faults)
    found = judged(history(*reverted), inventory, replace(experiment, faults=every))
    assert found.events[1].at_ns == (FAULT_S + 5) * S


def with_clock(records: Sequence[Record], bound_ns: int) -> list[Record]:
    return [ClockOffset(0, "c1", "here", 5, bound_ns), *records]


def test_a_verdict_that_depends_on_less_than_the_clocks_bound_is_unknown(
    inventory: Inventory, experiment: Experiment
) -> None:
    """A drop 1 ms before the fault is its doing or not, by how well the agent's clock is known."""
    drop = Drop(FAULT_S * S - 1_000_000, "c1", 0, "c1-0-0", DropCause.RESET, "", 1)
    seen = judged(history(drop), inventory, experiment)
    assert verdicts(seen)["sessions survive"] is Verdict.HELD
    for bound_ns, expected in ((900_000, Verdict.HELD), (1_100_000, Verdict.UNKNOWN)):
        found = judged(with_clock(history(drop), bound_ns), inventory, experiment)
        assert verdicts(found)["sessions survive"] is expected
    (words,) = [one.evidence for one in found.judgements if one.expected == "sessions survive"]
    assert words.endswith("it depends on less than the 1.1 ms to which the agents' clocks are known")
    assert found.outcome is Outcome.INCONCLUSIVE


def test_a_clock_that_nobody_measured_makes_all_of_its_vantage_unknown(
    inventory: Inventory, experiment: Experiment
) -> None:
    found = judged(with_clock(history(), -1), inventory, experiment)
    assert {one.verdict for one in found.judgements if "c1" in one.vantages} == {Verdict.UNKNOWN}
    assert "c1: its clock has not been measured against the controller's" in found.notes


def test_an_agent_whose_clock_is_known_badly_is_shown(inventory: Inventory, experiment: Experiment) -> None:
    assert (
        "c1: its clock is known to 51 ms only" in judged(with_clock(history(), 51_000_000), inventory, experiment).notes
    )
    assert not judged(with_clock(history(), 49_000_000), inventory, experiment).notes
