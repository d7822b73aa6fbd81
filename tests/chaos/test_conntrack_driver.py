"""The driver `conntrack` in a namespace that tracks connections: what it knew it forgets, if only for a moment."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from chaos import lease as leases
from chaos.driver import NOTHING_TO_REVERT, Term
from chaos.transport import at
from core.inventory import Host
from core.lease import Lease, LeasedFault
from core.records import FaultPhase, FaultStep
from tests.chaos.as_planned import DRIVERS

DRIVER = DRIVERS["conntrack"]
TERM = Term("one.fault", 0)
TRACK = "table inet track { chain c { type filter hook input priority 0; ct state established accept; }; }"
FLOWS = """
import socket
for address, family in (("127.0.0.1", socket.AF_INET), ("127.0.0.2", socket.AF_INET), ("::1", socket.AF_INET6)):
    for port in range(20000, 20040):
        with socket.socket(family, socket.SOCK_DGRAM) as flow:
            flow.bind(("::1" if ":" in address else "127.0.0.1", port))
            flow.sendto(b"x", (address, 7000))
"""


@pytest.fixture
def node(host: Host) -> Host:
    """A namespace that tracks 40 flows to each of three addresses."""
    subprocess.run(["ip", "-n", host.target, "link", "set", "lo", "up"], check=True)
    assert at(host).look(["nft", TRACK]).code == 0
    send(host)
    assert count(host) == 120
    return host


def send(host: Host) -> None:
    assert at(host).look([sys.executable, "-c", FLOWS]).code == 0


def count(host: Host) -> int:
    return int(at(host).look(["conntrack", "-C"]).out)


@pytest.mark.parametrize(
    ("arguments", "entries"),
    [
        ({"flush": "all"}, 120),
        ({"flush": "destination", "destination": "127.0.0.2"}, 40),
        ({"flush": "destination", "destination": "::1"}, 40),
    ],
)
def test_forgotten_and_proven_though_the_flows_come_back(node: Host, arguments: dict[str, str], entries: int) -> None:
    target, followed = at(node), min(entries, 100)
    prior = DRIVER.prior(target, arguments, TERM)
    assert prior is not None
    assert prior["count"] == entries
    assert DRIVER.is_out(target, arguments, prior) == (
        False,
        f"{followed} of {followed} entries of before are left; {entries} before, {entries} now",
    )
    assert DRIVER.inject(target, arguments, prior).code == 0
    assert count(node) == 120 - entries, "and no other"
    assert DRIVER.is_out(target, arguments, prior)[0] is True
    assert DRIVER.prior(target, arguments, TERM) is None, "there is nothing to flush"
    send(node)
    assert count(node) == 120
    out, seen = DRIVER.is_out(target, arguments, prior)
    assert out is True, seen
    assert seen.endswith(f"of {followed} entries of before are left; {entries} before, {entries} now")


@pytest.mark.parametrize("injected", [True, False])
def test_its_lease_has_nothing_to_put_back(node: Host, tmp_path: Path, injected: bool) -> None:
    arguments = {"flush": "all"}
    prior = DRIVER.prior(at(node), arguments, TERM)
    assert prior is not None
    if injected:
        assert DRIVER.inject(at(node), arguments, prior).code == 0
    assert DRIVER.revert(at(node), arguments, prior) is NOTHING_TO_REVERT
    steps: list[FaultStep] = []
    fault = LeasedFault("flush", "conntrack", node, arguments, prior)
    leases.write(
        tmp_path / "one.json",
        Lease("one", "run", "exp", time.monotonic_ns(), leases.boot_id(), str(tmp_path / "g.db"), (fault,)),
    )
    assert leases.release(tmp_path / "one.json", steps.append, 5)
    assert [step.phase for step in steps] == [FaultPhase.REVERTING, FaultPhase.REVERTED, FaultPhase.REVERT_PROVEN]
    assert count(node) == (0 if injected else 120), "what was not injected is not injected by its revert"


def test_a_target_that_is_not_there_is_unknown() -> None:
    gone = at(Host("gone", "netns", "vct-gone"))
    assert DRIVER.prior(gone, {"flush": "all"}, TERM) is None
    assert DRIVER.is_out(gone, {"flush": "all"}, {"count": 1, "entries": ["1"]})[0] is None
