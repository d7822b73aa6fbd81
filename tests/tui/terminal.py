"""A real terminal for a test: one tmux server of the test's own, its screen as text, and how it was left."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]


class Terminal:
    """A shell in a terminal of a fixed size."""

    def __init__(self, socket: str) -> None:
        self._socket = socket

    def tmux(self, *words: str) -> str:
        argv = ["tmux", "-L", self._socket, "-f", "/dev/null", *words]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout

    def type(self, *keys: str) -> None:
        self.tmux("send-keys", "-t", "t", *keys)

    @property
    def shell(self) -> int:
        """The process that the terminal was made for."""
        return int(self.tmux("display-message", "-t", "t", "-p", "#{pane_pid}"))

    def run(self, command: str) -> None:
        self.tmux("send-keys", "-t", "t", "-l", command)
        self.type("Enter")

    def text(self) -> str:
        return self.tmux("capture-pane", "-t", "t", "-p")

    def shows(self, words: str, within_s: float = 20.0) -> None:
        wait_for(lambda: words in self.text(), within_s)

    def state(self) -> str:
        """Whether the other screen, the cursor and the mouse are as a shell has them."""
        return self.tmux("display-message", "-t", "t", "-p", "#{alternate_on} #{cursor_flag} #{mouse_any_flag}").strip()

    def modes(self) -> str:
        """What stty says of the terminal."""
        tty = self.tmux("display-message", "-t", "t", "-p", "#{pane_tty}").strip()
        return subprocess.run(["stty", "-a", "-F", tty], capture_output=True, text=True, check=True).stdout

    def resize(self, width: int, height: int) -> None:
        self.tmux("resize-window", "-t", "t", "-x", str(width), "-y", str(height))


@contextmanager
def terminal(home: Path, width: int = 120, height: int = 40) -> Iterator[Terminal]:
    """Give a terminal in which `vipchaos` finds its runs below `home`."""
    found = Terminal(f"vipchaos-{uuid.uuid4().hex[:8]}")
    environment = {**os.environ, "VIPCHAOS_HOME": str(home), "PS1": "$ ", "LC_ALL": "C.UTF-8", "TERM": "xterm-256color"}
    argv = ["tmux", "-L", found._socket, "-f", "/dev/null", "-u", "new-session", "-d", "-s", "t"]
    argv += ["-x", str(width), "-y", str(height), "-c", str(ROOT), "env", "-u", "NO_COLOR", "sh"]
    subprocess.run(argv, check=True, env=environment)
    try:
        yield found
    finally:
        found.tmux("kill-server")
