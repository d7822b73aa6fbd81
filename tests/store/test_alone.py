"""One process at a time holds a lock; what it leaves behind is no hindrance."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from store.alone import alone, held, take

HOLD = """
import sys, time
from pathlib import Path
from store.alone import alone
with alone(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_only_one_holds_it_and_its_file_goes_with_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with alone(path):
        with pytest.raises(BlockingIOError):
            take(path)
        with pytest.raises(BlockingIOError), alone(path):
            pytest.fail("two hold it")
        assert path.exists(), "who was refused takes nothing away"
    assert not path.exists()
    os.close(take(path))
    with alone(path):
        pass


def test_a_kill_9_gives_it_back(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(BlockingIOError), alone(path):
            pytest.fail("two hold it")
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with alone(path):
        pass


def test_a_file_that_was_taken_away_meanwhile_is_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its last holder takes the file away between our opening it and our lock on it."""
    path = tmp_path / "lock"
    opened = os.open

    def and_away(*arguments: object, **named: object) -> int:
        descriptor: int = opened(*arguments, **named)  # type: ignore[arg-type]
        monkeypatch.setattr(os, "open", opened)
        path.unlink()
        return descriptor

    monkeypatch.setattr(os, "open", and_away)
    with alone(path), pytest.raises(BlockingIOError):
        take(path)


def test_a_look_tells_whether_it_is_held_and_refuses_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lock"
    assert held(path) is False
    descriptor = take(path)
    assert held(path) is True
    os.close(descriptor)
    assert held(path) is False
    looking = os.open(path, os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    monkeypatch.setattr(time, "sleep", lambda _: os.close(looking))
    os.close(take(path))
