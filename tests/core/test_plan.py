"""The plan on its virtual clock: order, offsets, own holds, failbacks, bounds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from chaos.drivers import DECLARED
from core.experiment import Abort, Experiment, Fault, SteadyState
from core.loader import load_experiments, load_inventory
from core.plan import (
    ARM_WITHIN_S,
    PROVE_WITHIN_S,
    REVERT_WITHIN_S,
    StepKind,
    begins_s,
    longest_s,
    settles_to,
    timeline,
)

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
STEADY = SteadyState({"c1": "dc1"}, 2.0, 20.0)


def experiment(name: str, *faults: Fault, reverts: str | None = None, hold_s: float = 5.0) -> Experiment:
    return Experiment(name, name, STEADY, faults, reverts, hold_s, 60.0, 4.0, (), (Abort(("c1",), 1.0, 3.0),), "x")


def fault(name: str, at_s: float = 0.0, hold_s: float | None = None) -> Fault:
    return Fault(name, "link", "sw1", {"interface": name}, at_s, hold_s)


def told(*experiments: Experiment) -> list[tuple[float, str]]:
    return [(step.at_s, f"{step.kind} {step.fault}".strip()) for step in timeline(experiments)]


def test_faults_together_are_reverted_in_reverse() -> None:
    assert told(experiment("both", fault("a"), fault("b"))) == [
        (-2.0, "gate"),
        (0.0, "arm a"),
        (0.0, "arm b"),
        (0.0, "inject a"),
        (0.0, "inject b"),
        (0.0, "prove a"),
        (0.0, "prove b"),
        (0.0, "hold"),
        (5.0, "revert b"),
        (5.0, "revert a"),
        (5.0, "settle"),
        (9.0, "done"),
    ]


def test_in_sequence_one_ends_before_the_next_begins() -> None:
    assert told(experiment("one by one", fault("b", 3.0), fault("a", 0.0, 3.0)))[3:] == [
        (0.0, "inject a"),
        (0.0, "prove a"),
        (3.0, "revert a"),
        (3.0, "inject b"),
        (3.0, "prove b"),
        (3.0, "hold"),
        (8.0, "revert b"),
        (8.0, "settle"),
        (12.0, "done"),
    ]


def test_overlapping() -> None:
    steps = told(experiment("overlap", fault("a", 1.0, 4.0), fault("b", 2.0), fault("c", 3.0, 5.0)))
    assert [step for step in steps if step[1].startswith("revert")] == [
        (5.0, "revert a"),
        (8.0, "revert c"),
        (8.0, "revert b"),
    ]


def test_a_later_experiment_reverts_what_was_left_out() -> None:
    failover = experiment("over", fault("a"), fault("b", 1.0, 2.0), fault("c", 1.0))
    failback = replace(experiment("back", reverts="over"), steady_state=replace(STEADY, for_s=1.0))
    assert told(failover, failback)[-7:] == [
        (6.0, "done"),
        (-1.0, "gate"),
        (0.0, "revert c"),
        (0.0, "revert a"),
        (0.0, "hold"),
        (5.0, "settle"),
        (9.0, "done"),
    ]
    assert settles_to(failback, [failover, failback]) is failover.steady_state
    assert begins_s([failover, failback]) == (2.0, 2.0 + 6.0 + 1.0)


def test_the_longest_is_every_wait_used_up() -> None:
    one = experiment("one", fault("a"), fault("b", 1.0))
    waits = 2 * (ARM_WITHIN_S + PROVE_WITHIN_S + REVERT_WITHIN_S)
    assert longest_s([one]) == (2.0 + 20.0) + waits + 6.0 + (4.0 + 20.0)


def test_the_story_of_the_lab() -> None:
    names = ("node-failover", "site-failover", "site-failback", "route-withdrawal")
    found = load_experiments(
        [EXPERIMENTS / f"{name}.yaml" for name in names], load_inventory(EXPERIMENTS / "lab.yaml"), DECLARED
    )
    steps = timeline(found)
    assert [step.experiment for step in steps if step.kind is StepKind.DONE] == list(names)
    settled = [step.experiment for step in steps if step.kind is StepKind.SETTLE]
    assert settled == ["node-failover", "site-failback", "route-withdrawal"]
    assert begins_s(found)[-1] < 60 < longest_s(found)


@given(
    st.lists(st.tuples(st.integers(0, 20), st.none() | st.integers(1, 10)), min_size=1, max_size=5).flatmap(
        st.permutations
    )
)
def test_every_fault_is_armed_first_injected_once_and_reverted_once(spans: list[tuple[int, int | None]]) -> None:
    faults = [fault(str(number), at_s, hold_s) for number, (at_s, hold_s) in enumerate(spans)]
    steps = timeline([experiment("any", *faults, hold_s=10.0)])
    order = [(step.kind, step.fault) for step in steps]
    last_armed = max(index for index, (kind, _) in enumerate(order) if kind is StepKind.ARM)
    for each in faults:
        places = [order.index((kind, each.name)) for kind in (StepKind.ARM, StepKind.INJECT, StepKind.PROVE)]
        places.append(order.index((StepKind.REVERT, each.name)))
        assert places == sorted(places)
        assert places[1] > last_armed
        assert sum(name == each.name for _, name in order) == 4
        (revert,) = (step for step in steps if (step.kind, step.fault) == (StepKind.REVERT, each.name))
        (inject,) = (step for step in steps if (step.kind, step.fault) == (StepKind.INJECT, each.name))
        assert inject.at_s == each.at_s
        assert each.hold_s is None or revert.at_s == each.at_s + each.hold_s
    instants = [step.at_s for step in steps]
    assert instants == sorted(instants)
