"""kill -9 in the middle of an experiment, of each part that can die: reverted within the lease, nothing left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import client
from tests.host import Host, look
from tests.waiting import wait_for

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
LEASE_S = 8
READY_AGAIN_S = 25


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    """Node failover with a short lease, that holds until it is killed."""
    text = (EXPERIMENTS / "node-failover.yaml").read_text()
    path = tmp_path / "killed.yaml"
    path.write_text(text.replace("hold_s: 5", f"hold_s: {LEASE_S - 5}").replace("lease_s: 30", f"lease_s: {LEASE_S}"))
    assert path.read_text().count(f"_s: {LEASE_S}") == 1
    return path


@contextlib.contextmanager
def running(experiment: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """A demo whose faults are injected and proven."""
    argv = [sys.executable, "-m", "cli", "demo", *options, str(experiment)]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as outer:
        assert outer.stderr is not None
        for line in outer.stderr:
            if "ace1-conntrackd proven" in line:
                break
        else:
            pytest.fail("the demo ended before its faults were proven")
        try:
            yield outer
        finally:
            outer.kill()


def inner(outer: subprocess.Popen[str]) -> list[int]:
    """The processes of the controller, as the host sees them, its agents included."""
    found, ahead = [], [outer.pid]
    while ahead:
        done = subprocess.run(["pgrep", "-P", str(ahead.pop())], capture_output=True, text=True, check=False)
        children = [int(word) for word in done.stdout.split()]
        found += children
        ahead += children
    return found


def clean(lab: client.Lab) -> bool:
    """Whether the lab is as before: ready, no lease out, no rule and no probe at any client."""
    script = """
    set -e
    test -z "$(ls /run/vipchaos/leases)"
    for client in c1 c2 c3 c4; do test -z "$(ip netns exec $client nft list tables)"; done
    ! pgrep -f '[c]li agent|[c]li.controller|[c]haos.guard.keeper|[t]cpdump'
    """
    argv = lab.enter_argv(None, ["sh", "-c", script])
    done = subprocess.run(argv, capture_output=True, check=False, env=client.environment())
    return done.returncode == 0 and lab.status()["missing"] == []


@pytest.mark.parametrize("who", ["the command", "the controller", "the controller and its agents", "all of them"])
def test_a_lab_that_stays(lab: client.Lab, experiment: Path, who: str) -> None:
    wait_for(lambda: clean(lab))
    with running(experiment, "--lab", lab.name) as outer:
        injected_s = time.monotonic()
        assert lab.status()["missing"]
        # All but the guard, which is what undoes it.
        children = [pid for pid in inner(outer) if b"chaos.guard.keeper" not in _command(pid)]
        assert len(children) > 5
        controllers = [pid for pid in children if b"cli.controller" in _command(pid)]
        doomed = {
            "the command": [outer.pid],
            "the controller": controllers,
            "the controller and its agents": children,
            "all of them": [outer.pid, *children],
        }[who]
        for pid in doomed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        leases = ["sh", "-c", "ls /run/vipchaos/leases/*.json 2>/dev/null || true"]
        argv = lab.enter_argv(None, leases)
        wait_for(lambda: not subprocess.run(argv, capture_output=True, check=True).stdout, LEASE_S + 3)
        assert time.monotonic() - injected_s < LEASE_S + 2
    if who == "the controller":
        assert outer.returncode not in (0, None)
    wait_for(lambda: all(not _command(pid) for pid in children))
    wait_for(lambda: clean(lab), READY_AGAIN_S)


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize("who", ["the command", "all of them"])
def test_a_lab_of_its_own_goes_too(home: Path, experiment: Path, who: str) -> None:
    before = look()
    with running(experiment) as outer:
        doomed = [outer.pid, *(inner(outer) if who == "all of them" else [])]
        for pid in doomed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    wait_for(lambda: _left(before) == {}, LEASE_S + 10)

    def forgotten() -> bool:
        if who == "all of them":
            client._remove_dead()  # its record, which the next start removes
        return not list((home / "labs").glob("demo-*"))

    wait_for(forgotten)


def _left(before: Host) -> dict[str, object]:
    after = look()
    return {
        name: getattr(after, name)
        for name in ("namespaces", "named", "links", "rules", "files", "processes")
        if getattr(after, name) != getattr(before, name)
    }


def test_an_interrupt_reverts_at_once_and_says_aborted(lab: client.Lab, experiment: Path) -> None:
    wait_for(lambda: clean(lab))
    with running(experiment, "--lab", lab.name) as outer:
        outer.send_signal(signal.SIGINT)
        said, _ = outer.communicate(timeout=30)
    assert outer.returncode == 8
    assert "ABORTED: node-failover: told to stop" in said
    wait_for(lambda: clean(lab))
