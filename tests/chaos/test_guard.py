"""The guard: gives and refuses, injects at the instant asked for, and is there again whoever kills it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from chaos import lease as leases
from chaos import switch
from chaos.guard import client as client_module
from chaos.guard.client import GuardClient, RefusedByGuardError, connect
from chaos.guard.keeper import SOCKET
from core.audit import Broken, Entry
from core.errors import BlockedError
from core.inventory import Host
from core.lease import LeasedSite
from store.audit import Audit, audit_file
from tests.chaos.guarding import ANSWERING, LINKS, asked, gone, guard_pid, guarded, kill, now_ns, out, processes
from tests.waiting import wait_for


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of leases; the audit is this test's own as well."""
    monkeypatch.setenv("VIPCHAOS_HOME", str(tmp_path / "home"))
    return tmp_path / "leases"


def told() -> list[str]:
    """What the audit tells, whole."""
    found = Audit(audit_file()).read()
    assert not any(isinstance(item, Broken) for item in found)
    return [item.what for item in found if isinstance(item, Entry)]


def refused(guard: GuardClient, *args: object, **others: object) -> str:
    with pytest.raises(RefusedByGuardError) as caught:
        guard.arm(*args, **others)  # type: ignore[arg-type]
    return caught.value.refusal.reason


def test_given_injected_proven_and_taken_back_at_the_deadline(host: Host, directory: Path) -> None:
    with guarded(directory) as guard:
        lease = guard.arm(asked(host, directory.parent), 1.0, ANSWERING)
        assert [fault.prior for fault in lease.faults] == [{}, {}]
        assert lease.holder.startswith(f"{os.getpid()}:")
        at_ns = now_ns() + 100_000_000
        done = guard.inject("one", "left", at_ns, ANSWERING)
        assert at_ns <= done.began_ns <= done.ended_ns <= now_ns()
        assert guard.prove("one", "left")[0] is True
        assert guard.prove("one", "right")[0] is False
        guard.standing("one", ANSWERING)
        wait_for(lambda: not leases.unfinished(directory), 3)
        assert now_ns() >= lease.deadline_ns
        assert out(host) == {"left": False, "right": False}
        with pytest.raises(RefusedByGuardError, match="lease_over"):
            guard.inject("one", "right", now_ns(), ANSWERING)
        assert out(host) == {"left": False, "right": False}
    assert told() == ["armed", "injecting", "revert_proven", "revert_proven"]


def test_what_is_asked_twice_is_done_once(host: Host, directory: Path) -> None:
    with guarded(directory) as guard:
        lease = guard.arm(asked(host, directory.parent), 30, ANSWERING)
        assert guard.arm(asked(host, directory.parent), 30, ANSWERING) == lease
    assert told() == ["armed"]


def test_refusals_have_reasons_and_touch_nothing(host: Host, directory: Path) -> None:
    caps = directory.parent / "caps.yaml"
    caps.write_text("lease_s: 20\nconcurrent_faults: 3\n")
    with guarded(directory, caps) as guard:
        lease = asked(host, directory.parent)
        assert refused(guard, lease, 21, ANSWERING) == "lease_too_long"
        assert refused(guard, replace(lease, survivors=2), 20, ["dc1"]) == "survivors"
        assert refused(guard, lease, 20, []) == "last_announcer"
        taking = replace(lease, faults=tuple(replace(fault, takes=("dc1",)) for fault in lease.faults))
        assert refused(guard, taking, 20, ["dc1"]) == "last_announcer"
        subprocess.run(["ip", "-n", host.target, "link", "set", "left", "down"], check=True)
        assert refused(guard, lease, 20, ANSWERING) == "foreign_state"
        subprocess.run(["ip", "-n", host.target, "link", "set", "left", "up"], check=True)
        assert leases.unfinished(directory) == []
        guard.arm(lease, 20, ANSWERING)
        other = replace(asked(host, directory.parent, "two"), run="another", vip="another")
        assert refused(guard, other, 20, ANSWERING) == "too_many_faults"
        assert refused(guard, replace(other, faults=other.faults[:1]), 20, ANSWERING) == "same_target"
        assert refused(guard, replace(other, vip="vip", faults=other.faults[:1]), 20, ANSWERING) == "other_run"
    entries = [item for item in Audit(audit_file()).read() if isinstance(item, Entry)]
    assert [entry.what for entry in entries] == ["refused"] * 5 + ["armed"] + ["refused"] * 3
    assert entries[0].values["reason"] == "lease_too_long"
    assert entries[0].who == f"uid {os.getuid()}: a test"


def test_of_two_runs_that_race_one_wins(host: Host, directory: Path) -> None:
    with guarded(directory) as first:
        # The guard is there before they begin: else whoever starts it is alone with it.
        first.arm(asked(host, directory.parent, "before"), 20, ANSWERING)
        assert first.release("before", lambda _: None, 5, LINKS)
        results: list[str] = []
        start = threading.Barrier(8)

        def race(number: int) -> None:
            guard = GuardClient(directory)
            start.wait()
            try:
                guard.arm(asked(host, directory.parent, f"l{number}", run=f"run{number}"), 20, ANSWERING)
                results.append("won")
            except RefusedByGuardError as error:
                results.append(error.refusal.reason)
            finally:
                guard.close()

        threads = [threading.Thread(target=race, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(results) == ["other_run"] * 7 + ["won"]


def test_the_guard_itself_holds_what_was_given_before_against_its_caps(host: Host, directory: Path) -> None:
    """And where that was changed, it is not known: nothing more is given."""
    caps = directory.parent / "caps.yaml"
    caps.write_text("faults_a_day: 4\nflaps_an_hour: 2\n")
    with guarded(directory, caps) as guard:

        def given(name: str, *takes: str) -> None:
            guard.arm(asked(host, directory.parent, name, takes=takes), 20, ANSWERING)
            assert guard.release(name, lambda _: None, 5, LINKS)

        given("one", "dc1")
        with pytest.raises(RefusedByGuardError, match="flap 4 times in an hour, allowed: 2"):
            given("two", "dc1")
        given("three")
        with pytest.raises(RefusedByGuardError, match="6 faults in 24 h, the guard allows 4"):
            given("four")
        audit_file().write_text(audit_file().read_text().replace('"what": "armed"', '"what": "aimed"'))
        with pytest.raises(RefusedByGuardError, match="the audit cannot be read: line 1 was changed"):
            given("five")


def test_a_drain_by_hand_is_seen_at_the_moment_of_injection(host: Host, directory: Path) -> None:
    """dc2's announcement is a file that a hand takes away between lease and injection."""
    mark = directory.parent / "announced"
    mark.write_text("203.0.113.10/32\n")
    look = LeasedSite("dc2", (), host, ("cat", str(mark)), "203.0.113.10/32")
    with guarded(directory) as guard:
        lease = asked(host, directory.parent, takes=("dc1",))
        lease = replace(lease, sites=(LeasedSite("dc1", ("ace1",)), look))
        guard.arm(lease, 20, ["dc1"])
        guard.inject("one", "left", now_ns(), ["dc1"])
        guard.standing("one", [])
        mark.write_text("nothing\n")
        with pytest.raises(RefusedByGuardError, match="last_announcer"):
            guard.inject("one", "right", now_ns(), ["dc1"])
        with pytest.raises(RefusedByGuardError, match="last_announcer"):
            guard.standing("one", ["dc1"])
        assert out(host) == {"left": True, "right": False}


def test_the_kill_switch_blocks_leases_and_injections(host: Host, directory: Path) -> None:
    with guarded(directory) as guard:
        guard.arm(asked(host, directory.parent), 20, ANSWERING)
        (directory.parent / switch.NAME).write_text(json.dumps({"reason": "outage"}))
        with pytest.raises(RefusedByGuardError, match="kill_switch"):
            guard.inject("one", "left", now_ns(), ANSWERING)
        assert refused(guard, asked(host, directory.parent, "two"), 20, ANSWERING) == "kill_switch"
        assert out(host) == {"left": False, "right": False}


def test_an_audit_that_cannot_be_written_refuses(host: Host, directory: Path) -> None:
    audit_file().mkdir(parents=True)
    with guarded(directory) as guard:
        assert refused(guard, asked(host, directory.parent), 20, ANSWERING) == "no_audit"
    assert out(host) == {"left": False, "right": False}


def test_a_guard_that_is_killed_is_there_again_and_so_is_its_keeper(host: Host, directory: Path) -> None:
    with guarded(directory) as guard:
        lease = guard.arm(asked(host, directory.parent), 30, ANSWERING)
        for _ in range(3):
            kill(guard_pid(directory))
            assert guard.arm(asked(host, directory.parent), 30, ANSWERING) == lease
            keeper = next(pid for pid in processes(directory) if pid != guard_pid(directory))
            kill(keeper)
            wait_for(lambda keeper=keeper: len(set(processes(directory)) - {keeper}) == 2)  # type: ignore[misc]
            assert guard.prove("one", "left")[0] is False
        guard.inject("one", "left", now_ns(), ANSWERING)
        assert out(host)["left"]


def test_killed_while_the_lease_runs_out_it_reverts_all_the_same(host: Host, directory: Path) -> None:
    with guarded(directory) as guard:
        lease = guard.arm(asked(host, directory.parent), 1.0, ANSWERING)
        guard.inject("one", "left", now_ns(), ANSWERING)
        while now_ns() < lease.deadline_ns:
            kill(guard_pid(directory))
            wait_for(lambda: len(processes(directory)) == 2)
        wait_for(lambda: not leases.unfinished(directory), 2)
        assert out(host) == {"left": False, "right": False}


def test_who_may_not_start_one_waits_for_it_and_is_told(
    host: Host, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "READY_WITHIN_S", 0.3)
    directory.mkdir()
    with pytest.raises(BlockedError, match="does not answer; nothing was injected"):
        GuardClient(directory, starts=False).arm(asked(host, directory.parent), 20, ANSWERING)
    assert processes(directory) == []


def test_what_another_guard_reaches_is_not_looked_for_here(host: Host, directory: Path) -> None:
    with pytest.raises(BlockedError, match=r"box \(guard site1\): reached over the bus only"):
        GuardClient(directory).arm(asked(replace(host, guard="site1"), directory.parent), 20, ANSWERING)
    assert processes(directory) == []


def test_without_leases_and_callers_it_goes(directory: Path) -> None:
    connect(directory).close()
    assert len(processes(directory)) == 2
    gone(directory)


def test_one_that_stays_reverts_everything_when_it_is_stopped(host: Host, directory: Path) -> None:
    argv = [sys.executable, "-m", "cli", "guard", "--leases", str(directory)]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as service:
        wait_for((directory.parent / SOCKET).exists)
        client = GuardClient(directory)
        client.arm(asked(host, directory.parent), 30, ANSWERING)
        client.inject("one", "left", now_ns(), ANSWERING)
        client.close()
        second = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert (second.returncode, "another guards" in second.stderr) == (3, True)
        service.terminate()
        assert service.wait(10) == 0
    assert out(host) == {"left": False, "right": False}
    assert leases.unfinished(directory) == []


def test_leases_of_another_boot_are_reverted_as_it_starts(host: Host, directory: Path) -> None:
    with guarded(directory) as guard:
        lease = guard.arm(asked(host, directory.parent), 30, ANSWERING)
        guard.inject("one", "left", now_ns(), ANSWERING)
        keeper, guarding = sorted(processes(directory), key=lambda pid: pid == guard_pid(directory))
        kill(keeper)
        kill(guarding)
        wait_for(lambda: not {keeper, guarding} & set(processes(directory)))
        leases.write(directory / "one.json", replace(lease, boot="another boot"))
        guard.close()
        connect(directory).close()
        wait_for(lambda: not leases.unfinished(directory), 3)
        assert out(host) == {"left": False, "right": False}


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"do": "rm"}',
        b'{"do": "arm"}',
        b'{"do": "arm", "lease": {"lease": "../x", "faults": [], "sites": [], "who": ""}, "lease_s": 1}',
        b'{"do": "inject", "lease": "../../etc/passwd", "fault": "x", "at_ns": "soon", "answering": []}',
        b'{"do": "prove", "lease": 1, "fault": {}}',
    ],
)
def test_nonsense_is_answered_and_harms_nothing(directory: Path, line: bytes) -> None:
    connection = connect(directory)
    try:
        for _ in range(2):
            connection.sendall(line + b"\n")
            answer = json.loads(connection.recv(65536))
            assert "error" in answer or "refused" in answer, answer
    finally:
        connection.close()
    gone(directory)
    assert not list(directory.glob("*"))


def test_its_socket_is_for_its_user_alone(directory: Path) -> None:
    connect(directory).close()
    assert (directory.parent / SOCKET).stat().st_mode & 0o777 == 0o600
    gone(directory)


def test_caps_that_are_wrong_are_told_and_nothing_is_given(host: Host, directory: Path) -> None:
    caps = directory.parent / "caps.yaml"
    caps.write_text("lease_s: forever\n")
    guard = GuardClient(directory, caps)
    with pytest.raises(BlockedError, match=r"caps\.yaml:1: lease_s: is 'forever'"):
        guard.arm(asked(host, directory.parent), 20, ANSWERING)


def test_what_does_not_listen_is_replaced(directory: Path) -> None:
    directory.mkdir(parents=True)
    left_over = socket.socket(socket.AF_UNIX)
    left_over.bind(str(directory.parent / SOCKET))
    left_over.close()
    began_s = time.monotonic()
    connect(directory).close()
    assert time.monotonic() - began_s < 5
    gone(directory)
