"""vipchaos under load: an agent as users run it, its processor time from the kernel, its word from its journal."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from core.records import Drop, Opened, OutageEnded, ProbeHealth, ProbeStarted, Record, Summary
from store.journal import JournalError, read_journal
from tests.bench.world import PORT, VIP, World, source

TICKS = os.sysconf("SC_CLK_TCK")
_MAPPING = re.compile(r"[0-9a-f]+-[0-9a-f]+ ")
OPENED_WITHIN_S = 120.0
INVENTORY = """
vip: {{name: vip, address: {vip}, port: {port}, service: {{mode: {mode}}}}}
sites:
  here:
    nat_pool: {{name: N1, network: 10.99.0.0/16}}
    nodes: {{node: {{host: box, addresses: [10.99.0.1]}}}}
vantages:
  v1: {{host: box, sessions: {sessions}, period_s: {period_s}, sources: [{sources}]}}
hosts:
  box: {{transport: local}}
"""


@dataclass(frozen=True)
class Load:
    """What is asked of the agent."""

    sessions: int
    period_s: float
    seconds: float
    sources: int = 1
    mode: str = "keepalive"
    engine: str = "ring"


@dataclass(frozen=True)
class Held:
    """What an agent did in `wall_s` seconds of steady state; processor seconds are of the whole process."""

    load: Load
    wall_s: float
    user_s: float
    system_s: float
    machine_s: float
    sent: int
    answered: int
    skipped: int
    ring_dropped: int
    refused: int
    late_p99_ms: float
    tick_ms: float
    opened_in_s: float
    memory_bytes: int
    self_inflicted: int
    outages: int
    drops: int

    @property
    def cpu_us(self) -> float:
        """Processor time of one heartbeat and its answer, the far kernel's part included, in us."""
        return 1e6 * (self.user_s + self.system_s) / max(1, self.answered)

    @property
    def user_us(self) -> float:
        """The part of it that is our own code."""
        return 1e6 * self.user_s / max(1, self.answered)

    @property
    def core(self) -> float:
        """Share of one core."""
        return (self.user_s + self.system_s) / self.wall_s


def cpu_of(pid: int) -> tuple[float, float]:
    """Return (user, system) processor seconds of a process, with its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) / TICKS, int(fields[12]) / TICKS


def machine_busy() -> float:
    """Return the processor seconds that this machine was busy since it started."""
    values = [int(value) for value in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    user, nice, system, _idle, _iowait, irq, softirq, _steal = values
    return (user + nice + system + irq + softirq) / TICKS


def rss_of(pid: int) -> int:
    """Return the resident bytes of a process, its packet rings left out: the kernel counts those as the socket's."""
    total, ring = 0, False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if _MAPPING.match(line):
            ring = "socket:" in line
        elif line.startswith("Rss:") and not ring:
            total += int(line.split()[1]) * 1024
    return total


@dataclass(frozen=True)
class Started:
    """An agent all of whose sessions are open."""

    agent: subprocess.Popen[bytes]
    reader: Reader
    log: Path


def start(world: World, load: Load, directory: Path) -> Started:
    """Run an agent with `load` and return once all its sessions are open. Raises AssertionError when it fails."""
    inventory = directory / f"load-{load.sessions}-{load.period_s}.yaml"
    sources = ", ".join(source(number) for number in range(load.sources))
    inventory.write_text(
        INVENTORY.format(
            vip=VIP, port=PORT, mode=load.mode, sessions=load.sessions, period_s=load.period_s, sources=sources
        )
    )
    journal = inventory.with_suffix(".db")
    journal.unlink(missing_ok=True)
    log = inventory.with_suffix(".log")
    began_s = time.monotonic()
    words = ["agent", "--inventory", str(inventory), "--vantage", "v1", "--journal", str(journal)]
    words += ["--engine", load.engine]
    agent = world.start([sys.executable, "-m", "cli", *words], log=log)
    reader = Reader(journal)
    while len(reader.opened) < load.sessions:
        assert agent.poll() is None, log.read_text()
        assert time.monotonic() - began_s < OPENED_WITHIN_S, f"{len(reader.opened)} of {load.sessions} are open"
        time.sleep(0.2)
        reader.read()
    return Started(agent, reader, log)


def hold(world: World, load: Load, directory: Path) -> Held:
    """Run an agent with `load` and measure it once all its sessions are open. Raises AssertionError when it fails."""
    started = start(world, load, directory)
    agent, reader, log = started.agent, started.reader, started.log
    time.sleep(2.5)  # what opening left behind, and the seconds that it falls into
    user_s, system_s = cpu_of(agent.pid)
    busy_s, from_s, from_ns = machine_busy(), time.monotonic(), time.monotonic_ns()
    time.sleep(load.seconds)
    after_user_s, after_system_s = cpu_of(agent.pid)
    wall_s, until_ns = time.monotonic() - from_s, time.monotonic_ns()
    after_busy_s = machine_busy()
    memory = rss_of(agent.pid)
    agent.terminate()
    assert agent.wait(60) == 0, log.read_text()
    world.processes.remove(agent)
    reader.read()
    inside = [r for r in reader.records if from_ns <= r.t_ns <= until_ns]
    health = [r for r in inside if isinstance(r, ProbeHealth)]
    summaries = [r for r in inside if isinstance(r, Summary)]
    seconds = (health[-1].t_ns - health[0].t_ns) / 1e9 * len(health) / max(1, len(health) - 1)
    scale = wall_s / seconds  # counts are by whole seconds of the probe's; processor time is of the whole window
    outages = [r for r in inside if isinstance(r, OutageEnded) and r.slot >= 0]
    return Held(
        load,
        wall_s,
        after_user_s - user_s,
        after_system_s - system_s,
        after_busy_s - busy_s,
        round(sum(r.sent for r in summaries) * scale),
        round(sum(r.answered for r in summaries) * scale),
        sum(r.skipped for r in health),
        sum(r.ring_dropped for r in health),
        sum(r.refused for r in health),
        sorted(r.late_p99_ns for r in health)[len(health) // 2] / 1e6,
        health[0].tick_ns / 1e6,
        (max(reader.opened.values()) - reader.started_ns) / 1e9,
        memory,
        sum(r.self_inflicted for r in outages) + sum(r.untold_own for r in health),
        sum(not r.self_inflicted for r in outages) + sum(r.untold for r in health),
        sum(isinstance(r, Drop) for r in inside),
    )


class Reader:
    """Follows an agent's journal."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self.records: list[Record] = []
        self.opened: dict[int, int] = {}
        self.started_ns = 0
        self._read = 0

    def read(self) -> None:
        """Take in what is there now."""
        try:
            fresh, self._read = read_journal(self._journal, self._read)
        except JournalError:
            return  # it is not there yet
        self.records += fresh
        for record in fresh:
            if isinstance(record, Opened) and not record.held_kernel:
                self.opened[record.slot] = record.t_ns
            elif isinstance(record, ProbeStarted):
                self.started_ns = record.t_ns
