"""The driver `keepalived` on a pair of nodes configured as the lab's: the address moves to the peer, and back."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.driver import Term
from chaos.transport import at
from core.inventory import Host
from lab import balancing
from lab.topology import RUN, Plan
from tests.chaos.as_planned import DRIVERS
from tests.waiting import wait_for

DRIVER = DRIVERS["keepalived"]
TERM = Term("one.fault", 0)
PLAN = Plan()
SITE = PLAN.sites[0]
ADDRESS = SITE.floating


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Host, Host]]:
    """The two nodes of a site of the lab, with its configuration but for the notify script; the first is active."""
    names = {node: f"vck{os.getpid()}{number}" for number, node in enumerate(SITE.nodes)}
    with contextlib.ExitStack() as stack:
        for name in names.values():
            _ip("netns", "add", name)
            stack.callback(_ip, "netns", "del", name)
        first, second = names.values()
        _ip("-n", first, "link", "add", "lan", "type", "veth", "peer", "name", "lan", "netns", second)
        for node, name in names.items():
            _ip("-n", name, "address", "add", f"{SITE.node_address(node)}/24", "dev", "lan")
            _ip("-n", name, "link", "set", "lan", "up")
        for node, name in names.items():
            stack.enter_context(_keepalived(tmp_path, node, name))
        hosts = (Host(SITE.nodes[0], "netns", first), Host(SITE.nodes[1], "netns", second))
        wait_for(lambda: who_has(hosts) == ["ace1"], 10)
        yield hosts


@contextlib.contextmanager
def _keepalived(directory: Path, node: str, name: str) -> Iterator[None]:
    base = directory / node
    lines = balancing.keepalived(PLAN, node).replace(RUN, str(directory)).splitlines()
    base.with_suffix(".conf").write_text("\n".join(line for line in lines if "notify" not in line) + "\n")
    files = [f"--use-file={base}.conf", f"--pid={base}.pid", f"--vrrp_pid={base}.vrrp.pid"]
    command = ["ip", "netns", "exec", name, "keepalived", "--dont-fork", "--log-console", "--vrrp", *files]
    with base.with_suffix(".log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as daemon:
        try:
            yield
        finally:
            daemon.terminate()


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def who_has(hosts: tuple[Host, Host]) -> list[str]:
    return [host.name for host in hosts if ADDRESS in at(host).look(["ip", "address", "show", "dev", "lan"]).out]


@pytest.mark.parametrize("lower_by", [254, 80])
def test_the_address_moves_to_the_peer_and_back(pair: tuple[Host, Host], tmp_path: Path, lower_by: int) -> None:
    target, file = at(pair[0]), tmp_path / "ace1.priority"
    arguments = {"track_file": str(file), "lower_by": lower_by, "interface": "lan", "address": ADDRESS}
    prior = DRIVER.prior(target, arguments, TERM)
    assert prior == {"value": "0"}
    assert DRIVER.is_out(target, arguments, prior) == (False, f"{file} has 0, {ADDRESS} is on lan")
    out = (True, f"{file} has -{lower_by}, {ADDRESS} is not on lan")
    for _ in range(2):
        assert DRIVER.inject(target, arguments, prior).code == 0
        wait_for(lambda: DRIVER.is_out(target, arguments, prior) == out, 5)
    wait_for(lambda: who_has(pair) == ["ace2"], 5)
    assert DRIVER.prior(target, arguments, TERM) is None, "what is out already is not ours"
    for _ in range(2):
        assert DRIVER.revert(target, arguments, prior).code == 0
        assert DRIVER.is_out(target, arguments, prior)[0] is False
    assert file.read_text() == "0\n"
    wait_for(lambda: who_has(pair) == ["ace1"], 5)


def test_the_standby_and_what_others_wrote_are_left_alone(pair: tuple[Host, Host], tmp_path: Path) -> None:
    arguments = {"lower_by": 254, "interface": "lan", "address": ADDRESS}
    assert DRIVER.prior(at(pair[1]), arguments | {"track_file": str(tmp_path / "ace2.priority")}, TERM) is None, (
        "not active"
    )
    target, file = at(pair[0]), tmp_path / "ace1.priority"
    arguments["track_file"] = str(file)
    file.write_text("-10\n")
    assert "has -10 now, not 0" in DRIVER.inject(target, arguments, {"value": "0"}).words
    assert DRIVER.revert(target, arguments, {"value": "0"}).code == 0
    assert file.read_text() == "-10\n"
    file.unlink()
    assert DRIVER.is_out(target, arguments, {"value": "0"})[0] is None
    assert DRIVER.prior(target, arguments, TERM) is None
