"""The runner: what it does in which order, and that every way out of it leaves the faults reverted."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from chaos import runner as runner_module
from chaos import switch
from chaos.drivers import DRIVERS
from chaos.dry import DryGuard
from chaos.guard.client import GuardClient, Guarding
from chaos.observe import Observations
from chaos.runner import Runner, Surroundings
from chaos.transport import at
from core.experiment import Abort, Experiment, Fault, SteadyState
from core.inventory import Announces, Host, Inventory
from core.lease_rules import Caps
from core.loader import load_inventory
from core.records import Clock, ExperimentPhase, FaultPhase, FaultStep, OutageBegan, Outcome, Record, Summary
from store.journal import read_journal
from tests.chaos.guarding import gone, out, processes
from tests.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]
STEADY = SteadyState({"c1": "dc1"}, 0.1, 0.5)


@dataclass
class World:
    """A network that is observed to be steady until `unsteady`, and everything that is recorded."""

    host: Host
    directory: Path
    records: list[Record] = field(default_factory=list)
    steady: Callable[[], bool] = lambda: True
    stop: str = ""
    guard: Callable[[], Guarding] | None = None

    def observe(self) -> Observations:
        now_ns = time.monotonic_ns()
        seen = Observations().after(Summary(now_ns, "c1", "dc1", "ace1", "N1", 25, 1, 1, 0, 0, 0, 0, ()))
        if not self.steady():
            seen = seen.after(OutageBegan(now_ns, "c1", 3, Clock.DATA_PLANE, now_ns - 10**9))
        return seen.at(now_ns)

    def run(self, *experiments: Experiment) -> tuple[Outcome, str]:
        return self.end(*experiments)[:2]

    def end(self, *experiments: Experiment, dry: bool = False) -> tuple[Outcome, str, str]:
        directory = self.directory / "leases"
        dry_guard = DryGuard(self.records.append, Caps())
        surroundings = Surroundings(
            observe=self.observe,
            record=self.records.append,
            stop=lambda: self.stop,
            run="test",
            run_directory=self.directory,
            lease_directory=directory,
            guard=(lambda: dry_guard)
            if dry
            else self.guard or (lambda: GuardClient(directory, directory / "no-caps.yaml")),
            hurry=dry,
        )
        ended = Runner(experiments, self.inventory(), surroundings).run()
        return ended.outcome, ended.reason, ended.reason_code

    def inventory(self) -> Inventory:
        """The lab's, with the test's own box; dc2 announces as long as the file `announced` says so."""
        found = load_inventory(ROOT / "experiments" / "lab.yaml")
        look = Announces("box", ("cat", str(self.directory / "announced")), "vip")
        sites = {name: replace(site, announces=look if name == "dc2" else None) for name, site in found.sites.items()}
        return replace(found, hosts={"box": self.host}, sites=sites)

    def steps(self) -> list[tuple[str, FaultPhase]]:
        return [(record.fault, record.phase) for record in self.records if isinstance(record, FaultStep)]

    def phases(self) -> list[str]:
        return [record.phase for record in self.records if isinstance(record, ExperimentPhase)]

    def out(self) -> dict[str, bool | None]:
        run = at(self.host)
        return {name: DRIVERS["link"].is_out(run, {"interface": name}, {})[0] for name in ("left", "right")}

    def nothing_left(self) -> bool:
        return out(self.host) == {"left": False, "right": False} and not list((self.directory / "leases").glob("*"))


@pytest.fixture
def world(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("VIPCHAOS_HOME", str(tmp_path / "home"))
    (tmp_path / "announced").write_text("vip\n")
    (tmp_path / "leases").mkdir()
    yield World(host, tmp_path)
    gone(tmp_path / "leases")


WHOLE = [
    FaultPhase.PLANNED,
    FaultPhase.ARMED,
    FaultPhase.INJECTING,
    FaultPhase.INJECTED,
    FaultPhase.PROVEN,
    FaultPhase.REVERTING,
    FaultPhase.REVERTED,
    FaultPhase.REVERT_PROVEN,
]
"""What becomes of a fault when all goes well."""


def cut(link: str, at_s: float = 0.0, hold_s: float | None = None, takes: tuple[str, ...] = ()) -> Fault:
    return Fault(link, "link", "box", {"interface": link}, at_s, hold_s, takes)


def experiment(name: str = "cut", *faults: str | Fault, reverts: str | None = None, hold_s: float = 0.2) -> Experiment:
    made = tuple(fault if isinstance(fault, Fault) else cut(fault) for fault in faults)
    return Experiment(name, name, STEADY, made, reverts, hold_s, 20.0, 0.1, (), (Abort(("c1",), 0.2, 3.0),), "x")


def test_armed_before_injected_proven_and_reverted(world: World) -> None:
    assert world.run(experiment("cut", "left", "right")) == (Outcome.PASSED, "")
    steps = world.steps()
    for fault in ("left", "right"):
        assert [phase for name, phase in steps if name == fault] == WHOLE
    phases = [phase for _, phase in steps]
    last_armed = max(number for number, phase in enumerate(phases) if phase is FaultPhase.ARMED)
    assert last_armed < phases.index(FaultPhase.INJECTING)
    assert world.phases() == ["gate", "inject", "hold", "revert", "settle", "done"]
    assert world.nothing_left()


def test_two_faults_of_one_driver_at_one_target_are_told_apart_by_their_lease(world: World) -> None:
    arguments = {"action": "drop", "hook": "input", "protocol": "udp"}
    faults = tuple(Fault(name, "nft", "box", arguments, 0.0) for name in ("one", "two"))
    assert world.run(replace(experiment(), faults=faults)) == (Outcome.PASSED, "")
    proven = [step for step in world.records if isinstance(step, FaultStep) and step.phase is FaultPhase.PROVEN]
    for step in proven:
        assert step.detail.startswith(f"table vipchaos_fault_{step.lease}.{step.fault}: expires in 1")
    assert sorted(step.fault for step in proven) == ["one", "two"], "both at one instant, so in any order"
    assert at(world.host).look(["nft", "list", "tables"]).out == ""
    assert world.nothing_left()


def test_a_failback_reverts_what_the_failover_left_out(world: World) -> None:
    seen: list[dict[str, bool | None]] = []
    append = world.records.append

    def record(fact: Record) -> None:
        append(fact)
        if isinstance(fact, ExperimentPhase) and fact.phase in ("done", "gate"):
            seen.append(out(world.host))

    world.records = _Spy(record)
    both = (experiment("cut", "right"), experiment("back", reverts="cut"))
    assert world.run(*both) == (Outcome.PASSED, "")
    assert [found["right"] for found in seen] == [False, True, True, False]
    assert world.nothing_left()


class _Spy(list[Record]):
    def __init__(self, append: Callable[[Record], None]) -> None:
        super().__init__()
        self.append = append  # type: ignore[method-assign]


def test_without_a_steady_state_nothing_is_touched(world: World) -> None:
    world.steady = lambda: False
    outcome, reason = world.run(experiment("cut", "left"))
    assert outcome is Outcome.BLOCKED
    assert reason.startswith("cut: no steady state within 0.6 s: c1: 1 sessions without answer")
    assert world.steps() == []


def test_a_target_that_is_out_already_blocks(world: World) -> None:
    subprocess.run(["ip", "-n", world.host.target, "link", "set", "left", "down"], check=True)
    outcome, reason = world.run(experiment("cut", "right", "left"))
    assert outcome is Outcome.BLOCKED
    assert "already in the state of the fault" in reason
    assert FaultPhase.INJECTING not in [phase for _, phase in world.steps()]
    assert out(world.host)["left"] is True, "somebody else's fault is not ours to revert"


def test_an_abort_condition_reverts_at_once(world: World) -> None:
    world.steady = lambda: out(world.host) == {"left": False, "right": False}
    began_s = time.monotonic()
    outcome, reason = world.run(experiment("cut", "left", hold_s=15))
    assert outcome is Outcome.ABORTED
    assert "c1: without answer for more than 0.2 s" in reason
    assert time.monotonic() - began_s < 10
    assert world.nothing_left()


def test_told_to_stop_it_reverts(world: World) -> None:
    append = world.records.append

    def record(fact: Record) -> None:
        append(fact)
        if isinstance(fact, ExperimentPhase) and fact.phase == "hold":
            world.stop = "told to stop (SIGTERM)"

    world.records = _Spy(record)
    assert world.run(experiment("cut", "left", hold_s=15)) == (Outcome.ABORTED, "cut: told to stop (SIGTERM)")
    assert world.nothing_left()


def command(mark: Path, inject: str = "/usr/bin/touch", revert: str = "/bin/rm") -> Fault:
    """A fault that is out while the file `mark` is there."""
    arguments = {
        "inject": (inject, str(mark)),
        "prove": ("/usr/bin/test", "-e", str(mark)),
        "revert": (revert, str(mark)),
    }
    return Fault("mark", "command", "box", arguments, 0.0)


def test_what_is_not_proven_is_inconclusive(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_module, "PROVE_WITHIN_S", 0.2)
    fault = command(world.directory / "mark", inject="/bin/true", revert="/bin/true")
    outcome, reason, code = world.end(experiment("cut", fault, hold_s=15))
    assert (outcome, code) == (Outcome.INCONCLUSIVE, "not_proven")
    assert "mark is not proven injected" in reason
    assert world.nothing_left()


def test_a_revert_that_is_not_proven_is_told_and_the_guard_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "REVERT_WITHIN_S", 0.2)
    mark, tool = world.directory / "mark", world.directory / "repaired-later"
    outcome, reason, code = world.end(replace(experiment("cut", command(mark, revert=str(tool))), lease_s=3.0))
    assert (outcome, code) == (Outcome.REVERT_FAILED, "revert_failed")
    assert "cut" in reason
    assert FaultPhase.REVERT_FAILED in [phase for _, phase in world.steps()]
    assert list((world.directory / "leases").glob("*.json")), "the guard still has it"
    tool.symlink_to("/bin/rm")
    wait_for(world.nothing_left, 10)
    assert not mark.exists()


def test_the_kill_switch_ends_a_run_and_blocks_the_next(world: World) -> None:
    append = world.records.append
    told: list[FaultStep] = []

    def record(fact: Record) -> None:
        append(fact)
        if isinstance(fact, ExperimentPhase) and fact.phase == "hold":
            assert out(world.host) == {"left": True, "right": True}
            assert switch.stop("real outage", told.append, world.directory / "leases") == []
            assert out(world.host) == {"left": False, "right": False}

    world.records = _Spy(record)
    outcome, reason = world.run(experiment("cut", "left", "right", hold_s=15))
    assert (outcome, reason) == (Outcome.ABORTED, "cut: the kill switch is on: real outage")
    assert [step.fault for step in told if step.phase is FaultPhase.REVERT_PROVEN] == ["right", "left"]
    (journal,) = world.directory.glob("switch-cut-*.db")
    assert read_journal(journal)[0] == told
    assert switch.stop("again", told.append, world.directory / "leases") == [], "twice without harm"
    world.records = []
    outcome, reason = world.run(experiment("cut", "left"))
    assert outcome is Outcome.BLOCKED
    assert "again; `vipchaos resume`" in reason
    assert world.steps() == []
    assert switch.resume(world.directory / "leases")
    assert not switch.resume(world.directory / "leases")
    assert world.run(experiment("cut", "left")) == (Outcome.PASSED, "")


def test_a_damaged_switch_blocks(world: World) -> None:
    (world.directory / switch.NAME).write_text("{")
    assert world.run(experiment("cut", "left"))[0] is Outcome.BLOCKED
    assert world.steps() == []


def injections(world: World) -> dict[str, tuple[int, int]]:
    """Fault -> the instant that was planned and the one at which its command was started."""
    steps = [step for step in world.records if isinstance(step, FaultStep)]
    planned = {step.fault: step.planned_ns for step in steps if step.phase is FaultPhase.INJECTING}
    began = {step.fault: step.began_ns for step in steps if step.phase is FaultPhase.INJECTED}
    return {fault: (planned[fault], began[fault]) for fault in began}


def test_faults_come_in_sequence_and_go_each_in_its_time(world: World) -> None:
    """Left is out from 0 to 0.6 s and right from 0.3 s to the end of the hold: they overlap."""
    assert world.run(experiment("cut", cut("left", 0.0, 0.6), cut("right", 0.3), hold_s=1.0)) == (Outcome.PASSED, "")
    times = injections(world)
    assert times["right"][0] - times["left"][0] == 300_000_000
    assert all(began >= planned for planned, began in times.values()), "never ahead of the plan"
    reverted = {
        step.fault: step.t_ns - times["left"][0]
        for step in world.records
        if isinstance(step, FaultStep) and step.phase is FaultPhase.REVERTING
    }
    assert reverted["left"] >= 600_000_000
    assert reverted["right"] >= 1_300_000_000
    assert reverted["left"] < reverted["right"]
    assert world.nothing_left()


def test_a_proof_that_takes_long_holds_up_no_other_injection(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard answers the first proof late; the second fault is asked for in time all the same."""
    prove = GuardClient.prove

    def slowly(self: GuardClient, lease: str, fault: str) -> tuple[bool | None, str]:
        if fault == "left":
            time.sleep(0.8)
        return prove(self, lease, fault)

    monkeypatch.setattr(GuardClient, "prove", slowly)
    assert world.run(experiment("cut", cut("left"), cut("right", 0.2), hold_s=1.2)) == (Outcome.PASSED, "")
    steps = [(record.fault, record.phase) for record in world.records if isinstance(record, FaultStep)]
    assert steps.index(("right", FaultPhase.INJECTED)) < steps.index(("left", FaultPhase.PROVEN))


def test_a_drain_by_hand_during_the_hold_goes_first(world: World) -> None:
    """The other site's route goes while ours is out: reverted at once, and nobody says that an expectation failed."""
    append = world.records.append

    def record(fact: Record) -> None:
        append(fact)
        if isinstance(fact, ExperimentPhase) and fact.phase == "hold":
            (world.directory / "announced").write_text("nothing\n")

    world.records = _Spy(record)
    outcome, reason, code = world.end(experiment("cut", cut("left", takes=("dc1",)), hold_s=15))
    assert (outcome, code) == (Outcome.ABORTED, "last_announcer")
    assert "no site would announce vip (dc1: taken by a fault; dc2: its route is not there" in reason
    assert world.nothing_left()


def test_a_site_that_is_drained_before_blocks(world: World) -> None:
    (world.directory / "announced").unlink()
    outcome, _, code = world.end(experiment("cut", cut("left", takes=("dc1",))))
    assert (outcome, code) == (Outcome.BLOCKED, "last_announcer")
    assert FaultPhase.ARMED not in [phase for _, phase in world.steps()]


def test_refused_at_the_moment_of_the_second_injection_is_aborted(world: World) -> None:
    append = world.records.append

    def record(fact: Record) -> None:
        append(fact)
        if isinstance(fact, FaultStep) and fact.phase is FaultPhase.PROVEN:
            (world.directory / "announced").write_text("nothing\n")

    world.records = _Spy(record)
    outcome, _, code = world.end(experiment("cut", cut("left", takes=("dc1",)), cut("right", 0.7), hold_s=15))
    assert (outcome, code) == (Outcome.ABORTED, "last_announcer")
    assert ("right", FaultPhase.INJECTED) not in world.steps()
    assert world.nothing_left()


def test_somebody_else_who_reverts_it_ends_the_run(world: World) -> None:
    append = world.records.append

    def record(fact: Record) -> None:
        append(fact)
        if isinstance(fact, ExperimentPhase) and fact.phase == "hold":
            subprocess.run(["ip", "-n", world.host.target, "link", "set", "left", "up"], check=True)

    world.records = _Spy(record)
    outcome, reason, code = world.end(experiment("cut", "left", hold_s=15))
    assert (outcome, code) == (Outcome.ABORTED, "foreign_change")
    assert "somebody else reverted left: flags of left" in reason
    assert world.nothing_left()


def test_a_lease_that_runs_out_ends_the_run(world: World) -> None:
    outcome, _, code = world.end(replace(experiment("cut", "left", hold_s=15), lease_s=1.5))
    assert (outcome, code) == (Outcome.ABORTED, "lease_over")
    assert world.nothing_left()


def test_a_dry_run_goes_through_every_step_and_touches_nothing(world: World) -> None:
    faults = (cut("left", 0.0, 5.0), cut("right", 10.0, takes=("dc1",)))
    began_s = time.monotonic()
    assert world.end(experiment("cut", *faults, hold_s=60), dry=True)[0] is Outcome.PASSED
    assert time.monotonic() - began_s < 10
    told = [step.detail for step in world.records if isinstance(step, FaultStep) and step.phase is FaultPhase.DRY_RUN]
    assert told == [
        "would be run at box: ip link set dev left down",
        "would be run at box: ip link set dev left up",
        "would be run at box: ip link set dev right down",
        "would be run at box: ip link set dev right up",
    ]
    assert world.phases() == ["gate", "inject", "hold", "revert", "settle", "done"]
    assert out(world.host) == {"left": False, "right": False}
    assert not list((world.directory / "leases").glob("*"))
    assert not processes(world.directory / "leases")


def test_a_dry_run_is_refused_as_a_run_would_be(world: World) -> None:
    (world.directory / "announced").write_text("nothing\n")
    outcome, _, code = world.end(experiment("cut", cut("left", takes=("dc1",))), dry=True)
    assert (outcome, code) == (Outcome.BLOCKED, "last_announcer")
