"""The driver `keepalived` on a pair of keepalived in two namespaces: the address moves to the peer, and back."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.driver import Term
from chaos.drivers import DRIVERS
from chaos.transport import at
from core.inventory import Host
from tests.waiting import wait_for

DRIVER = DRIVERS["keepalived"]
TERM = Term("one.fault", 0)
ADDRESS = "192.0.2.10"
CONFIGURATION = """
global_defs {{
  vrrp_version 3
}}
track_file chaos {{
  file {file}
  weight 1
  init_file 0 overwrite
}}
vrrp_instance pair {{
  state BACKUP
  interface lan
  virtual_router_id 51
  priority {priority}
  advert_int 0.3
  unicast_src_ip {own}
  unicast_peer {{
    {peer}
  }}
  track_file {{
    chaos
  }}
  virtual_ipaddress {{
    {address}/24
  }}
}}
"""


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Host, Host]]:
    """Two nodes on a link, the first active; their track files are `0` and `1` in `tmp_path`."""
    names = [f"vck{os.getpid()}{which}" for which in "ab"]
    with contextlib.ExitStack() as stack:
        for name in names:
            _ip("netns", "add", name)
            stack.callback(_ip, "netns", "del", name)
        _ip("-n", names[0], "link", "add", "lan", "type", "veth", "peer", "name", "lan", "netns", names[1])
        for number, name in enumerate(names):
            _ip("-n", name, "address", "add", f"192.0.2.{1 + number}/24", "dev", "lan")
            _ip("-n", name, "link", "set", "lan", "up")
        for number, name in enumerate(names):
            stack.enter_context(_keepalived(tmp_path, number, name))
        hosts = (Host("a", "netns", names[0]), Host("b", "netns", names[1]))
        wait_for(lambda: who_has(hosts) == ["a"], 10)
        yield hosts


@contextlib.contextmanager
def _keepalived(directory: Path, number: int, name: str) -> Iterator[None]:
    base = directory / f"{number}"
    text = CONFIGURATION.format(
        file=base,
        priority=100 - 50 * number,
        own=f"192.0.2.{1 + number}",
        peer=f"192.0.2.{2 - number}",
        address=ADDRESS,
    )
    base.with_suffix(".conf").write_text(text)
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
    return [host.name for host in hosts if ADDRESS in at(host)(["ip", "address", "show", "dev", "lan"]).out]


@pytest.mark.parametrize("lower_by", [254, 80])
def test_the_address_moves_to_the_peer_and_back(pair: tuple[Host, Host], tmp_path: Path, lower_by: int) -> None:
    run, file = at(pair[0]), tmp_path / "0"
    arguments = {"track_file": str(file), "lower_by": lower_by, "interface": "lan", "address": ADDRESS}
    prior = DRIVER.prior(run, arguments, TERM)
    assert prior == {"value": "0"}
    assert DRIVER.is_out(run, arguments, prior) == (False, f"{file} has 0, {ADDRESS} is on lan")
    for _ in range(2):
        assert DRIVER.inject(run, arguments, prior).code == 0
        wait_for(lambda: DRIVER.is_out(run, arguments, prior)[0], 5)
    wait_for(lambda: who_has(pair) == ["b"], 5)
    assert DRIVER.is_out(run, arguments, prior)[1] == f"{file} has -{lower_by}, {ADDRESS} is not on lan"
    assert DRIVER.prior(run, arguments, TERM) is None, "what is out already is not ours"
    for _ in range(2):
        assert DRIVER.revert(run, arguments, prior).code == 0
        assert DRIVER.is_out(run, arguments, prior)[0] is False
    assert file.read_text() == "0\n"
    wait_for(lambda: who_has(pair) == ["a"], 5)


def test_the_standby_and_what_others_wrote_are_left_alone(pair: tuple[Host, Host], tmp_path: Path) -> None:
    arguments = {"lower_by": 254, "interface": "lan", "address": ADDRESS}
    assert DRIVER.prior(at(pair[1]), arguments | {"track_file": str(tmp_path / "1")}, TERM) is None, "not active"
    run, file = at(pair[0]), tmp_path / "0"
    arguments["track_file"] = str(file)
    file.write_text("-10\n")
    assert "has -10 now, not 0" in DRIVER.inject(run, arguments, {"value": "0"}).words
    assert DRIVER.revert(run, arguments, {"value": "0"}).code == 0
    assert file.read_text() == "-10\n"
    file.unlink()
    assert DRIVER.is_out(run, arguments, {"value": "0"})[0] is None
    assert DRIVER.prior(run, arguments, TERM) is None
