"""The driver `haproxy` on an HAProxy in a namespace, whose servers are listeners of its own that tell their name."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos import lease as leases
from chaos.driver import NOTHING_TO_REVERT, Term
from chaos.transport import at
from core.inventory import Host
from core.lease import Lease, LeasedFault
from core.records import FaultPhase, FaultStep
from tests.chaos.as_planned import DRIVERS
from tests.waiting import wait_for

DRIVER = DRIVERS["haproxy"]
TERM = Term("one.fault", 0)
CONFIGURATION = """
global
  stats socket {0}/socket mode 600 level admin
defaults
  mode tcp
  timeout connect 2s
  timeout client 60s
  timeout server 60s
frontend front
  bind 127.0.0.1:7000
  default_backend pool
backend pool
  server s1 127.0.0.1:7001
  server s2 127.0.0.1:7002
listen s1
  mode http
  bind 127.0.0.1:7001
  http-request return string s1 content-type text/plain
listen s2
  mode http
  bind 127.0.0.1:7002
  http-request return string s2 content-type text/plain
"""
ASK = """
import urllib.request
for _ in range(4):
    try:
        print(urllib.request.urlopen("http://127.0.0.1:7000/", timeout=2).read().decode())
    except OSError as error:
        print(type(getattr(error, "reason", error)).__name__)
"""
HOLD = """
import socket
with socket.create_connection(("127.0.0.1", 7000)) as session:
    print("open", flush=True)
    print("closed" if session.recv(1) == b"" else "said something", flush=True)
"""


@pytest.fixture
def arguments(host: Host, tmp_path: Path) -> Iterator[dict[str, object]]:
    """The arguments of a fault of server `s1`; HAProxy runs until the test is over."""
    (tmp_path / "haproxy.cfg").write_text(CONFIGURATION.format(tmp_path))
    subprocess.run(["ip", "-n", host.target, "link", "set", "lo", "up"], check=True)
    command = ["ip", "netns", "exec", host.target, "haproxy", "-db", "-q", "-f", str(tmp_path / "haproxy.cfg")]
    with subprocess.Popen(command) as daemon:
        try:
            wait_for(lambda: asked(host) == {"s1", "s2"}, 5)
            yield {"socket": str(tmp_path / "socket"), "backend": "pool", "server": "s1"}
        finally:
            daemon.kill()


def asked(host: Host) -> set[str]:
    return set(at(host).look([sys.executable, "-c", ASK]).out.split())


@pytest.mark.parametrize(("action", "state"), [("maint", "0x1, srv_op_state 0"), ("drain", "0x8, srv_op_state 2")])
def test_a_server_out_of_service(host: Host, arguments: dict[str, object], action: str, state: str) -> None:
    target = at(host)
    arguments["action"] = action
    prior = DRIVER.prior(target, arguments, TERM)
    assert prior == {}
    assert DRIVER.is_out(target, arguments, prior) == (False, "pool/s1: srv_admin_state 0x0, srv_op_state 2")
    for _ in range(2):
        assert DRIVER.inject(target, arguments, prior).code == 0
        assert DRIVER.is_out(target, arguments, prior) == (True, f"pool/s1: srv_admin_state {state}")
    wait_for(lambda: asked(host) == {"s2"}, 5)
    for each in ("maint", "drain"):
        assert DRIVER.prior(target, arguments | {"action": each}, TERM) is None, "what another did is not ours to undo"
    for _ in range(2):
        assert DRIVER.revert(target, arguments, prior).code == 0
        assert DRIVER.is_out(target, arguments, prior)[0] is False
    wait_for(lambda: asked(host) == {"s1", "s2"}, 5)


def test_a_frontend_that_refuses(host: Host, arguments: dict[str, object]) -> None:
    target = at(host)
    arguments |= {"action": "disable-frontend", "frontend": "front"}
    prior = DRIVER.prior(target, arguments, TERM)
    assert prior == {}
    assert DRIVER.inject(target, arguments, prior).code == 0
    assert DRIVER.is_out(target, arguments, prior) == (True, "frontend front: PAUSED")
    wait_for(lambda: asked(host) == {"ConnectionRefusedError"}, 5)
    assert DRIVER.prior(target, arguments, TERM) is None, "what is out already is not ours"
    assert DRIVER.revert(target, arguments, prior).code == 0
    assert DRIVER.is_out(target, arguments, prior) == (False, "frontend front: OPEN")
    wait_for(lambda: asked(host) == {"s1", "s2"}, 5)


def test_sessions_are_shut_and_their_lease_is_released(
    host: Host, arguments: dict[str, object], tmp_path: Path
) -> None:
    target = at(host)
    arguments["action"] = "shut-sessions"
    assert DRIVER.prior(target, arguments, TERM) is None, "there are none to shut"
    command = ["ip", "netns", "exec", host.target, sys.executable, "-c", HOLD]
    holders = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert [holder.stdout.readline() for holder in holders if holder.stdout] == ["open\n"] * 4
    wait_for(lambda: DRIVER.prior(target, arguments, TERM), 5)
    prior = DRIVER.prior(target, arguments, TERM)
    assert prior is not None
    assert DRIVER.is_out(target, arguments, prior)[0] is False
    assert DRIVER.inject(target, arguments, prior).code == 0
    wait_for(lambda: DRIVER.is_out(target, arguments, prior)[0], 5)
    assert DRIVER.is_out(target, arguments, prior)[1].startswith("pool/s1: 0 of 2 sessions of before are left")
    wait_for(lambda: sum(holder.poll() is not None for holder in holders) == 2, 5)
    assert DRIVER.revert(target, arguments, prior) is NOTHING_TO_REVERT
    steps: list[FaultStep] = []
    fault = LeasedFault("shut", "haproxy", host, arguments, prior)
    leases.write(
        tmp_path / "one.json",
        Lease("one", "run", "exp", time.monotonic_ns(), leases.boot_id(), str(tmp_path / "g.db"), (fault,)),
    )
    assert leases.release(tmp_path / "one.json", steps.append, 5)
    assert [step.phase for step in steps] == [FaultPhase.REVERTING, FaultPhase.REVERTED, FaultPhase.REVERT_PROVEN]
    for holder in holders:
        holder.kill()
        holder.communicate()


def test_what_haproxy_refuses_or_does_not_know(host: Host, arguments: dict[str, object]) -> None:
    target = at(host)
    unknown = arguments | {"action": "maint", "server": "s3"}
    assert DRIVER.prior(target, unknown, TERM) is None
    assert DRIVER.is_out(target, unknown, {})[0] is None
    reply = DRIVER.inject(target, unknown, {})
    assert (reply.code, reply.out.strip()) == (1, "No such server.")
    nowhere = arguments | {"action": "disable-frontend", "frontend": "front", "socket": "/no/such/socket"}
    assert DRIVER.is_out(target, nowhere, {})[0] is None
    assert DRIVER.inject(target, nowhere, {}).words == (
        "/no/such/socket disable frontend front -> 1: [Errno 2] No such file or directory"
    )
