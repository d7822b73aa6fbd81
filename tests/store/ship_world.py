"""A world for shipping: runs, a ledger and a clock of the test's own; and what takes the lines."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from core.records import Record, RunStarted
from store.feed import Feed
from store.influx import Influx, Meaning, Reply
from store.ship_ledger import DeadLetter, ShipLedger
from store.shipper import Clocks, Shipper
from tests.core.test_judge import EXPERIMENTS, history
from tests.store.journals import WALL_NS

TOKEN = "s3cret-t0ken"


@dataclass
class Sink:
    """Takes lines; `answer` decides, and what is accepted is kept."""

    answer: Callable[[list[str]], Reply] = lambda _: Reply(Meaning.ACCEPTED, 204)
    lines: list[str] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def write(self, lines: list[str]) -> Reply:
        self.sizes.append(len(lines))
        reply = self.answer(lines)
        if reply.meaning is Meaning.ACCEPTED:
            self.lines += lines
        return reply

    @property
    def facts(self) -> list[str]:
        """What came from journals: all but the shipper's own points."""
        return [line for line in self.lines if not line.startswith("shipper,")]


@dataclass
class World:
    """Runs, a ledger and a clock of the test's own."""

    path: Path
    stop: threading.Event = field(default_factory=threading.Event)
    waited_s: list[float] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    @property
    def runs(self) -> Path:
        return self.path / "runs"

    def ledger(self) -> ShipLedger:
        return ShipLedger(self.path / "ship.db", "there")

    def ship(self, sink: Sink | Influx, once: bool = True, points: int = 5_000) -> Shipper:
        ledger = self.ledger()
        clocks = Clocks(self.stop, lambda: 0.5, lambda: WALL_NS, count().__next__, self.waited_s.append)
        feed = Feed(ledger.cursors(), "test", self.runs)
        shipper = Shipper(feed, sink, ledger, clocks, "test", self.told.append, points)
        try:
            shipper.run(once)
        finally:
            ledger.close()
        return shipper

    def dead(self) -> list[DeadLetter]:
        return self.ledger().last_dead(10_000)


def whole_run() -> list[Record]:
    """A run of one failover, from its beginning to its end."""
    inventory = (EXPERIMENTS / "lab.yaml").read_text()
    experiment = (EXPERIMENTS / "node-failover.yaml").read_text()
    return [RunStarted(1, WALL_NS, "r", "0.1.0", inventory, (experiment,)), *history()]
