"""The command on a real terminal: start, keys, resize, quit; and the terminal afterwards, also after kill -9."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.tui.recorded import write_run
from tests.tui.terminal import ROOT, terminal
from tests.waiting import wait_for

WATCH = f"{sys.executable} -m cli watch last"
AS_BEFORE = "0 1 0"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_run(tmp_path)
    return tmp_path


def below(pid: int) -> list[int]:
    """The children of a process."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found]


def watching(shell: int) -> tuple[int, int]:
    """The two processes of the command: the one that waits, and the one that draws."""
    wait_for(lambda: below(shell) and below(below(shell)[0]))
    outer = below(shell)[0]
    return outer, below(outer)[0]


def test_start_keys_resize_quit(home: Path) -> None:
    with terminal(home) as screen:
        modes = screen.modes()
        screen.run(WATCH)
        screen.shows("replay 1x")
        assert screen.state().startswith("1 0")
        for key, words in (
            ("2", "from → to"),
            ("3", "opened"),
            ("4", "Out now"),
            ("5", "worst data plane"),
            ("6", "ring drops"),
        ):
            screen.type(key)
            screen.shows(words)
        screen.type("1")
        screen.shows("Who answered, last")
        screen.type("Space")
        screen.shows("into the run")
        screen.resize(80, 24)
        screen.shows("Who answers whom")
        assert max(map(len, screen.text().splitlines())) <= 80
        screen.resize(200, 60)
        screen.shows("rtt p99, 60 s")
        screen.type("?")
        screen.shows("time.pause")
        screen.type("Escape")
        wait_for(lambda: "time.pause" not in screen.text())
        screen.type("q")
        wait_for(lambda: screen.state() == AS_BEFORE)
        wait_for(lambda: screen.modes().split(";")[3:] == modes.split(";")[3:])
        wait_for(lambda: not below(screen.shell))
        screen.run("echo still-a-shell")
        screen.shows("\nstill-a-shell")


@pytest.mark.parametrize("which", ["the one that draws", "the one that waits"])
def test_the_terminal_is_restored_after_kill_9(home: Path, which: str) -> None:
    with terminal(home) as screen:
        modes = screen.modes()
        screen.run(WATCH)
        screen.shows("replay 1x")
        outer, inner = watching(screen.shell)
        os.kill(inner if which == "the one that draws" else outer, signal.SIGKILL)
        wait_for(lambda: screen.state() == AS_BEFORE)
        wait_for(lambda: screen.modes().split(";")[3:] == modes.split(";")[3:])
        wait_for(lambda: not Path(f"/proc/{inner}").exists())
        wait_for(lambda: not below(screen.shell))
        screen.run("echo still-a-shell")
        screen.shows("\nstill-a-shell")


def test_without_a_terminal_it_says_so(home: Path) -> None:
    environment = {**os.environ, "VIPCHAOS_HOME": str(home)}
    argv = [sys.executable, "-m", "cli", "watch", "last"]
    done = subprocess.run(
        argv, capture_output=True, text=True, env=environment, cwd=ROOT, stdin=subprocess.DEVNULL, check=False
    )
    assert done.returncode == 2
    assert "need a terminal" in done.stderr


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("nothing-like-it",), "not found"),
        (("--arm", "--web"), "--arm does not go with"),
        (("--theme", "blue"), "blue"),
    ],
)
def test_what_cannot_be_shown_is_refused(home: Path, words: tuple[str, ...], why: str) -> None:
    environment = {**os.environ, "VIPCHAOS_HOME": str(home)}
    argv = [sys.executable, "-m", "cli", "watch", *words]
    done = subprocess.run(argv, capture_output=True, text=True, env=environment, cwd=ROOT, check=False)
    assert done.returncode == 2
    assert why in done.stderr


def test_the_web_page_is_served_on_loopback_and_asks_nobody_else(home: Path) -> None:
    environment = {**os.environ, "VIPCHAOS_HOME": str(home)}
    port = 18_087
    argv = [sys.executable, "-m", "cli", "watch", "--web", "--port", str(port), "last"]
    server = subprocess.Popen(argv, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        found: list[str] = []

        def answers() -> bool:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2) as page:
                    found.append(page.read().decode())
            except OSError:
                return False
            return True

        wait_for(answers)
        assert "vipchaos" in found[0]
        assert not re.findall(r"(?:href|src)=[\"']https?://(?!127\.0\.0\.1)", found[0])
        listening = subprocess.run(
            ["ss", "-ltnH", f"sport = :{port}"], capture_output=True, text=True, check=True
        ).stdout
        assert f"127.0.0.1:{port}" in listening
        assert len(listening.splitlines()) == 1
    finally:
        server.terminate()
        server.wait(10)
