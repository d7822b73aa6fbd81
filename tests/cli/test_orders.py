"""`vipchaos orders` and `vipchaos guard` as the two services that they are: processes, started and killed."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos import lease as leases
from chaos.guard.keeper import SOCKET
from cli.bus import CONNECT_SEED
from core.enrolment import Role
from core.inventory import Host
from tests.chaos.conftest import host
from tests.chaos.guarding import ANSWERING, asked, gone, now_ns, out
from tests.chaos.on_bus import Bus, at_guard, bus
from tests.waiting import wait_for

__all__ = ["host"]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bus]:
    with bus(tmp_path_factory.mktemp("bus") / "bus") as found:
        yield found


@contextlib.contextmanager
def service(directory: Path, log: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    argv = [sys.executable, "-m", "cli", *words, "--leases", str(directory)]
    environment = os.environ | {"VIPCHAOS_HOME": str(directory.parent / "home")}
    with log.open("wb") as said, subprocess.Popen(argv, stdout=said, stderr=said, env=environment) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)


def member(shared: Bus, tmp_path: Path) -> Path:
    """The guard's directory with the test's server in it."""
    place = tmp_path / "member"
    place.mkdir(mode=0o700)
    found = shared.place(Role.GUARD, "site1")
    (place / CONNECT_SEED).write_bytes((found / CONNECT_SEED).read_bytes())
    (place / CONNECT_SEED).chmod(0o600)
    text = (found / "member.yaml").read_text()
    (place / "member.yaml").write_text(text.replace("nats://127.0.0.1:4222", shared.server.bus))
    return place


def test_who_takes_orders_is_killed_and_the_faults_go_at_once(shared: Bus, host: Host, tmp_path: Path) -> None:
    directory, log = tmp_path / "leases", tmp_path / "orders.log"
    orders = ("orders", "--member", str(member(shared, tmp_path)))
    with service(directory, tmp_path / "guard.log", "guard"):
        wait_for((tmp_path / SOCKET).exists)
        with service(directory, log, *orders) as process:
            wait_for(lambda: "guard site1: taking orders of main" in log.read_text())
            far = shared.far("site1", shared.member(Role.CONTROLLER, "main"))
            lease = far.arm(asked(at_guard(host, "site1"), tmp_path), 30, ANSWERING)
            far.inject("one", "left", now_ns(), ANSWERING)
            assert out(host)["left"]
            process.kill()
            wait_for(lambda: not leases.unfinished(directory), 5)
            assert now_ns() < lease.deadline_ns - 10**10
            assert out(host) == {"left": False, "right": False}
        with service(directory, log, *orders) as process:
            wait_for(lambda: "taking orders" in log.read_text())
            steps: list[object] = []
            assert far.release("one", steps.append, 5, ["left", "right"]), "signed anew for the guard as it is now"
            assert steps, "what the guard did by itself is told"
            process.terminate()
            assert process.wait(10) == 0
    gone(directory)


def test_a_seed_that_others_may_read_is_refused(shared: Bus, tmp_path: Path) -> None:
    place = member(shared, tmp_path)
    (place / CONNECT_SEED).chmod(0o644)
    log = tmp_path / "orders.log"
    with service(tmp_path / "leases", log, "orders", "--member", str(place)) as process:
        assert process.wait(20) == 4
    assert "open to others" in log.read_text()
