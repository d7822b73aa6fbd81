"""The driver `nft` in a namespace: what matches is dropped, refused or lost, nothing else, and the kernel ends it."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from chaos.driver import Prior, Term
from chaos.drivers.nft import NftDriver
from chaos.standby import Standby
from chaos.transport import at
from core.inventory import Host
from tests.chaos.as_planned import DRIVERS
from tests.waiting import wait_for

DRIVER = DRIVERS["nft"]
FOREIGN = "table inet vipchaos_fault_other { chain c { type filter hook input priority 0; policy accept; }; }"
SEND = """
import socket, sys
address, count = sys.argv[1], int(sys.argv[2])
family = socket.AF_INET6 if ":" in address else socket.AF_INET
there, here = socket.socket(family, socket.SOCK_DGRAM), socket.socket(family, socket.SOCK_DGRAM)
there.bind((address, 7000))
there.setblocking(False)
came = 0
for _ in range(count):
    try:
        here.sendto(b"x", (address, 7000))
    except PermissionError:
        print("refused")
        sys.exit()
    try:
        there.recv(1)
        came += 1
    except BlockingIOError:
        pass
there.settimeout(0.3)
try:
    while there.recv(1):
        came += 1
except TimeoutError:
    print(came)
"""
CONNECT = """
import socket
with socket.create_server(("127.0.0.1", 7000)):
    try:
        socket.create_connection(("127.0.0.1", 7000), 0.3)
    except OSError as error:
        print(type(error).__name__)
    else:
        print("connected")
"""


@pytest.fixture
def box(host: Host) -> Iterator[Host]:
    """The namespace, with its loopback up and a table that is not ours."""
    subprocess.run(["ip", "-n", host.target, "link", "set", "lo", "up"], check=True)
    at(host).look(["nft", FOREIGN])
    yield host
    assert "vipchaos_fault_other" in at(host).look(["nft", "list", "tables"]).out, "what is not ours is still there"


def prior(box: Host, lease_s: float = 30.0) -> Prior:
    found = DRIVER.prior(at(box), {}, Term("one-a1b2c3.drop-it", time.monotonic_ns() + round(lease_s * 1e9)))
    assert found is not None
    return found


def said(box: Host, script: str, *words: str) -> str:
    return at(box).look([sys.executable, "-c", script, *words]).out.strip()


def test_drop_and_nothing_else_and_revert(box: Host) -> None:
    target, ours = at(box), prior(box)
    arguments = {
        "action": "drop",
        "hook": "input",
        "protocol": "udp",
        "destination_port": 7000,
        "source": "127.0.0.0/8",
    }
    before = target.look(["nft", "list", "ruleset"]).out
    assert DRIVER.is_out(target, arguments, ours)[0] is False
    for _ in range(2):
        assert DRIVER.inject(target, arguments, ours).code == 0
        out, seen = DRIVER.is_out(target, arguments, ours)
        assert out is True
        assert re.match(r"table vipchaos_fault_one-a1b2c3\.drop-it: expires in 2\d s, met 0 packets$", seen)
    assert DRIVER.prior(target, arguments, Term("one-a1b2c3.drop-it", 0)) is None, "what is out already is not ours"
    assert said(box, SEND, "127.0.0.1", "5") == "0"
    assert DRIVER.is_out(target, arguments, ours)[1].endswith("met 5 packets")
    assert said(box, SEND, "::1", "5") == "5"
    assert said(box, CONNECT) == "connected"
    for _ in range(2):
        assert DRIVER.revert(target, arguments, ours).code == 0
        assert DRIVER.is_out(target, arguments, ours)[0] is False
    assert target.look(["nft", "list", "ruleset"]).out == before
    assert said(box, SEND, "127.0.0.1", "5") == "5"


def test_reject_is_a_reset_for_tcp_and_an_icmp_error_for_others(box: Host) -> None:
    target, ours = at(box), prior(box)
    arguments = {"action": "reject", "hook": "input", "protocol": "tcp", "destination_port": 7000}
    assert DRIVER.inject(target, arguments, ours).code == 0
    assert said(box, CONNECT) == "ConnectionRefusedError"
    assert DRIVER.inject(target, {"action": "drop", "hook": "input", "protocol": "tcp"}, ours).code == 0
    assert said(box, CONNECT) == "TimeoutError"
    assert DRIVER.inject(target, {"action": "reject", "hook": "output", "destination": "::1/128"}, ours).code == 0
    assert said(box, SEND, "::1", "5") == "refused"
    assert said(box, CONNECT) == "connected"


def test_the_rule_made_ahead_has_no_effect_before_its_instant(box: Host) -> None:
    ours, arguments = prior(box), {"action": "drop", "hook": "input", "protocol": "udp"}
    target = Standby(box, at(box), time.monotonic_ns() + 2_000_000_000)
    injected = threading.Thread(target=DRIVER.inject, args=(target, arguments, ours))
    injected.start()
    wait_for(lambda: str(ours["table"]) in at(box).look(["nft", "list", "tables"]).out)
    assert DRIVER.is_out(at(box), arguments, ours)[0] is False
    assert said(box, SEND, "127.0.0.1", "5") == "5"
    assert target.began_ns == 0
    injected.join()
    assert said(box, SEND, "127.0.0.1", "5") == "0"


def test_lose_some_percent(box: Host) -> None:
    target, ours = at(box), prior(box)
    arguments = {"action": "lose", "percent": 30, "hook": "prerouting", "protocol": "udp"}
    assert DRIVER.inject(target, arguments, ours).code == 0
    came = int(said(box, SEND, "127.0.0.1", "2000"))
    assert 1277 <= came <= 1523, "1400, give or take six standard deviations"


def test_the_kernel_ends_it_with_nobody_alive(box: Host) -> None:
    target, ours = at(box), prior(box, lease_s=2.0)
    arguments = {"action": "drop", "hook": "input", "protocol": "udp"}
    assert DRIVER.inject(target, arguments, ours).code == 0
    assert said(box, SEND, "127.0.0.1", "5") == "0"
    wait_for(lambda: DRIVER.is_out(target, arguments, ours)[0] is False, 5)
    assert DRIVER.is_out(target, arguments, ours)[1].endswith("not armed any more, met 5 packets")
    assert said(box, SEND, "127.0.0.1", "5") == "5"
    assert DRIVER.inject(target, arguments, ours).code == -1, "not after the lease"
    assert DRIVER.revert(target, arguments, ours).code == 0
    assert DRIVER.is_out(target, arguments, ours) == (False, "there is no table vipchaos_fault_one-a1b2c3.drop-it")


@pytest.mark.parametrize("hook", ["prerouting", "input", "forward", "output"])
def test_each_hook_takes_each_action(box: Host, hook: str) -> None:
    target, ours = at(box), prior(box)
    for more in (
        {"action": "drop"},
        {"action": "lose", "percent": 1, "protocol": "vrrp", "source": "10.1.1.0/24", "destination": "10.1.1.12/32"},
        {"action": "reject", "protocol": "tcp", "source_port": 179, "destination": "2001:db8::/32"},
        {"action": "reject", "protocol": "icmpv6"},
    ):
        reply = DRIVER.inject(target, {"hook": hook, **more}, ours)
        assert reply.code == 0, reply.words
        assert DRIVER.is_out(target, {}, ours)[0] is True


def test_a_target_that_is_not_there_is_unknown() -> None:
    gone = Host("gone", "netns", "vct-gone")
    assert NftDriver().is_out(at(gone), {}, {"table": "vipchaos_fault_x"})[0] is None
    assert NftDriver().prior(at(gone), {}, Term("x", 0)) is None
