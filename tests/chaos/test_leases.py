"""Leases: whoever dies by kill -9, and when, the fault is gone within the lease and no lease file is left.

The network is a veth pair in namespaces of the test's own; the controller is a process of the test's own.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from chaos import lease as leases
from chaos import switch
from chaos.driver import Term
from chaos.drivers import DRIVERS
from chaos.transport import at
from core.inventory import Host
from core.records import FaultPhase, FaultStep
from store.journal import read_journal
from tests.chaos.guarding import ANSWERING, asked, guarded, out, processes
from tests.waiting import wait_for

LEASE_S = 1.5
TERM = Term("one.fault", 0)
CONTROLLER = """
import json, sys, time
from pathlib import Path
from chaos import lease as leases
from chaos import switch
from chaos.guard.client import GuardClient
directory, asked, stop_at = Path(sys.argv[1]), leases.from_body(json.loads(sys.argv[2])), sys.argv[3]
def reached(step):
    if step == stop_at:
        print(step, flush=True)
        time.sleep(60)
guard = GuardClient(directory, Path("/none"))
lease = guard.arm(asked, 30, ["dc1", "dc2"])
reached("armed")
for number, fault in enumerate(lease.faults):
    guard.inject(lease.lease, fault.name, 0, ["dc1", "dc2"])
    reached(f"injected {number}")
guard.release(lease.lease, lambda step: None, 5, [lease.faults[-1].name])
reached("one reverted")
"""


def make(host: Host, tmp_path: Path, lease_s: float = LEASE_S) -> Path:
    """A lease on disk that no guard knows of."""
    deadline_ns = time.monotonic_ns() + round(lease_s * 1e9)
    path = tmp_path / "leases" / "one.json"
    leases.write(path, replace(asked(host, tmp_path), deadline_ns=deadline_ns, boot=leases.boot_id()))
    return path


def inject(host: Host, *links: str) -> None:
    for link in links:
        DRIVERS["link"].inject(at(host), {"interface": link}, {})


@pytest.mark.parametrize("step", ["armed", "injected 0", "injected 1", "one reverted"])
def test_kill_9_of_the_controller_at_each_step(host: Host, tmp_path: Path, step: str) -> None:
    """Its lease is for 30 s, but a controller that has gone will never revert: the guard does it at once."""
    path = tmp_path / "leases" / "one.json"
    ask = json.dumps(asdict(asked(host, tmp_path)))
    argv = [sys.executable, "-c", CONTROLLER, str(path.parent), ask, step]
    with guarded(path.parent), subprocess.Popen(argv, stdout=subprocess.PIPE) as controller:
        assert controller.stdout is not None
        assert controller.stdout.readline().decode().strip() == step
        if step == "injected 1":
            assert out(host) == {"left": True, "right": True}
        controller.send_signal(signal.SIGKILL)
        controller.wait()
        wait_for(lambda: not path.exists(), 3)
        assert out(host) == {"left": False, "right": False}
        wait_for(lambda: list(path.parent.iterdir()) == [])
    records, _ = read_journal(tmp_path / "guard-one.db")
    steps = [(record.fault, record.phase) for record in records if isinstance(record, FaultStep)]
    proven = [fault for fault, phase in steps if phase is FaultPhase.REVERT_PROVEN]
    assert proven == (["left"] if step == "one reverted" else ["right", "left"]), "in reverse order, each proven"


def test_the_guard_of_a_run_ignores_what_stops_a_controller(host: Host, tmp_path: Path) -> None:
    directory = tmp_path / "leases"
    with guarded(directory) as guard:
        guard.arm(asked(host, tmp_path), LEASE_S, ANSWERING)
        for pid in processes(directory):
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                os.kill(pid, number)
        guard.inject("one", "left", 0, ANSWERING)
        wait_for(lambda: not leases.unfinished(directory), LEASE_S + 2)
        assert out(host)["left"] is False


def test_released_in_time_and_released_twice(host: Host, tmp_path: Path) -> None:
    path = make(host, tmp_path, 30)
    inject(host, "left")
    steps: list[FaultStep] = []
    assert leases.release(path, steps.append, 5)
    assert out(host)["left"] is False
    assert [step.phase for step in steps if step.fault == "left"] == [
        FaultPhase.REVERTING,
        FaultPhase.REVERTED,
        FaultPhase.REVERT_PROVEN,
    ]
    count = len(steps)
    assert leases.release(path, steps.append, 5)
    assert len(steps) == count


def test_one_of_several_is_released_and_the_rest_stays(host: Host, tmp_path: Path) -> None:
    path = make(host, tmp_path, 30)
    inject(host, "left", "right")
    assert leases.release(path, lambda _: None, 5, ["left"])
    assert out(host) == {"left": False, "right": True}
    assert [fault.name for fault in leases.read(path).faults] == ["right"]
    assert leases.release(path, lambda _: None, 5, ["left"]), "it is gone already"
    assert leases.release(path, lambda _: None, 5)
    assert out(host) == {"left": False, "right": False}
    assert list(path.parent.iterdir()) == []


def test_a_revert_that_fails_is_told_and_tried_again(host: Host, tmp_path: Path) -> None:
    path = make(host, tmp_path, 30)
    lease = leases.read(path)
    broken = replace(lease.faults[0], arguments={"interface": "gone"})
    leases.write(path, replace(lease, faults=(broken, lease.faults[1])))
    steps: list[FaultStep] = []
    assert not leases.release(path, steps.append, 0.3)
    phases = [(step.fault, step.phase) for step in steps]
    assert phases.count(("left", FaultPhase.REVERT_FAILED)) > 1
    assert phases.count(("right", FaultPhase.REVERT_PROVEN)) == 1, "one that fails holds up no other"
    assert path.exists()


def test_one_that_is_tried_without_end_is_in_no_others_way(host: Host, tmp_path: Path) -> None:
    """While one party tries again and again, another may revert the lease as soon as that is possible."""
    path = make(host, tmp_path, 30)
    inject(host, "right")
    subprocess.run(["ip", "-n", host.target, "link", "set", "left", "name", "away"], check=True)
    trying = threading.Thread(target=leases.release, args=(path, lambda _: None, None))
    trying.start()
    wait_for(lambda: out(host)["right"] is False)
    subprocess.run(["ip", "-n", host.target, "link", "set", "away", "name", "left"], check=True)
    assert leases.release(path, lambda _: None, 2)
    trying.join(10)
    assert not trying.is_alive()


def test_a_damaged_lease_is_told(tmp_path: Path) -> None:
    for text in ("", "{}", "[]", json.dumps({"lease": 1, "faults": [{}]})):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(leases.LeaseError, match=r"bad\.json: the lease is damaged"):
            leases.read(tmp_path / "bad.json")


def test_foreign_state_is_not_ours(host: Host) -> None:
    target = at(host)
    assert DRIVERS["link"].prior(target, {"interface": "left"}, TERM) == {}
    subprocess.run(["ip", "-n", host.target, "link", "set", "left", "down"], check=True)
    assert DRIVERS["link"].prior(target, {"interface": "left"}, TERM) is None
    assert DRIVERS["link"].prior(target, {"interface": "nonsense"}, TERM) is None


def test_a_command_that_cannot_run_is_an_answer() -> None:
    reply = at(Host("here", "local", "")).look(["/no/such/command"])
    assert reply.code == -1
    assert "No such file" in reply.error


def test_a_damaged_lease_keeps_the_kill_switch_from_no_other(host: Host, tmp_path: Path) -> None:
    path = make(host, tmp_path, 30)
    inject(host, "left", "right")
    (path.parent / "bad.json").write_text("{")
    assert switch.stop("outage", lambda _: None, path.parent, give_up_s=5) == ["bad"]
    assert out(host) == {"left": False, "right": False}
    assert switch.reason(path.parent) == "outage"


@pytest.mark.parametrize("place", ["gone/guard.db", "file/guard.db"])
def test_a_journal_that_cannot_be_written_is_in_no_reverts_way(host: Host, tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    directory = tmp_path / "leases"
    with guarded(directory) as guard:
        guard.arm(replace(asked(host, tmp_path), guard_journal=str(tmp_path / place)), LEASE_S, ANSWERING)
        guard.inject("one", "left", 0, ANSWERING)
        assert out(host)["left"]
        wait_for(lambda: not leases.unfinished(directory), LEASE_S + 3)
        assert out(host)["left"] is False
