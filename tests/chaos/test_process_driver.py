"""The driver `process` on an nginx in a namespace, master and worker: killed, stopped, frozen, and as it was again."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.driver import Prior, Term
from chaos.transport import at
from core.inventory import Host
from tests.chaos.as_planned import DRIVERS
from tests.waiting import wait_for

DRIVER = DRIVERS["process"]
TERM = Term("one.fault", 0)
CONFIGURATION = """
pid {0}/nginx.pid; error_log {0}/error.log; worker_processes 1; events {{ }}
http {{ access_log off; server {{ listen 127.0.0.1:7000; return 200 here; }} }}
"""
START = """#!/bin/sh
# A zombie, that nobody has waited for yet, does not run.
grep -q "^State:.[RSDT]" "/proc/$(cat {0}/nginx.pid)/status" && exit 0
exec nginx -c {0}/nginx.conf
"""
ASK = """
import urllib.request
try:
    print(urllib.request.urlopen("http://127.0.0.1:7000/", timeout=0.5).read().decode())
except OSError as error:
    print(getattr(error, "reason", error))
"""


@pytest.fixture
def nginx(host: Host, tmp_path: Path) -> Iterator[dict[str, object]]:
    """The arguments of the fault; nginx runs, and is gone afterwards."""
    (tmp_path / "nginx.conf").write_text(CONFIGURATION.format(tmp_path))
    start = tmp_path / "start"
    start.write_text(START.format(tmp_path))
    start.chmod(0o755)
    subprocess.run(["ip", "-n", host.target, "link", "set", "lo", "up"], check=True)
    assert at(host).look([str(start)]).code == 0
    wait_for(lambda: asked(host) == "here", 5)
    yield {"name": "nginx", "pid_file": str(tmp_path / "nginx.pid"), "start": (str(start),)}
    for pid in subprocess.run(
        ["ip", "netns", "pids", host.target], capture_output=True, text=True, check=True
    ).stdout.split():
        subprocess.run(["kill", "-KILL", pid], check=True)


def pids(prior: Prior) -> list[str]:
    processes = prior["processes"]
    assert isinstance(processes, dict)
    return list(processes)


def asked(host: Host) -> str:
    return at(host).look([sys.executable, "-c", ASK]).out.strip()


@pytest.mark.parametrize("action", ["kill", "stop"])
def test_ended_and_started_again(host: Host, nginx: dict[str, object], action: str) -> None:
    target, arguments = at(host), nginx | {"action": action}
    prior = DRIVER.prior(target, arguments, TERM)
    assert prior is not None
    assert DRIVER.is_out(target, arguments, prior)[0] is False
    assert DRIVER.inject(target, arguments, prior).code == 0
    wait_for(lambda: DRIVER.is_out(target, arguments, prior)[0], 5)
    wait_for(lambda: "Connection refused" in asked(host), 5)
    assert DRIVER.prior(target, arguments, TERM) is None
    assert DRIVER.inject(target, arguments, prior).code == -1, "a pid that is no longer the daemon's is not hit"
    for _ in range(2):
        assert DRIVER.revert(target, arguments, prior).code == 0
        wait_for(lambda: DRIVER.is_out(target, arguments, prior)[0] is False, 5)
    wait_for(lambda: asked(host) == "here", 5)
    assert DRIVER.inject(target, arguments, prior).code == -1, "the one that runs now is another process"
    assert DRIVER.prior(target, arguments | {"name": "haproxy"}, TERM) is None, "another's pid is not ours"


def test_frozen_and_thawed(host: Host, nginx: dict[str, object]) -> None:
    target, arguments = at(host), nginx | {"action": "freeze"}
    del arguments["start"]
    prior = DRIVER.prior(target, arguments, TERM)
    assert prior is not None
    master, worker = pids(prior)
    for _ in range(2):
        assert DRIVER.inject(target, arguments, prior).code == 0
        wait_for(lambda: DRIVER.is_out(target, arguments, prior)[0], 5)
    assert DRIVER.is_out(target, arguments, prior)[1] == f"nginx: {master} in state T, {worker} in state T"
    assert asked(host) == "timed out", "the kernel takes the connection, and nobody answers"
    assert DRIVER.prior(target, arguments, TERM) is None, "what is frozen already is not ours"
    subprocess.run(["kill", "-CONT", worker], check=True)
    wait_for(lambda: DRIVER.is_out(target, arguments, prior)[0] is None, 5)
    for _ in range(2):
        assert DRIVER.revert(target, arguments, prior).code == 0
        wait_for(lambda: DRIVER.is_out(target, arguments, prior)[0] is False, 5)
    wait_for(lambda: asked(host) == "here", 5)


def test_what_is_gone_while_frozen_is_nothing_to_thaw(host: Host, nginx: dict[str, object]) -> None:
    target, arguments = at(host), nginx | {"action": "freeze"}
    prior = DRIVER.prior(target, arguments, TERM)
    assert prior is not None
    assert DRIVER.inject(target, arguments, prior).code == 0
    subprocess.run(["kill", "-KILL", *pids(prior)], check=True)
    wait_for(lambda: DRIVER.is_out(target, arguments, prior) == (False, "nginx: gone"), 5)
    assert DRIVER.revert(target, arguments, prior).code == 0


@pytest.mark.parametrize("action", ["kill", "stop", "freeze"])
def test_a_pid_used_anew_is_not_hit(host: Host, nginx: dict[str, object], action: str) -> None:
    target, arguments = at(host), nginx | {"action": action}
    found = DRIVER.prior(target, arguments, TERM)
    assert found is not None
    of_another = {"processes": dict.fromkeys(pids(found), "1")}
    assert DRIVER.inject(target, arguments, of_another).code == -1
    assert asked(host) == "here"
    assert DRIVER.is_out(target, arguments, found)[0] is False
