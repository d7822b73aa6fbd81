"""The inner half of a run: agents, captures, experiments and judgement, inside the namespaces of the network.

Started by `vipchaos demo` as `python -m cli.controller`. Standard input is the lifeline: at its end the run is
aborted, every fault is reverted and the agents are stopped. If this process is killed outright, the agents see
their own lifelines end and the watchdogs of the leases revert what is out.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from chaos import runner
from cli.progress import Progress
from cli.telemetry import Telemetry
from core.errors import VipchaosError
from core.experiment import Experiment
from core.inventory import Inventory
from core.loader import load_experiments, load_inventory
from core.records import Outcome, RunEnded, RunStarted
from store.journal import JournalWriter
from store.runs import RunDirectory

FIRST_ANSWER_S = 15.0
STOP_S = 10.0
POLL_S = 0.1


@dataclass
class Helpers:
    """The processes of a run: an agent and a capture for each vantage; all end by their lifelines."""

    agents: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    captures: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def stop(self) -> tuple[str, ...]:
        """End all of them in order and return those that had to be killed or ended badly, by name."""
        failed = []
        for agent in self.agents.values():
            if agent.stdin is not None:
                agent.stdin.close()
        for name, agent in self.agents.items():
            try:
                code = agent.wait(STOP_S)
            except subprocess.TimeoutExpired:
                agent.kill()
                code = agent.wait()
            if code:
                failed.append(f"agent {name} ended with exit code {code}")
        for capture in self.captures:
            capture.terminate()
        for capture in self.captures:
            capture.wait(STOP_S)
        return tuple(failed)


@dataclass(frozen=True)
class Request:
    """What this run is asked to do; paths are absolute."""

    inventory_file: Path
    experiment_files: tuple[Path, ...]
    json_file: Path | None
    markdown_file: Path | None
    keep_captures: bool
    color: bool


class Lifeline(threading.Thread):
    """Watches standard input; at its end asks this process to abort in order, as SIGTERM does."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(name="lifeline", daemon=True)
        self._descriptor = descriptor

    def run(self) -> None:
        """Block until the other end is closed, by will or by death."""
        with contextlib.suppress(OSError):
            while os.read(self._descriptor, 1):
                pass
        os.kill(os.getpid(), signal.SIGTERM)
