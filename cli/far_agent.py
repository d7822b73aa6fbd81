"""An agent that is told over the bus: it probes while the plan says so, and ships what it saw, whatever happens.

The probe is a process of its own, which this one holds by a lifeline. What the bus does, or that it is away, is
nothing to it; a plan that cannot be read leaves all as it is.
"""

from __future__ import annotations

import contextlib
import json
import random
import secrets
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from cli.bus import access, membership
from cli.far_vantages import KEY
from core.bus import AGENTS, PLAN, BusAwayError, BusDiffersError, token
from core.enrolment import Role
from core.errors import VipchaosError
from core.loader import parse_inventory
from core.reader import NAME
from store.alone import alone
from store.bus import Bus
from store.bus_shipper import BusShipper
from store.runs import home
from store.ship_ledger import ShipLedger
from store.shipper import Clocks
from store.spool import Bounds, Spool
from store.whole import write_whole

LOOK_EVERY_S = 1.0
STOP_S = 10.0


@dataclass
class Probe:
    """The probe's process, and for which run it is."""

    agent: str
    engine: str
    run: str = ""
    process: subprocess.Popen[bytes] | None = None
    _began_s: float = field(default=float("-inf"))

    def follow(self, run: str, inventory: str) -> None:
        """Have a probe for `run` ('': none); one that has ended by itself is begun anew, once a second at most."""
        if run != self.run:
            self.stop()
            self.run = run
        gone = self.process is None or self.process.poll() is not None
        if run and gone and time.monotonic() - self._began_s >= LOOK_EVERY_S:
            self._start(inventory)

    def _start(self, inventory: str) -> None:
        self._began_s = time.monotonic()
        place = home() / "runs" / self.run
        place.mkdir(parents=True, exist_ok=True)
        write_whole(place / "inventory.yaml", inventory)
        journal = place / f"{self.agent}+{secrets.token_hex(4)}.db"
        argv = [sys.executable, "-m", "cli", "agent", "--inventory", str(place / "inventory.yaml"), "--lifeline"]
        argv += ["--vantage", self.agent, "--journal", str(journal), "--run", self.run, "--engine", self.engine]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE)

    def stop(self) -> None:
        """End the probe in order."""
        if self.process is None:
            return
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


def run_far_agent(directory: Path, engine: str, bounds: Bounds) -> None:
    """Follow the plan until told to stop. Raises VipchaosError: what ends shipping for good."""
    member = membership(directory, Role.AGENT)
    stop, failed = threading.Event(), list[VipchaosError]()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    home().mkdir(parents=True, exist_ok=True)
    with alone(home() / f"{member.name}.agent.lock"), Bus(access(member, directory), _tell) as bus:
        shipping = threading.Thread(target=_ship, args=(bus, member.name, bounds, stop, failed), name="shipper")
        shipping.start()
        probe = Probe(member.name, engine)
        try:
            while not stop.wait(LOOK_EVERY_S):
                _look(bus, member.name, probe)
        finally:
            probe.stop()
            stop.set()
            shipping.join()
    if failed:
        raise failed[0]


def _look(bus: Bus, agent: str, probe: Probe) -> None:
    run, inventory = probe.run, ""
    if bus.connected:
        with contextlib.suppress(BusAwayError, BusDiffersError):
            found = bus.get(PLAN.name, KEY)
            run, inventory = ("", "") if found is None or found.data is None else _plan(found.data, agent, probe.run)
            standing = {"run": probe.run, "wall_ns": time.time_ns()}
            bus.put(AGENTS.name, token(agent), json.dumps(standing).encode())
    if run and not inventory:
        kept = home() / "runs" / run / "inventory.yaml"
        inventory = kept.read_text("utf-8") if kept.exists() else ""
    probe.follow(run, inventory)


def _plan(data: bytes, agent: str, now: str) -> tuple[str, str]:
    """Return the run that an agent is to probe for, and its inventory; what makes no sense changes nothing."""
    try:
        plan = json.loads(data)
        run, inventory = str(plan["run"]), str(plan["inventory"])
        if agent not in plan["agents"]:
            return "", ""
        if not NAME.match(run):
            raise ValueError(f"run {run[:80]!r}")
        if agent not in parse_inventory(inventory, "the plan's inventory").vantages:
            raise ValueError(f"no vantage {agent}")
    except (KeyError, TypeError, ValueError, VipchaosError) as error:
        _tell(f"a plan that makes no sense is left alone: {error}")
        return now, ""
    return run, inventory


def _ship(bus: Bus, agent: str, bounds: Bounds, stop: threading.Event, failed: list[VipchaosError]) -> None:
    try:
        ledger = ShipLedger(home() / f"{agent}.ship.db", "bus")
        try:
            spool = Spool(agent, home() / "runs", ledger, bounds)
            shipper = BusShipper(bus, spool, ledger, Clocks(stop, random.random), _tell)
            shipper.run()
        finally:
            ledger.close()
    except VipchaosError as error:
        _tell(f"nothing is shipped any more, the probe goes on: {error}")
        failed.append(error)


def _tell(words: str) -> None:
    sys.stderr.write(f"{words}\n")
    sys.stderr.flush()
