"""Agents and a receiver on one bus, each with a home of its own, run by tests step by step or on threads."""

from __future__ import annotations

import random
import sqlite3
import threading
from collections.abc import Iterable
from pathlib import Path

from core.bus import Access
from core.records import Record
from store.bus import Bus
from store.bus_shipper import BusShipper
from store.journal import JournalWriter
from store.receiver import Receiver
from store.ship_ledger import ShipLedger
from store.shipper import Clocks
from store.spool import BOUNDS, Bounds, Spool
from tests.store.journals import append
from tests.store.servers import Nats


def clocks() -> Clocks:
    return Clocks(threading.Event(), random.Random(1).random)


class Agent:
    """An agent's journals and their shipper; `kill` leaves it as a kill -9 would."""

    def __init__(self, server: Nats, home: Path, name: str, bounds: Bounds = BOUNDS) -> None:
        self.name, self.home, self._bounds = name, home / name, bounds
        self.bus = Bus(Access((server.bus,), name))
        self.begin()

    def begin(self) -> None:
        """Make a new shipper on what is on the disk, as a restart does."""
        self.ledger = ShipLedger(self.home / "ship.db", "bus")
        self.spool = Spool(self.name, self.home / "runs", self.ledger, self._bounds)
        self.clocks = clocks()
        self.shipper = BusShipper(self.bus, self.spool, self.ledger, self.clocks)

    def journal(self, run: str, boot: str = "b1") -> Path:
        return self.home / "runs" / run / f"{self.name}+{boot}.db"

    def write(self, run: str, records: Iterable[Record], boot: str = "b1") -> None:
        path = self.journal(run, boot)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            JournalWriter(path, self.name).close()
        append(path, records)

    def close(self) -> None:
        self.bus.close()
        self.ledger.close()


class Controller:
    """A receiver with its own home."""

    def __init__(self, server: Nats, home: Path, clock: str = "here") -> None:
        self.runs, self._home, self._clock = home / "controller/runs", home / "controller", clock
        self.told: list[str] = []
        self.bus = Bus(Access((server.bus,), "controller"))
        self.begin()

    def begin(self) -> None:
        """Make a new receiver on what is on the disk, as a restart does."""
        self.ledger = ShipLedger(self._home / "receive.db", "bus")
        self.receiver = Receiver(self.bus, self.runs, self.ledger, self._clock, self.told.append)

    def receive(self, records: int) -> None:
        """Receive until so many records are committed in all."""
        while sum(map(count, self.runs.glob("*/*.db"))) < records:
            self.receiver.receive()

    def close(self) -> None:
        self.receiver.close()
        self.bus.close()
        self.ledger.close()


def rows(path: Path) -> list[tuple[str, str]]:
    """Kind and body of an agent's own records in a journal."""
    statement = "SELECT kind, body FROM records WHERE kind != 'ClockOffset' ORDER BY seq"
    with sqlite3.connect(path) as connection:
        found = connection.execute(statement).fetchall()
    connection.close()
    return found


def count(path: Path) -> int:
    return len(rows(path))
