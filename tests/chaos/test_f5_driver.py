"""The transport `https` and the driver `f5` against a server that speaks the documented calls. No device was had."""

from __future__ import annotations

import functools
import json
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from chaos import rest
from chaos.driver import NOTHING_TO_REVERT, Term
from chaos.reply import Reply
from chaos.transport import Untouched, at
from core.inventory import Host
from tests.chaos.as_planned import DRIVERS
from tests.chaos.big_ip import OBJECTS, PASSWORD, USER, BigIp

DRIVER = DRIVERS["f5"]
TERM = Term("one.fault", 0)
ADDRESS = "/mgmt/tm/ltm/virtual-address/~Common~192.0.2.80"
STANDBY = {"action": "standby", "traffic_group": "traffic-group-1"}
ADDRESS_OFF = {"action": "virtual-address", "partition": "Common", "virtual_address": "192.0.2.80"}
ROUTE_OFF = ADDRESS_OFF | {"action": "route-advertisement"}
SERVER_OFF = {"action": "virtual-server", "partition": "Web", "virtual_server": "vs1"}


@pytest.fixture
def device(tmp_path: Path) -> Iterator[BigIp]:
    """The device, whose tokens are all given back in the end."""
    found = BigIp(tmp_path)
    server = found.start()
    yield found
    server.shutdown()
    server.server_close()
    assert not found.tokens


@pytest.fixture
def host(device: BigIp, tmp_path: Path) -> Host:
    """How it is reached."""
    credentials = tmp_path / "credentials"
    credentials.write_text(f"{USER}:{PASSWORD}\n")
    credentials.chmod(0o600)
    files = {"credentials_file": str(credentials), "ca_file": str(device.certificate)}
    return Host("bigip", "https", "127.0.0.1", port=device.port, **files)


def said(reply: Reply) -> tuple[int, str]:
    assert PASSWORD not in repr(reply)
    assert "TOKEN" not in repr(reply)
    return reply.code, reply.error


def _login_says(answer: str, _: str, path: str) -> tuple[int, str] | None:
    return (200, answer) if path.endswith("login") else None


@pytest.mark.parametrize(
    ("arguments", "path", "off"),
    [
        (ADDRESS_OFF, ADDRESS, {"enabled": "no"}),
        (ROUTE_OFF, ADDRESS, {"routeAdvertisement": "disabled"}),
        (SERVER_OFF, "/mgmt/tm/ltm/virtual/~Web~vs1", {"disabled": True}),
    ],
)
def test_switched_off_and_as_it_was(
    device: BigIp, host: Host, arguments: dict[str, object], path: str, off: dict[str, object]
) -> None:
    target = at(host)
    prior = DRIVER.prior(target, arguments, TERM)
    assert prior is not None
    assert json.loads(json.dumps(prior)) == prior
    assert DRIVER.is_out(target, arguments, prior)[0] is False
    for _ in range(2):
        assert DRIVER.inject(target, arguments, prior).code == 0
        assert DRIVER.is_out(target, arguments, prior)[0] is True
    assert off.items() <= device.objects[path].items()
    assert DRIVER.prior(target, arguments, TERM) is None, "what is off already is not ours"
    for _ in range(2):
        assert DRIVER.revert(target, arguments, prior).code == 0
        assert DRIVER.is_out(target, arguments, prior)[0] is False
    assert device.objects == OBJECTS
    changes = [json.loads(body) for method, _, body in device.asked if method == "PATCH"]
    assert [set(change) for change in changes] == [set(changes[0])] * 3, "no other key is changed"
    sent = "".join(words for asked in device.asked for words in asked if "login" not in asked[1])
    assert PASSWORD not in sent


def test_what_another_has_set_is_not_overwritten(device: BigIp, host: Host) -> None:
    target = at(host)
    prior = DRIVER.prior(target, ROUTE_OFF, TERM)
    assert prior == {"values": {"routeAdvertisement": "selective"}}
    device.objects[ADDRESS]["routeAdvertisement"] = "always"
    assert DRIVER.inject(target, ROUTE_OFF, prior).error == f"not as it was: {ADDRESS}: routeAdvertisement always"
    device.objects[ADDRESS]["routeAdvertisement"] = "disabled"
    device.objects[ADDRESS]["enabled"] = "no"
    assert DRIVER.revert(target, ROUTE_OFF, prior).code == 0
    assert device.objects[ADDRESS] == OBJECTS[ADDRESS] | {"enabled": "no"}
    device.objects[ADDRESS]["routeAdvertisement"] = "any"
    assert DRIVER.revert(target, ROUTE_OFF, prior).code == 0
    assert device.objects[ADDRESS]["routeAdvertisement"] == "any"


def test_what_does_not_tell_what_it_is_is_unknown(device: BigIp, host: Host) -> None:
    target = at(host)
    other = ROUTE_OFF | {"virtual_address": "192.0.2.81%1"}
    assert DRIVER.is_out(target, other, {})[0] is True, "the name of a route domain is encoded"
    missing = ROUTE_OFF | {"virtual_address": "192.0.2.99"}
    out, seen = DRIVER.is_out(target, missing, {})
    assert out is None
    assert "404: 01020036:3: The requested object was not found." in seen
    odd: list[dict[str, object]] = [
        {"routeAdvertisement": "sometimes"},
        {"routeAdvertisement": ["any"]},
        {"enabled": 1},
    ]
    for words in odd:
        device.objects[ADDRESS] = words
        assert DRIVER.prior(target, ROUTE_OFF, TERM) is None
        assert DRIVER.inject(target, ROUTE_OFF, {"values": {}}).code == -1
        assert DRIVER.revert(target, ROUTE_OFF, {"values": {}}).code == -1
    device.objects["/mgmt/tm/ltm/virtual/~Web~vs1"] = {"enabled": True, "disabled": True, "pool": ""}
    assert DRIVER.prior(target, SERVER_OFF, TERM) is None
    assert not [asked for asked in device.asked if asked[0] == "PATCH"]


def test_a_failover_that_takes_a_while(device: BigIp, host: Host) -> None:
    device.switches_after_s = 1.0
    target = at(host)
    prior = DRIVER.prior(target, STANDBY, TERM)
    assert prior == {}
    assert DRIVER.is_out(target, STANDBY, {}) == (False, "failover status ACTIVE, active for traffic-group-1")
    began_s = time.monotonic()
    assert DRIVER.inject(target, STANDBY, prior).code == 0
    assert time.monotonic() - began_s > 1
    assert DRIVER.is_out(target, STANDBY, {}) == (True, "failover status STANDBY, not active for traffic-group-1")
    assert DRIVER.inject(target, STANDBY, prior).code == 0
    orders = [json.loads(body) for method, path, body in device.asked if path.endswith("failover")]
    assert orders == [{"command": "run", "utilCmdArgs": "standby traffic-group traffic-group-1"}]
    assert DRIVER.prior(target, STANDBY, TERM) is None
    assert DRIVER.revert(target, STANDBY, prior) is NOTHING_TO_REVERT


@pytest.mark.parametrize(
    "devices", [["active"], ["active", "offline"], ["active", "forced-offline"], ["standby", "active"]]
)
def test_no_failover_without_a_peer(device: BigIp, host: Host, devices: list[str]) -> None:
    device.devices = devices
    assert DRIVER.prior(at(host), STANDBY, TERM) is None


def test_another_group_is_not_this_unit_s(host: Host) -> None:
    assert DRIVER.prior(at(host), STANDBY | {"traffic_group": "traffic-group-2"}, TERM) is None


def test_a_dry_run_changes_nothing_and_does_not_wait(device: BigIp, host: Host) -> None:
    told: list[tuple[str, ...]] = []
    target = Untouched(at(host), told.append)
    assert DRIVER.inject(target, STANDBY, {}).code == 0
    assert DRIVER.inject(target, ADDRESS_OFF, {"values": {"enabled": "yes"}}).code == 0
    assert tuple(told) == (*DRIVER.commands(STANDBY).inject, *DRIVER.commands(ADDRESS_OFF).inject)
    assert {asked[0] for asked in device.asked if "login" not in asked[1]} == {"GET", "DELETE"}
    assert at(host).look(["POST", "/mgmt/tm/sys/failover", "{}"]).code == -1, "a look does not change"


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        ((500, '{"code":500,"message":"it broke"}'), 500, "500: it broke"),
        ((503, "<html>Configuration Utility restarting...</html>"), 503, "503: its REST interface is starting anew"),
        ((401, '{"message":"token expired"}'), 401, "401: token expired"),
        ((302, ""), 302, "302: Found"),
        ((200, "<html>welcome</html>"), -1, "its answer to GET is no JSON: <html>welcome</html>"),
        ((200, ""), -1, "its answer to GET is no JSON: nothing"),
        ((200, '"' + "x" * 70_000 + '"'), -1, "its answer to GET is larger than 65536 bytes"),
    ],
)  # fmt: skip
def test_answers_that_are_none(
    device: BigIp, host: Host, monkeypatch: pytest.MonkeyPatch, answer: tuple[int, str], code: int, words: str
) -> None:
    monkeypatch.setattr(rest, "LARGEST_BYTES", 65536)
    device.wrong = lambda method, _: answer if method == "GET" else None
    found, error = said(at(host).look(["GET", ADDRESS]))
    assert found == code
    assert error.startswith(f"bigip: {words}")
    assert DRIVER.is_out(at(host), ROUTE_OFF, {})[0] is None


def test_logins_that_fail(device: BigIp, host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIGIP", f"{USER}:{PASSWORD}")
    by_variable = replace(host, credentials_file="", credentials_env="BIGIP")
    assert said(at(by_variable).look(["GET", ADDRESS])) == (0, "")
    monkeypatch.setenv("BIGIP", f"{USER}:wrong")
    assert said(at(by_variable).look(["GET", ADDRESS])) == (401, "bigip: 401: the user or the password is not accepted")
    monkeypatch.delenv("BIGIP")
    unset = "bigip: the variable BIGIP does not say USER:PASSWORD, on one line"
    assert said(at(by_variable).look(["GET", ADDRESS])) == (-1, unset)
    for answer in ('{"token":{}}', '{"token":{"token":"../x y"}}', "[]"):
        device.wrong = functools.partial(_login_says, answer)
        assert said(at(host).look(["GET", ADDRESS])) == (-1, "bigip: its login gave no token")
    credentials = tmp_path / "credentials"
    credentials.chmod(0o644)
    opened = f"{credentials} is open to others (mode 0644, owner {os.geteuid()}): chown it, and chmod 600"
    assert said(at(host).look(["GET", ADDRESS])) == (-1, opened)
    gone = f"{tmp_path}/gone cannot be read (No such file or directory)"
    assert said(at(replace(host, credentials_file=f"{tmp_path}/gone")).look(["GET", ADDRESS])) == (-1, gone)


def test_a_device_that_is_not_the_one_or_not_there(device: BigIp, host: Host, tmp_path: Path) -> None:
    before = len(device.asked)
    stranger = said(at(replace(host, ca_file="")).look(["GET", ADDRESS]))
    assert stranger[0] == -1
    assert "its certificate is not accepted (self-signed certificate); nothing was sent" in stranger[1]
    misnamed = said(at(replace(host, target="localhost")).look(["GET", ADDRESS]))
    assert "Hostname mismatch" in misnamed[1]
    nothing = said(at(replace(host, ca_file=f"{tmp_path}/credentials")).look(["GET", ADDRESS]))
    assert "is no file of authorities" in nothing[1]
    assert "ConnectionRefusedError" in said(at(replace(host, port=1)).look(["GET", ADDRESS]))[1]
    assert len(device.asked) == before


def test_one_that_is_frozen(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "CONNECT_TIMEOUT_S", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as frozen:
        began_s = time.monotonic()
        reply = at(replace(host, port=frozen.getsockname()[1])).look(["GET", ADDRESS])
    assert said(reply)[0] == -1
    assert "timed out" in reply.error
    assert time.monotonic() - began_s < 5


def test_one_that_answers_too_slowly(device: BigIp, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "CALL_TIMEOUT_S", 1.0)
    device.trickles = True
    began_s = time.monotonic()
    assert said(at(host).look(["GET", ADDRESS])) == (-1, "bigip: no end within 1 s")
    assert time.monotonic() - began_s < 3
    device.tokens.clear()
