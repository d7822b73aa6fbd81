"""The real `chaos` of Chaos Toolkit on a machine of the test's own: its own /run/vipchaos, its own inventory."""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from chaos.guard.keeper import LOCK
from core.inventory import Host
from tests.chaos.guarding import out
from tests.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "chaos-toolkit.md"
CHAOS = Path(sys.executable).with_name("chaos")
COMMAND = (str(CHAOS), "--no-version-check", "--no-log-file")
INVENTORY = """
vip: {{name: vip, address: 203.0.113.10, port: 7000}}
sites:
  dc1:
    nat_pool: {{name: N1, network: 10.1.100.0/28}}
    nodes: {{ace1: {{host: box, addresses: [10.78.1.2]}}}}
    announces: {{host: here, command: [cat, {place}/dc1], shows: announced}}
  dc2:
    nat_pool: {{name: N2, network: 10.2.100.0/28}}
    nodes: {{ace2: {{host: here, addresses: [10.78.2.2]}}}}
    announces: {{host: here, command: [cat, {place}/dc2], shows: announced}}
vantages:
  v1: {{host: here, sessions: 5, period_s: 0.1}}
hosts:
  box: {{transport: netns, target: {netns}}}
  here: {{transport: local}}
allowed_targets: [box]
"""
# /run/vipchaos of whoever runs in here is the test's directory; the machine's is not seen.
ALONE = 'mkdir -p /run/vipchaos && mount --bind "$0" /run/vipchaos && exec "$@"'


def documented() -> list[str]:
    """Return the experiments in the documentation."""
    return re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)


def provider(module: str, func: str, **arguments: object) -> dict[str, object]:
    """What an activity calls."""
    return {"type": "python", "module": module, "func": func, "arguments": arguments}


def action(func: str, **arguments: object) -> dict[str, object]:
    """An action of ours."""
    return {"type": "action", "name": func, "provider": provider("chaos.ctk.actions", func, **arguments)}


def probe(func: str, tolerance: object = None, **arguments: object) -> dict[str, object]:
    """A probe of ours."""
    found: dict[str, object] = {
        "type": "probe",
        "name": func,
        "provider": provider("chaos.ctk.probes", func, **arguments),
    }
    return found if tolerance is None else found | {"tolerance": tolerance}


def wait_s(seconds: float, mark: Path) -> dict[str, object]:
    """An action in Python that is not ours, makes `mark` and takes its time; what it waits for dies with it."""
    argv = ["setpriv", "--pdeathsig", "KILL", "sh", "-c", f"touch {mark}; exec sleep {seconds:g}"]
    return {"type": "action", "name": "wait", "provider": provider("subprocess", "check_call", args=argv)}


@dataclass
class Journal:
    """What `chaos run` ended with, said, and wrote (empty: nothing)."""

    code: int
    said: str
    body: Mapping[str, Any]

    def of(self, part: str = "run") -> list[tuple[str, str]]:
        """Name and status of each activity of a part."""
        return [(run["activity"]["name"], run.get("status", "none")) for run in self.body[part]]

    def why(self, number: int, part: str = "run") -> str:
        """Why an activity failed."""
        return "".join(self.body[part][number].get("exception", []))

    def output(self, number: int, part: str = "run") -> Any:  # noqa: ANN401  JSON
        """What an activity returned."""
        return self.body[part][number]["output"]


@dataclass
class Toolkit:
    """A place with an inventory, where `chaos` runs; `caps` are those of a guard that is started before."""

    host: Host
    place: Path
    count: int = 0
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def run_directory(self) -> Path:
        """What is /run/vipchaos for everything that runs here."""
        return self.place / "run"

    def inject(self, link: str = "left", **others: object) -> dict[str, object]:
        """The action that takes a link down."""
        arguments: dict[str, object] = {
            "inventory": str(self.place / "inventory.yaml"),
            "driver": "link",
            "target": "box",
            "arguments": {"interface": link},
            "takes": ["dc1"],
            "lease_s": 60,
            "name": link,
        }
        return action("inject_fault", **(arguments | others))

    def file(self, method: Sequence[object], rollbacks: Sequence[object] = (), **others: object) -> Path:
        """Write an experiment."""
        self.count += 1
        path = self.place / f"experiment-{self.count}.json"
        body = {"title": "t", "description": "d", "method": method, "rollbacks": rollbacks} | others
        path.write_text(json.dumps(body))
        return path

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command here; with `chaos` ahead where it is none of ours."""
        # A test run that was started by nohup(1) ignores SIGHUP, and so would what it starts.
        argv = ["env", "--default-signal=HUP", "unshare", "--mount", "sh", "-c", ALONE, str(self.run_directory), *words]
        process = subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True
        )
        self.processes.append(process)
        return process

    def journal_path(self, experiment: Path) -> Path:
        """Where the journal of an experiment is written."""
        return experiment.with_suffix(".journal")

    def begin(self, experiment: Path, *options: str) -> subprocess.Popen[str]:
        """Start `chaos run`."""
        return self.start(
            *COMMAND, "run", *options, "--journal-path", str(self.journal_path(experiment)), str(experiment)
        )

    def end(self, process: subprocess.Popen[str], experiment: Path) -> Journal:
        """Wait for `chaos run`."""
        said, _ = process.communicate(timeout=250)
        path = self.journal_path(experiment)
        return Journal(process.returncode, said, json.loads(path.read_text()) if path.exists() else {})

    def run(self, method: Sequence[object], rollbacks: Sequence[object] = (), **others: object) -> Journal:
        """Do an experiment with `chaos run`."""
        experiment = self.file(method, rollbacks, **others)
        return self.end(self.begin(experiment), experiment)

    @property
    def mark(self) -> Path:
        """What shows that an experiment has come to its waiting."""
        return self.place / "waiting"

    def left_is_down(self) -> bool:
        """Whether the fault at the link `left` is out."""
        return out(self.host)["left"] is True

    def nothing_left(self) -> bool:
        """Whether no fault is out and no lease."""
        return out(self.host) == {"left": False, "right": False} and not list(self.run_directory.glob("leases/*.json"))

    def guard_gone(self) -> bool:
        """Whether no guard holds its lock here."""
        with (self.run_directory / LOCK).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True


@pytest.fixture
def toolkit(host: Host, short: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Toolkit]:
    """A place for `chaos`, with two sites that announce; at the end nothing is out and nothing runs."""
    monkeypatch.setenv("VIPCHAOS_HOME", str(short / "home"))
    monkeypatch.setenv("HOME", str(short))  # the settings of Chaos Toolkit
    monkeypatch.setenv("TMPDIR", str(short))
    found = Toolkit(host, short)
    (short / "run").mkdir()
    (short / "inventory.yaml").write_text(INVENTORY.format(place=short, netns=host.target))
    for site in ("dc1", "dc2"):
        (short / site).write_text("announced\n")
    yield found
    for process in found.processes:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=30)
    wait_for(found.nothing_left, 10)
    wait_for(found.guard_gone, 10)
    assert os.path.ismount("/run/vipchaos") is False
