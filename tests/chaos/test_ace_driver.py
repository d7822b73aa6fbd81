"""The transport `cli` and the driver `ace`: a real sshd lets a program in that plays the device. No device was had."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from chaos import device_line, ssh
from chaos.driver import NOTHING_TO_REVERT, Term
from chaos.transport import Untouched, at
from core.inventory import Host
from tests.chaos import ace_device
from tests.chaos.as_planned import DRIVERS
from tests.chaos.sshd import PASSWORD, Sshd

DRIVER = DRIVERS["ace"]
TERM = Term("one.fault", 0)
VIP = {"action": "vip", "context": "C1", "policy_map": "VIPS", "class_map": "VIP-80"}
SWITCH = {"action": "switchover", "ft_group": 2}
STATE = {
    "contexts": {
        "Admin": {"OTHER": {"VIP-80": ["loadbalance vip inservice"]}},
        "C1": {
            "OTHER": {"VIP-80": ["loadbalance vip inservice"]},
            "VIPS": {
                "VIP-443": ["loadbalance vip inservice", "loadbalance policy L2"],
                "VIP-80": ["loadbalance vip inservice", "loadbalance policy L", "loadbalance vip advertise active"],
                "VIP-81": ["loadbalance policy L"],
            },
        },
    },
    "groups": {"1": {"mine": "ACTIVE", "peer": "STANDBY_HOT"}, "2": {"mine": "ACTIVE", "peer": "STANDBY_HOT"}},
}


@dataclass
class Device:
    """The device: how it is reached, and what it holds."""

    host: Host
    file: Path

    @property
    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.file.read_text())
        return found

    def has(self, **more: object) -> None:
        """Change what it holds, at top level."""
        self.file.write_text(json.dumps(self.state | more))

    @property
    def typed(self) -> list[str]:
        """Every line that it has read."""
        found = self.file.parent / "typed"
        return found.read_text().splitlines() if found.exists() else []


@pytest.fixture
def device(host: Host, beside: str, short: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Device]:
    """A device behind an sshd."""
    (short / "device").mkdir()
    file = short / "device" / "state.json"
    file.write_text(json.dumps(STATE))
    found = Sshd(host.target, beside, short, f"ForceCommand {sys.executable} {ace_device.__file__} {file}\n")
    monkeypatch.setenv("PATH", found.path)
    monkeypatch.setattr(ssh, "CONTROL", short / "control")
    try:
        found.start()
        yield Device(replace(found.host, transport="cli"), file)
    finally:
        found.stop()


def test_a_vip_out_of_service_and_nothing_else(device: Device) -> None:
    target = at(device.host)
    prior = DRIVER.prior(target, VIP, TERM)
    assert prior == {}
    assert DRIVER.is_out(target, VIP, prior) == (False, "VIPS, class VIP-80: loadbalance vip inservice")
    for _ in range(2):
        assert DRIVER.inject(target, VIP, prior).code == 0
        assert DRIVER.is_out(target, VIP, prior) == (True, "VIPS, class VIP-80: not in service")
    there = device.state["contexts"]
    assert there["C1"]["VIPS"]["VIP-80"] == ["loadbalance policy L", "loadbalance vip advertise active"]
    there["C1"]["VIPS"]["VIP-80"].insert(0, "loadbalance vip inservice")
    assert there == STATE["contexts"], "nothing else was changed"
    assert DRIVER.prior(target, VIP, TERM) is None, "what is out already is not ours"
    for _ in range(2):
        assert DRIVER.revert(target, VIP, prior).code == 0
        assert DRIVER.is_out(target, VIP, prior)[0] is False
    assert device.state["contexts"] == STATE["contexts"]
    typed = device.typed
    assert typed.count("no loadbalance vip inservice") == typed.count("loadbalance vip inservice") == 1
    assert typed.count("terminal length 0") == typed.count("changeto C1")


def test_a_class_that_is_not_there_is_not_made(device: Device) -> None:
    target = at(device.host)
    for wrong in ({"class_map": "VIP-8"}, {"policy_map": "VIP"}, {"context": "Admin"}):
        assert DRIVER.prior(target, VIP | wrong, TERM) is None
        assert DRIVER.inject(target, VIP | wrong, {}).code == -1
        assert DRIVER.revert(target, VIP | wrong, {}).code == -1
    assert DRIVER.prior(target, VIP | {"class_map": "VIP-81"}, TERM) is None
    assert "configure terminal" not in device.typed
    out, seen = DRIVER.is_out(target, VIP | {"context": "C2"}, {})
    assert out is None
    assert "to 'changeto C2' it said: % invalid command detected at '^' marker." in seen


def test_a_switchover_that_takes_a_while(device: Device) -> None:
    device.has(switches_after_s=1.0)
    target = at(device.host)
    prior = DRIVER.prior(target, SWITCH, TERM)
    assert prior == {}
    began_s = time.monotonic()
    reply = DRIVER.inject(target, SWITCH, prior)
    assert (reply.code, reply.argv) == (0, ("ft switchover 2", "yes"))
    assert time.monotonic() - began_s > 1
    assert DRIVER.is_out(target, SWITCH, prior) == (
        True,
        "FT group 2: FSM_FT_STATE_STANDBY_HOT, peer FSM_FT_STATE_ACTIVE",
    )
    assert DRIVER.is_out(target, SWITCH | {"ft_group": 1}, prior)[0] is False
    assert DRIVER.inject(target, SWITCH, prior).code == 0
    assert device.typed.count("ft switchover 2") == 1, "a unit that is standby is not told again"
    assert DRIVER.prior(target, SWITCH, TERM) is None
    assert DRIVER.revert(target, SWITCH, prior) is NOTHING_TO_REVERT
    assert DRIVER.is_out(target, SWITCH | {"ft_group": 3}, prior)[0] is None


@pytest.mark.parametrize(
    ("mine", "peer"), [("ACTIVE", "STANDBY_COLD"), ("ACTIVE", "UNKNOWN"), ("STANDBY_HOT", "ACTIVE")]
)
def test_no_switchover_without_a_peer_that_has_the_state(device: Device, mine: str, peer: str) -> None:
    device.has(groups={"2": {"mine": mine, "peer": peer}})
    assert DRIVER.prior(at(device.host), SWITCH, TERM) is None


def test_a_dry_run_changes_nothing_and_does_not_wait(device: Device) -> None:
    told: list[tuple[str, ...]] = []
    target = Untouched(at(device.host), told.append)
    assert DRIVER.inject(target, SWITCH, {}).code == 0
    assert DRIVER.inject(target, VIP, {}).code == 0
    assert tuple(told) == (*DRIVER.commands(SWITCH).inject, *DRIVER.commands(VIP).inject)
    assert device.state["contexts"] == STATE["contexts"]


def test_a_question_is_answered_with_what_is_given_or_not_at_all(device: Device) -> None:
    target = at(device.host)
    refused = target.do(["ft switchover 2", "no", "show ft group status"])
    assert (refused.code, "My State                     : FSM_FT_STATE_ACTIVE" in refused.out) == (0, True)
    for lines in (["ft switchover 2"], ["ft switchover 2", "show ft group status"]):
        unanswered = target.do(lines)
        assert unanswered.code == -1
        assert unanswered.error == (
            "box: it asks 'This command will cause card to switchover (yes/no)? [no]', and no answer is given"
        )
    assert target.do(["changeto C1", "yes", "show ft group status"]).code == 0
    assert device.typed.count("yes") == 0, "what is no answer is not typed"
    assert "switch_at" not in device.state["groups"]["2"]


def test_what_goes_wrong_on_the_line(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    target = at(device.host)
    wrong = target.do(["configure terminal", "nonsense", "end"])
    assert (wrong.code, wrong.error) == (1, "to 'nonsense' it said: % invalid command detected at '^' marker.")
    assert device.typed[-1] == "nonsense", "nothing is typed after an error"
    assert target.do(["show\nreload"]).code == -1
    device.has(drop_at="end")
    dropped = target.do(["configure terminal", "end"])
    assert dropped.code == -1
    assert dropped.error.startswith("box: the connection ended at 'end'")
    with monkeypatch.context() as patch:
        patch.setattr(device_line, "TALK_TIMEOUT_S", 6.0)
        device.has(hang_at="end")
        assert target.do(["configure terminal", "end"]).error == "box: no prompt within 6 s, after 'end'"
    device.has(privileged=False)
    assert target.look(["end"]).error == "box: user root is not privileged: the prompt ends with >, not #"
    stranger = replace(device.host, identity_file=device.host.identity_file.replace("user", "stranger"))
    assert "Permission denied" in at(stranger).look(["end"]).error
    unknown = at(replace(device.host, known_hosts="/no/such/file")).look(["end"])
    assert "is not in /no/such/file; nothing was sent" in unknown.error


def test_a_password_from_a_file_that_is_private(device: Device, short: Path) -> None:
    secret = short / "password"
    secret.write_text(PASSWORD + "\n")
    secret.chmod(0o600)
    host = replace(device.host, identity_file="", password_file=str(secret))
    reply = at(host).look(["show ft group status"])
    assert (reply.code, reply.error) == (0, "")
    assert PASSWORD not in reply.words
    secret.chmod(0o640)
    assert at(host).look(["show ft group status"]).error == (
        f"{secret} is open to others (mode 0640, owner 0): chown it, and chmod 600"
    )
    secret.write_text("another\n")
    secret.chmod(0o600)
    assert "Permission denied" in at(host).look(["show ft group status"]).error
