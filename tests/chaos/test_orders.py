"""Orders over a real bus: the guard elsewhere does what was signed, and nothing else, whoever has died meanwhile."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from chaos import lease as leases
from chaos.guard.bus_door import BusDoor
from chaos.guard.client import RefusedByGuardError
from chaos.guard.far import FarGuard
from core.audit import Entry
from core.bus import Access, BusAwayError, BusForbiddenError
from core.enrolment import Role, order_subject
from core.errors import BlockedError, VipchaosError
from core.inventory import Host
from core.orders import VALID_NS, Order, canonical, sealed
from core.records import FaultPhase, FaultStep
from store.audit import Audit, audit_file
from store.bus import Bus as Connection
from tests.chaos.guarding import ANSWERING, asked, gone, now_ns, out
from tests.chaos.on_bus import Bus, at_guard, bus, taking_orders
from tests.waiting import wait_for

NONCE = "00" * 16


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bus]:
    with bus(tmp_path_factory.mktemp("bus") / "bus", "--controller", "main", "--controller", "other") as found:
        yield found


@pytest.fixture(scope="module")
def main(shared: Bus) -> Connection:
    return shared.member(Role.CONTROLLER, "main")


@pytest.fixture
def directory(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The leases of the guard elsewhere; the audit is that machine's as well. Its target outlives them."""
    assert host.target
    monkeypatch.setenv("VIPCHAOS_HOME", str(tmp_path / "home"))
    yield tmp_path / "leases"
    for path in leases.unfinished(tmp_path / "leases"):
        leases.release(path, lambda _: None, 5)
    gone(tmp_path / "leases")


@pytest.fixture
def door(shared: Bus, directory: Path) -> Iterator[BusDoor]:
    with taking_orders(shared, "site1", directory) as found:
        yield found


@pytest.fixture
def far(shared: Bus, main: Connection, door: BusDoor) -> FarGuard:
    assert door is not None
    return shared.far("site1", main)


def told(what: str) -> list[Entry]:
    return [entry for entry in Audit(audit_file()).read() if isinstance(entry, Entry) and entry.what == what]


def order(door: BusDoor, **changes: object) -> Order:
    sitting = door._post.sitting
    made = Order("site1", "standing", {"lease": "x"}, "run", "", NONCE, time.time_ns() + VALID_NS, sitting)
    return replace(made, **changes)  # type: ignore[arg-type]


def reason(connection: Connection, message: bytes) -> str:
    answer = json.loads(connection.request(order_subject("site1"), message))
    return str(answer["refused"]["reason"])


def test_a_signed_order_injects_at_its_instant_and_reverts(far: FarGuard, host: Host, directory: Path) -> None:
    steps: list[FaultStep] = []
    lease = far.arm(asked(at_guard(host, "site1"), directory.parent), 20, ANSWERING)
    assert [fault.host.guard for fault in lease.faults] == ["site1", "site1"]
    at_ns = now_ns() + 300_000_000
    done = far.inject("one", "left", at_ns, ANSWERING)
    assert done.began_ns <= done.ended_ns
    assert at_ns - 50_000_000 < done.began_ns < now_ns()
    assert out(host) == {"left": True, "right": False}
    assert far.prove("one", "left")[0] is True
    far.standing("one", ANSWERING)
    assert far.release("one", steps.append, 5, ["left", "right"])
    assert out(host) == {"left": False, "right": False}
    assert {step.fault for step in steps if step.phase is FaultPhase.REVERT_PROVEN} == {"left", "right"}
    (armed,) = told("armed")
    assert "controller main: a test" in armed.who
    assert not told("refused")


def test_what_the_guard_reverted_at_the_deadline_is_told_later_once(far: FarGuard, host: Host, directory: Path) -> None:
    steps: list[FaultStep] = []
    lease = far.arm(asked(at_guard(host, "site1"), directory.parent), 1, ANSWERING)
    far.inject("one", "left", now_ns(), ANSWERING)
    wait_for(lambda: not leases.unfinished(directory), 4)
    with pytest.raises(RefusedByGuardError, match="lease_over"):
        far.standing("one", ANSWERING)
    for _ in range(2):
        assert far.release("one", steps.append, 5, ["left", "right"])
    proven = [step for step in steps if step.phase is FaultPhase.REVERT_PROVEN]
    assert sorted(step.fault for step in proven) == ["left", "right"]
    assert all(step.t_ns >= lease.deadline_ns for step in proven)


@pytest.mark.parametrize(
    ("changes", "key", "expected"),
    [
        ({"deadline_ns": 1}, "main", "order_late"),
        ({"deadline_ns": 1 << 62}, "main", "order_early"),
        ({"guard": "site2"}, "main", "order_wrong_guard"),
        ({"sitting": "another"}, "main", "order_other_sitting"),
        ({}, "", "order_unsigned"),
        ({}, "strange", "order_wrong_key"),
        ({}, "forged", "order_forged"),
        ({"do": "rm -rf"}, "main", "order_not_understood"),
    ],
)
def test_refused_and_audited(
    shared: Bus, main: Connection, door: BusDoor, changes: dict[str, object], key: str, expected: str
) -> None:
    signer, other = shared.signer(), shared.signer(controller="other")
    made = order(door, **changes)
    message = {
        "": json.dumps({"order": canonical(made).decode()}).encode(),
        "strange": sealed(made, "O" + "A" * 55, signer.sign),
        "forged": sealed(made, other.key, signer.sign),
    }.get(key, sealed(made, signer.key, signer.sign))
    assert reason(main, message) == expected
    (entry,) = told("refused")
    assert entry.values["reason"] == expected
    assert "seed" not in json.dumps(entry.values)


def test_what_somebody_kept_cannot_be_sent_again(
    shared: Bus, main: Connection, door: BusDoor, host: Host, directory: Path
) -> None:
    assert door is not None
    kept: list[bytes] = []

    class Tape:
        def request(self, subject: str, data: bytes, within_s: float) -> bytes:
            kept.append(data)
            return main.request(subject, data, within_s)

    far = FarGuard("site1", Tape(), shared.signer())
    far.arm(asked(at_guard(host, "site1"), directory.parent), 20, ANSWERING)
    far.inject("one", "left", now_ns(), ANSWERING)
    assert far.release("one", lambda _: None, 5, ["left", "right"])
    assert [reason(main, message) for message in kept] == ["order_replayed"] * len(kept)
    assert (leases.unfinished(directory), out(host)) == ([], {"left": False, "right": False})
    assert len(told("refused")) == len(kept)


def test_an_order_from_before_a_restart_is_refused_after_it(shared: Bus, main: Connection, directory: Path) -> None:
    signer = shared.signer()
    with taking_orders(shared, "site1", directory) as door:
        message = sealed(order(door), signer.key, signer.sign)
    with taking_orders(shared, "site1", directory):
        assert reason(main, message) == "order_other_sitting"
        far = shared.far("site1", main)
        far._sitting = "from before"
        with pytest.raises(RefusedByGuardError, match="lease_over"):
            far.standing("x", ANSWERING)


def test_one_run_cannot_touch_the_lease_of_another(
    shared: Bus, main: Connection, far: FarGuard, host: Host, directory: Path
) -> None:
    far.arm(asked(at_guard(host, "site1"), directory.parent), 20, ANSWERING)
    far.inject("one", "left", now_ns(), ANSWERING)
    stranger = shared.far("site1", main, run="another")
    assert not stranger.release("one", lambda _: None, 0.1, ["left"])
    with pytest.raises(RefusedByGuardError, match="order_other_run"):
        stranger.inject("one", "right", now_ns(), ANSWERING)
    with pytest.raises(RefusedByGuardError, match="order_other_run"):
        stranger.arm(asked(at_guard(host, "site1"), directory.parent, "two"), 20, ANSWERING)
    with pytest.raises(RefusedByGuardError, match="order_wrong_guard"):
        far.arm(asked(at_guard(host, "site2"), directory.parent, "two"), 20, ANSWERING)
    with pytest.raises(BlockedError, match="no proper name"):
        far.prove("../one", "left")
    assert out(host) == {"left": True, "right": False}


def test_who_is_not_enrolled_is_not_let_in(shared: Bus) -> None:
    with Connection(Access((shared.server.bus,), "nobody")) as stranger, pytest.raises(BusForbiddenError):
        stranger.wait()


@pytest.mark.parametrize("role", [Role.AGENT, Role.GUARD])
def test_neither_agents_nor_guards_can_order_or_forge(shared: Bus, door: BusDoor, role: Role) -> None:
    """An agent has stolen a whole signed order and cannot send it; nor may it speak for others, or hear them."""
    signer = shared.signer()
    stolen = sealed(order(door), signer.key, signer.sign)
    name = {Role.AGENT: "c1", Role.GUARD: "site1"}[role]
    with shared.member(role, name) as member:
        with pytest.raises(BusForbiddenError):
            member.request(order_subject("site1"), stolen, 2)
        for subject in (
            "vipchaos.events.c2.x",
            "vipchaos.cmd.c2.stop",
            "$JS.API.STREAM.CREATE.X",
            "_INBOX_controller/main.x",
        ):
            with pytest.raises(BusForbiddenError):
                member.request(subject, b"forged", 2)
    for subject in ("vipchaos.order.*", "vipchaos.cmd.c2.>", "_INBOX_controller/main.>", "vipchaos.events.>", ">"):
        with shared.member(role, name) as member, pytest.raises(BusForbiddenError):
            member.serve(subject, lambda _subject, _data: None)
    assert not told("refused"), "nothing of it came to the guard"


def test_an_agent_may_tell_its_own_records(shared: Bus) -> None:
    with shared.member(Role.AGENT, "c1") as member, pytest.raises(BusAwayError):
        # Allowed; there is no stream for them here, so nobody answers.
        member.request("vipchaos.events.c1.x", b"mine", 1)


def test_without_the_bus_the_faults_go_when_the_experiment_says(far: FarGuard, host: Host, directory: Path) -> None:
    """No order comes any more: neither the controller nor the bus is there, as far as the guard can tell."""
    ask = replace(asked(at_guard(host, "site1"), directory.parent), contact_s=1.0)
    lease = far.arm(ask, 30, ANSWERING)
    far.inject("one", "left", now_ns(), ANSWERING)
    for _ in range(3):
        time.sleep(0.5)  # what is heard in between keeps it
        far.standing("one", ANSWERING)
    assert out(host)["left"]
    heard_ns = now_ns()
    wait_for(lambda: not leases.unfinished(directory), 5)
    assert 0.7e9 < now_ns() - heard_ns < 4e9
    assert now_ns() < lease.deadline_ns - 15 * 10**9
    assert out(host) == {"left": False, "right": False}
    (entry,) = told("contact_lost")
    assert entry.values["lease"] == "one"


def test_who_leads_may_abandon_what_another_began(shared: Bus, far: FarGuard, host: Host, directory: Path) -> None:
    far.arm(asked(at_guard(host, "site1"), directory.parent), 30, ANSWERING)
    far.inject("one", "left", now_ns(), ANSWERING)
    connection = shared.member(Role.CONTROLLER, "other")
    signer = replace(shared.signer(controller="other"), term=lambda: 7)
    assert FarGuard("site1", connection, signer).abandon() == (["one"], [])
    assert out(host) == {"left": False, "right": False}
    with pytest.raises(RefusedByGuardError, match="order_not_leading"):
        far.inject("one", "right", now_ns(), ANSWERING)
    assert [entry.values["leases"] for entry in told("abandoned")] == [["one"]]


def test_a_guard_that_does_not_answer_is_told_and_a_run_blocked(shared: Bus, main: Connection, host: Host) -> None:
    with pytest.raises(BlockedError, match="guard site1 does not answer"):
        shared.far("site1", main).arm(asked(at_guard(host, "site1"), Path("x")), 20, ANSWERING)
    assert issubclass(BlockedError, VipchaosError)
