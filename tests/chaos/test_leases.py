"""Leases: whoever dies by kill -9, and when, the fault is gone within the lease and no lease file is left.

The network is a veth pair in namespaces of the test's own; the controller is a process of the test's own.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from chaos import lease as leases
from chaos import watchdog
from chaos.driver import Term
from chaos.drivers import DRIVERS
from chaos.transport import at
from core.inventory import Host
from core.records import FaultPhase, FaultStep
from store.journal import read_journal
from tests.waiting import wait_for

LEASE_S = 1.5
TERM = Term("one.fault", 0)
CONTROLLER = """
import sys, time
from pathlib import Path
from chaos import lease as leases, watchdog
from chaos.drivers import DRIVERS
from chaos.transport import at
path, stop_at = Path(sys.argv[1]), sys.argv[2]
def reached(step):
    if step == stop_at:
        print(step, flush=True)
        time.sleep(60)
lease = leases.read(path)
watchdog.start(path)
reached("armed")
for number, fault in enumerate(lease.faults):
    DRIVERS[fault.driver].inject(at(fault.host), fault.arguments, fault.prior)
    reached(f"injected {number}")
fault = lease.faults[-1]
DRIVERS[fault.driver].revert(at(fault.host), fault.arguments, fault.prior)
reached("reverting")
"""


def make(host: Host, tmp_path: Path, lease_s: float = LEASE_S) -> Path:
    faults = tuple(leases.LeasedFault(name, "link", host, {"interface": name}, {}) for name in ("left", "right"))
    deadline_ns = time.monotonic_ns() + round(lease_s * 1e9)
    journal = str(tmp_path / "guard.db")
    path = tmp_path / "leases" / "one.json"
    leases.write(path, leases.Lease("one", "run", "exp", deadline_ns, leases.boot_id(), journal, faults))
    return path


def out(host: Host, interface: str) -> bool | None:
    return DRIVERS["link"].is_out(at(host), {"interface": interface}, {})[0]


@pytest.mark.parametrize("step", ["armed", "injected 0", "injected 1", "reverting"])
def test_kill_9_of_the_controller_at_each_step(host: Host, tmp_path: Path, step: str) -> None:
    path = make(host, tmp_path)
    deadline_ns = leases.read(path).deadline_ns
    with subprocess.Popen([sys.executable, "-c", CONTROLLER, str(path), step], stdout=subprocess.PIPE) as controller:
        assert controller.stdout is not None
        assert controller.stdout.readline().decode().strip() == step
        if step == "injected 1":
            assert out(host, "left")
            assert out(host, "right")
        controller.send_signal(signal.SIGKILL)
    wait_for(lambda: not path.exists(), LEASE_S + 2)
    assert (out(host, "left"), out(host, "right")) == (False, False)
    assert time.monotonic_ns() < deadline_ns + 2_000_000_000
    assert list(path.parent.iterdir()) == []
    records, _ = read_journal(tmp_path / "guard.db")
    steps = [(record.fault, record.phase) for record in records if isinstance(record, FaultStep)]
    proven = [fault for fault, phase in steps if phase is FaultPhase.REVERT_PROVEN]
    assert proven == ["right", "left"], "in reverse order, each proven"


def test_the_watchdog_ignores_what_stops_a_controller(host: Host, tmp_path: Path) -> None:
    path = make(host, tmp_path)
    watchdog.start(path)
    found = subprocess.run(["pgrep", "-f", f"chaos.watchdog {path}"], capture_output=True, text=True, check=True)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        os.kill(int(found.stdout), number)
    DRIVERS["link"].inject(at(host), {"interface": "left"}, {})
    wait_for(lambda: not path.exists(), LEASE_S + 2)
    assert out(host, "left") is False


def test_released_in_time_and_released_twice(host: Host, tmp_path: Path) -> None:
    path = make(host, tmp_path, 30)
    watchdog.start(path)
    DRIVERS["link"].inject(at(host), {"interface": "left"}, {})
    steps: list[FaultStep] = []
    assert leases.release(path, steps.append, 5)
    assert out(host, "left") is False
    assert [step.phase for step in steps if step.fault == "left"] == [
        FaultPhase.REVERTING,
        FaultPhase.REVERTED,
        FaultPhase.REVERT_PROVEN,
    ]
    count = len(steps)
    assert leases.release(path, steps.append, 5)
    assert len(steps) == count
    pattern = f"chaos.watchdog {path}"
    wait_for(lambda: subprocess.run(["pgrep", "-f", pattern], capture_output=True, check=False).returncode == 1)


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


def test_sweep_reverts_what_is_over_and_leaves_the_rest(host: Host, tmp_path: Path) -> None:
    path = make(host, tmp_path, 30)
    DRIVERS["link"].inject(at(host), {"interface": "right"}, {})
    assert leases.sweep(lambda _: None, path.parent) == 0
    assert out(host, "right")
    leases.write(path, replace(leases.read(path), boot="another boot"))
    assert leases.sweep(lambda _: None, path.parent) == 1
    assert out(host, "right") is False


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


@pytest.mark.parametrize("place", ["gone/guard.db", "file/guard.db"])
def test_a_journal_that_cannot_be_written_is_in_no_reverts_way(host: Host, tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    path = make(host, tmp_path)
    leases.write(path, replace(leases.read(path), guard_journal=str(tmp_path / place)))
    watchdog.start(path)
    DRIVERS["link"].inject(at(host), {"interface": "left"}, {})
    wait_for(lambda: not path.exists(), LEASE_S + 3)
    assert out(host, "left") is False
