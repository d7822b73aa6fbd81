"""The driver `service` on a real systemd: units stopped, killed and frozen, and as they were again."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import pytest

from chaos.driver import Prior, Term
from chaos.reply import Reply
from chaos.transport import Untouched
from tests.chaos.as_planned import DRIVERS
from tests.chaos.own_systemd import Systemd
from tests.waiting import wait_for

DRIVER = DRIVERS["service"]
TERM = Term("one-a1b2c3.stop-it", 0)


@pytest.fixture(scope="module")
def systemd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Systemd]:
    """The manager, for all tests of the file."""
    found = Systemd(tmp_path_factory.mktemp("systemd"), f"vct{os.getpid()}")
    try:
        found.start()
        yield found
    finally:
        found.stop()


@pytest.fixture
def running(systemd: Systemd) -> Iterator[Systemd]:
    """The manager with its units running; no note is left behind."""
    for unit in ("kept", "lone", "restarting", "breaking", "stubborn@1"):
        assert systemd.do(["systemctl", "start", unit]).code == 0
    yield systemd
    assert systemd.do(["sh", "-c", "ls /run/vipchaos-fault-* && rm /run/vipchaos-fault-*"]).out == ""


def prior_of(systemd: Systemd, arguments: dict[str, object]) -> Prior:
    found = DRIVER.prior(systemd, arguments, TERM)
    assert found is not None
    return found


def show(systemd: Systemd, unit: object, name: str) -> str:
    return systemd.look(["systemctl", "show", "--value", f"--property={name}", str(unit)]).out.strip()


@pytest.mark.parametrize("unit", ["kept.service", "lone.service", "restarting.service"])
@pytest.mark.parametrize("action", ["stop", "kill"])
def test_ended_and_started_again(running: Systemd, action: str, unit: str) -> None:
    arguments: dict[str, object] = {"action": action, "unit": unit}
    prior = prior_of(running, arguments)
    enabled = show(running, unit, "UnitFileState")
    assert DRIVER.is_out(running, arguments, prior)[0] is False
    for _ in range(2):
        assert DRIVER.inject(running, arguments, prior).code == 0
        assert DRIVER.is_out(running, arguments, prior)[0] is True
    assert show(running, unit, "ActiveState") in ("inactive", "failed")
    assert DRIVER.prior(running, arguments, Term("another.fault", 0)) is None, "what is stopped already is not ours"
    for _ in range(2):
        assert DRIVER.revert(running, arguments, prior).code == 0
        assert DRIVER.is_out(running, arguments, prior)[0] is False
    assert show(running, unit, "ActiveState") == "active"
    assert show(running, unit, "UnitFileState") == enabled


def test_frozen_and_thawed(running: Systemd) -> None:
    arguments: dict[str, object] = {"action": "freeze", "unit": "kept.service"}
    prior = prior_of(running, arguments)
    for _ in range(2):
        assert DRIVER.inject(running, arguments, prior).code == 0
        out, seen = DRIVER.is_out(running, arguments, prior)
        assert out is True
        assert seen == "kept.service: LoadState loaded, ActiveState active, SubState running, FreezerState frozen"
    assert DRIVER.prior(running, arguments, Term("another.fault", 0)) is None, "what is frozen already is not ours"
    for _ in range(2):
        assert DRIVER.revert(running, arguments, prior).code == 0
        assert DRIVER.is_out(running, arguments, prior)[0] is False
    assert show(running, "kept.service", "FreezerState") == "running"
    assert show(running, "kept.service", "InvocationID") == prior["invocation"]


@pytest.mark.parametrize("action", ["stop", "kill"])
def test_what_another_has_stopped_stays_so(running: Systemd, action: str) -> None:
    arguments: dict[str, object] = {"action": action, "unit": "kept.service"}
    prior = prior_of(running, arguments)
    running.do(["systemctl", "stop", "kept"])
    assert DRIVER.inject(running, arguments, prior).code == -1
    assert DRIVER.is_out(running, arguments, prior)[0] is False
    assert DRIVER.revert(running, arguments, prior).code == 0
    assert show(running, "kept", "ActiveState") == "inactive"


def test_what_another_has_started_and_stopped_since_stays_so(running: Systemd) -> None:
    arguments: dict[str, object] = {"action": "stop", "unit": "kept.service"}
    prior = prior_of(running, arguments)
    assert DRIVER.inject(running, arguments, prior).code == 0
    for verb in ("start", "stop"):
        assert running.do(["systemctl", verb, "kept"]).code == 0
    assert DRIVER.revert(running, arguments, prior).code == 0
    assert DRIVER.is_out(running, arguments, prior)[0] is False
    assert show(running, "kept", "ActiveState") == "inactive"
    assert running.do(["rm", str(prior["note"])]).code == 0, "which is left where the unit is another's"


def test_what_another_has_brought_back_already(running: Systemd) -> None:
    for action, verb in (("stop", "start"), ("kill", "start"), ("freeze", "thaw")):
        arguments: dict[str, object] = {"action": action, "unit": "kept.service"}
        prior = prior_of(running, arguments)
        assert DRIVER.inject(running, arguments, prior).code == 0
        assert running.do(["systemctl", verb, "kept"]).code == 0
        assert DRIVER.is_out(running, arguments, prior)[0] is False
        invocation = show(running, "kept", "InvocationID")
        assert DRIVER.revert(running, arguments, prior).code == 0
        assert show(running, "kept", "InvocationID") == invocation, "it was not started anew"


@pytest.mark.parametrize("action", ["stop", "kill"])
def test_a_start_that_fails_is_not_a_revert(running: Systemd, action: str) -> None:
    arguments: dict[str, object] = {"action": action, "unit": "breaking.service"}
    prior = prior_of(running, arguments)
    assert DRIVER.inject(running, arguments, prior).code == 0
    running.do(["touch", "/run/broken"])
    for _ in range(3):
        assert DRIVER.revert(running, arguments, prior).code == 1
        assert DRIVER.is_out(running, arguments, prior)[0] is True
    running.do(["rm", "/run/broken"])
    assert DRIVER.revert(running, arguments, prior).code == 0
    assert DRIVER.is_out(running, arguments, prior)[0] is False
    assert show(running, "breaking", "ActiveState") == "active"


def test_what_is_started_anew_before_the_fault_is_not_touched(running: Systemd) -> None:
    arguments: dict[str, object] = {"action": "stop", "unit": "kept.service"}
    prior = prior_of(running, arguments)
    assert running.do(["systemctl", "restart", "kept"]).code == 0
    assert DRIVER.inject(running, arguments, prior).code == -1
    assert show(running, "kept", "ActiveState") == "active"


def test_one_that_takes_its_time_to_stop_is_unknown_and_can_be_killed(running: Systemd) -> None:
    stubborn: dict[str, object] = {"action": "stop", "unit": "stubborn@1.service"}
    prior = prior_of(running, stubborn)
    reply = DRIVER.inject(running, stubborn, prior)
    assert (reply.code, reply.error) == (-1, "no end within 5 s")
    assert DRIVER.is_out(running, stubborn, prior)[0] is None
    running.do(["systemctl", "kill", "--signal=KILL", "stubborn@1"])
    wait_for(lambda: DRIVER.is_out(running, stubborn, prior)[0], 5)
    assert DRIVER.revert(running, stubborn, prior).code == 0
    assert DRIVER.is_out(running, stubborn, prior)[0] is False
    kill = stubborn | {"action": "kill"}
    prior = prior_of(running, kill)
    assert DRIVER.inject(running, kill, prior).code == 0
    assert DRIVER.is_out(running, kill, prior)[0] is True
    assert DRIVER.revert(running, kill, prior).code == 0


def test_units_that_are_not_there_and_a_manager_that_is_not(running: Systemd) -> None:
    unknown: dict[str, object] = {"action": "stop", "unit": "nothing.service"}
    assert DRIVER.prior(running, unknown, TERM) is None
    none = _NoManager()
    assert DRIVER.prior(none, unknown, TERM) is None
    out, seen = DRIVER.is_out(none, unknown, {"note": "/run/none", "invocation": "1"})
    assert (out, "not been booted with systemd" in seen) == (None, True)
    assert DRIVER.revert(none, unknown, {"note": "/run/none", "invocation": "1"}).code == -1


def test_a_dry_run_changes_nothing(running: Systemd) -> None:
    told: list[tuple[str, ...]] = []
    for action in ("stop", "kill", "freeze"):
        arguments: dict[str, object] = {"action": action, "unit": "kept.service"}
        target = Untouched(running, told.append)
        prior = prior_of(running, arguments)
        assert DRIVER.inject(target, arguments, prior).code == 0
        assert DRIVER.is_out(target, arguments, prior)[0] is False
        expected = [command[1:] for command in DRIVER.commands(arguments).inject[1:]]
        assert [command[1:] for command in told[-len(expected) :]] == expected


class _NoManager:
    """A machine without systemd: what systemctl says there."""

    def look(self, argv: Sequence[str]) -> Reply:
        if argv[0] == "test":
            return Reply(tuple(argv), 0, "", "")
        return Reply(tuple(argv), 1, "", "System has not been booted with systemd as init system (PID 1).")

    def prepare(self, argv: Sequence[str]) -> Reply:
        return self.look(argv)

    def do(self, argv: Sequence[str]) -> Reply:
        return self.look(argv)


def test_the_note_is_named_after_the_lease(running: Systemd) -> None:
    assert prior_of(running, {"action": "stop", "unit": "kept"})["note"] == "/run/vipchaos-fault-one-a1b2c3.stop-it"
