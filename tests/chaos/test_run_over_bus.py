"""A run whose guards are elsewhere: as on one machine, and when the bus is lost in the middle of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from chaos.guard.client import GuardClient
from chaos.guard.several import Guards
from core.enrolment import Role
from core.inventory import Host
from core.lease import Lease, LeasedFault, LeasedSite, by_guard
from core.records import FaultPhase, FaultStep, Outcome
from tests.chaos.on_bus import Bus, at_guard, bus, taking_orders
from tests.chaos.test_runner import WHOLE, World, cut, experiment, world
from tests.waiting import wait_for

__all__ = ["world"]


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Bus]:
    with bus(tmp_path / "bus") as found:
        yield found


@pytest.fixture
def elsewhere(own: Bus, world: World) -> Iterator[World]:
    """The world with its box behind the guard `site1`, whose door is on the bus."""
    far = own.far("site1", own.member(Role.CONTROLLER, "main"), run="test")
    given: dict[str, dict[str, Lease]] = {}
    here = world.directory / "here"
    world.host = at_guard(world.host, "site1")
    world.guard = lambda: Guards(lambda: GuardClient(here, here / "no-caps.yaml"), {"site1": far}, given)
    with taking_orders(own, "site1", world.directory / "leases"):
        yield world


def phases(world: World, fault: str) -> list[FaultPhase]:
    return [phase for name, phase in world.steps() if name == fault]


def test_it_is_as_on_one_machine(elsewhere: World) -> None:
    assert elsewhere.run(experiment("cut", "left", cut("right", hold_s=0.1))) == (Outcome.PASSED, "")
    for fault in ("left", "right"):
        assert phases(elsewhere, fault) == WHOLE
    assert not (elsewhere.directory / "here").exists(), "nothing was asked of this machine"
    injected = [step for step in elsewhere.records if isinstance(step, FaultStep) and step.phase is FaultPhase.INJECTED]
    assert all("guard site1, clocks +/- " in step.detail for step in injected)
    assert elsewhere.nothing_left()


def test_the_bus_is_killed_while_a_fault_is_out(elsewhere: World, own: Bus) -> None:
    """The guard reverts when the experiment says; the controller ends the run and learns how it went afterwards."""
    long = replace(experiment("cut", "left", hold_s=15.0), contact_s=2.0)
    ended: list[tuple[Outcome, str]] = []
    running = threading.Thread(target=lambda: ended.append(elsewhere.run(long)))
    running.start()
    wait_for(lambda: FaultPhase.PROVEN in phases(elsewhere, "left"))
    own.server.kill()
    wait_for(elsewhere.nothing_left, 6)
    elsewhere.stop = "the bus is away"
    own.server.start()
    running.join(20)
    assert [outcome for outcome, _ in ended] == [Outcome.ABORTED]
    assert phases(elsewhere, "left")[-1] is FaultPhase.REVERT_PROVEN


def test_each_guard_has_its_own_faults_and_knows_what_the_others_take() -> None:
    hosts = [Host(name, "netns", name, guard=guard) for name, guard in (("a", "g1"), ("b", "g2"), ("c", ""))]
    faults = tuple(LeasedFault(host.name, "link", host, {}, {}, (f"node-{host.name}",)) for host in hosts)
    sites = (LeasedSite("dc1", ("n",), hosts[0], ("look",), "route"), LeasedSite("dc2", ("m",)))
    parts = by_guard(Lease("one", "run", "exp", 0, "", "", faults, sites=sites))
    assert {guard: [fault.name for fault in part.faults] for guard, part in parts.items()} == {
        "g1": ["a"],
        "g2": ["b"],
        "": ["c"],
    }
    assert parts["g1"].beside == ("node-b", "node-c")
    assert (parts["g1"].sites[0].command, parts["g2"].sites[0].command) == (("look",), ())
