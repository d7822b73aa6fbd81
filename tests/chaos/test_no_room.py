"""No room where leases are kept (/run is full): what is out is reverted all the same."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos import switch
from core.inventory import Host
from tests.chaos.guarding import ANSWERING, asked, guarded, out
from tests.chaos.test_leases import inject, make
from tests.waiting import wait_for

REVERTED = {"left": False, "right": False}


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A directory with room for 64 kB."""
    place = tmp_path / "run"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], check=True)
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place: Path) -> None:
    with contextlib.suppress(OSError), (place / "ballast").open("wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass


def test_the_kill_switch_reverts_and_then_says_what_it_could_not_do(host: Host, small: Path) -> None:
    path = make(host, small, 300)
    inject(host, "left", "right")
    fill(small)
    with contextlib.suppress(switch.SwitchError):  # where the lease's own room is enough, new faults are blocked
        switch.stop("outage", lambda _: None, path.parent, give_up_s=3)
    assert out(host) == REVERTED
    assert list(path.parent.glob("*.json")) == []


def test_a_switch_that_cannot_be_written_is_told_after_the_reverts(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make(host, tmp_path, 300)
    inject(host, "left", "right")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(switch, "write_whole", full)
    with pytest.raises(switch.SwitchError, match="new faults are not blocked: No space left on device; everything"):
        switch.stop("outage", lambda _: None, path.parent, give_up_s=3)
    assert out(host) == REVERTED
    assert switch.SwitchError("").exit_code == 7


def test_the_guard_reverts_every_fault_of_a_lease_in_time(
    host: Host, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIPCHAOS_HOME", str(tmp_path / "home"))
    with guarded(small / "leases") as guard:
        guard.arm(asked(host, tmp_path), 2.0, ANSWERING)
        for name in ("left", "right"):
            guard.inject("one", name, 0, ANSWERING)
        fill(small)
        wait_for(lambda: out(host) == REVERTED, 2.0 + 2.0)
        wait_for(lambda: not list((small / "leases").glob("*.json")), 5)
