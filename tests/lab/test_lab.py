"""The lab for real: it comes up, heals, is judged honestly, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import CallError, PrivilegeError
from lab import client
from tests.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]


def missing(lab: client.Lab) -> object:
    return lab.status()["missing"]


def namespaces() -> set[str]:
    found = set()
    for path in Path("/proc").glob("[0-9]*/ns/net"):
        with contextlib.suppress(OSError):
            found.add(str(path.readlink()))
    return found


def test_it_is_ready_and_up_twice_is_harmless(lab: client.Lab) -> None:
    assert missing(lab) == []
    again = client.up("tests")
    assert again == lab
    assert client.find("tests") == lab


def test_nothing_of_it_is_seen_outside(lab: client.Lab) -> None:
    assert lab.alive()
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    assert "ace1" not in listed
    assert not Path("/run/lab").exists()


def test_a_failed_server_leaves_the_pool_and_comes_back(lab: client.Lab, inside: Callable[..., str]) -> None:
    inside(None, "sh", "-c", "kill -9 $(cat /run/lab/s2.reflector.pid)")
    wait_for(lambda: lab.status()["pools"] == {f"ace{n}": ["10.1.2.2"] for n in (1, 2, 3, 4)})
    status = lab.status()
    assert status["announced_by"] == ["dc1", "dc2"]
    assert status["answered_from"] == {"c1": "dc1", "c2": "dc1", "c3": "dc2", "c4": "dc2"}
    assert "daemon s2.reflector" in status["missing"]  # type: ignore[operator]
    inside(None, "/run/lab/start/s2.reflector")
    wait_for(lambda: missing(lab) == [])


def test_without_servers_the_route_is_withdrawn(lab: client.Lab, inside: Callable[..., str]) -> None:
    inside(None, "sh", "-c", "kill -9 $(cat /run/lab/s1.reflector.pid) $(cat /run/lab/s2.reflector.pid)")
    wait_for(lambda: lab.status()["announced_by"] == [])
    inside(None, "/run/lab/start/s1.reflector")
    inside(None, "/run/lab/start/s2.reflector")
    wait_for(lambda: missing(lab) == [])


def test_a_route_withdrawn_by_hand_stays_withdrawn(lab: client.Lab, inside: Callable[..., str]) -> None:
    birdc = ("birdc", "-s", "/run/bird/r1.ctl")
    inside("r1", *birdc, "disable", "rhi")
    wait_for(lambda: lab.status()["next_hops"] == {"a1": "r2", "a2": "r2"})
    checks = 'for _ in 1 2 3 4 5; do ip netns exec r1 python3 -c "pass"; done'
    inside(None, "sh", "-c", checks)
    assert lab.status()["announced_by"] == ["dc2"]
    inside("r1", *birdc, "enable", "rhi")
    wait_for(lambda: missing(lab) == [])


def test_kill_9_of_everything_leaves_nothing(home: Path) -> None:
    before = namespaces()
    lab = client.up("doomed")
    assert namespaces() - before
    os.kill(lab.pid, signal.SIGKILL)
    wait_for(lambda: not lab.alive())
    assert client.forget("doomed")
    wait_for(lambda: namespaces() <= before)
    assert not list((home / "labs").glob("doomed*"))
    assert not client.forget("doomed")
    with pytest.raises(CallError, match="vipchaos lab up --name doomed"):
        client.find("doomed")


def test_the_end_of_the_lifeline_ends_it(home: Path) -> None:
    read_end, write_end = os.pipe()
    lab = client.up("leashed", lifeline=read_end)
    os.close(read_end)
    assert lab.alive()
    os.close(write_end)
    wait_for(lambda: not lab.alive())
    client.forget("leashed")
    assert not list((home / "labs").glob("leashed*"))


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "TOOLS", {"nft": "nftables", "no-such-tool": "no-such-package"})
    with pytest.raises(PrivilegeError, match=r"no-such-tool \(package no-such-package\)") as refused:
        client.preflight()
    assert refused.value.exit_code == 6
