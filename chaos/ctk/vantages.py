"""Which sites answer the vantages now: an agent at each probes for a moment, into a journal of its own."""

from __future__ import annotations

import contextlib
import math
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from chaos.ctk.activity import ActivityError
from chaos.ctk.commands import VIPCHAOS
from core.duration import FIRST_ANSWER_S
from core.errors import CallError
from core.inventory import Inventory
from core.records import ProbeHealth, Record, Summary
from store.journal import JournalError, read_journal

POLL_S = 0.05
STOP_S = 10.0
OLD_NS = 3_000_000_000
LONGEST_S = 3600.0


class _Agent:
    """One agent under way in `place`; it ends by its lifeline, also when this process dies."""

    def __init__(self, inventory_file: Path, inventory: Inventory, vantage: str, place: Path) -> None:
        self.vantage = vantage
        self._journal, self._log = place / f"{vantage}.db", place / f"{vantage}.log"
        host = inventory.hosts[inventory.vantages[vantage].host]
        inside = ["ip", "netns", "exec", host.target] if host.transport == "netns" else []
        argv = [*inside, *VIPCHAOS, "agent", "--inventory", str(inventory_file), "--vantage", vantage]
        argv += ["--journal", str(self._journal), "--run", place.name, "--lifeline"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=log, stderr=log)

    def told(self) -> list[Record]:
        """Return what it has recorded until now. Raises ActivityError when it has ended by itself."""
        if self._process.poll() is not None:
            last = (self._log.read_text(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
            raise ActivityError(f"the agent at {self.vantage} ended with exit code {self._process.returncode}: {last}")
        with contextlib.suppress(JournalError):
            return read_journal(self._journal)[0]
        return []  # its tables are not there yet

    def has_figures(self) -> bool:
        """Whether it has told of a whole second."""
        return any(isinstance(record, ProbeHealth) for record in self.told())

    def stop(self) -> None:
        """End it in order."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def answering(
    inventory_file: Path, inventory: Inventory, vantages: Sequence[str], seconds: float
) -> dict[str, frozenset[str]]:
    """Return for each vantage the sites that answered it in the last second of `seconds`.

    '' among them: it was answered, and by which site was not told. Raises CallError, and ActivityError when an agent
    gives no figures: then it is not known.
    """
    unknown = [name for name in vantages if name not in inventory.vantages]
    if unknown:
        raise CallError(f"vantage {unknown[0]!r} is not in the inventory; it has {', '.join(inventory.vantages)}")
    if not (math.isfinite(seconds) and 1 <= seconds <= LONGEST_S):
        raise CallError(f"seconds is {seconds:g}, allowed: a number from 1 to {LONGEST_S:g}")
    with _agents(inventory_file, inventory, vantages) as agents:
        _until_first(agents)
        time.sleep(seconds)
        return {agent.vantage: _last(agent.told()) for agent in agents}


@contextlib.contextmanager
def _agents(inventory_file: Path, inventory: Inventory, vantages: Sequence[str]) -> Iterator[list[_Agent]]:
    with tempfile.TemporaryDirectory(prefix="vipchaos-ctk-") as place, contextlib.ExitStack() as stack:
        agents = []
        for name in vantages:
            agents.append(_Agent(inventory_file, inventory, name, Path(place)))
            stack.callback(agents[-1].stop)
        yield agents


def _until_first(agents: Sequence[_Agent]) -> None:
    until_s = time.monotonic() + FIRST_ANSWER_S
    while not all(agent.has_figures() for agent in agents):
        if time.monotonic() > until_s:
            silent = ", ".join(agent.vantage for agent in agents if not agent.has_figures())
            raise ActivityError(f"no figures of the agent at {silent} within {FIRST_ANSWER_S:g} s [no_answer]")
        time.sleep(POLL_S)


def _last(records: Sequence[Record]) -> frozenset[str]:
    """Return the sites that answered in the last second that was told of; who was not answered has no summary."""
    last_ns = max(record.t_ns for record in records if isinstance(record, ProbeHealth))
    if time.monotonic_ns() - last_ns > OLD_NS:
        raise ActivityError(f"the agent's last figures are more than {OLD_NS / 1e9:g} s old [no_answer]")
    return frozenset(
        record.site for record in records if isinstance(record, Summary) and record.t_ns == last_ns and record.answered
    )
