"""Agents and a receiver on one bus, each with a home of its own, run by tests step by step or on threads."""

from __future__ import annotations

import contextlib
import json
import random
import sqlite3
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from core.bus import Access, BusAwayError
from core.records import Record
from store.bus import Bus
from store.bus_shipper import BusShipper
from store.journal import JournalError, JournalWriter, read_rows
from store.receiver import Receiver
from store.ship_ledger import ShipLedger, standings
from store.shipper import Clocks
from store.spool import BOUNDS, Bounds, Spool
from tests.store.journals import append
from tests.store.servers import Nats


def clocks() -> Clocks:
    return Clocks(threading.Event(), random.Random(1).random)


class Agent:
    """An agent's journals, and their shipper, which is made anew each time, as by a restart."""

    def __init__(self, server: Nats, home: Path, name: str, bounds: Bounds = BOUNDS) -> None:
        self.name, self.home, self._bounds = name, home / name, bounds
        self.bus = Bus(Access((server.bus,), name))
        self.clocks = clocks()
        self.thinned = 0

    def ship(self, *, once: bool = True) -> None:
        """Ship what is there, or go on until told to stop."""
        ledger = ShipLedger(self.home / "ship.db", "bus")
        spool = Spool(self.name, self.home / "runs", ledger, self._bounds)
        BusShipper(self.bus, spool, ledger, self.clocks).run(once=once)
        self.thinned = spool.thinned
        ledger.close()

    def start(self, *, once: bool = True) -> threading.Thread:
        thread = threading.Thread(target=self.ship, kwargs={"once": once})
        thread.start()
        return thread

    def state(self) -> str:
        return "".join(one.state for one in standings(self.home / "ship.db"))

    def forget(self) -> None:
        """Lose all cursors, as if each had not come to the disk."""
        (self.home / "ship.db").unlink()

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


class Controller:
    """A receiver with its own home."""

    def __init__(self, server: Nats, home: Path, clock: str = "here") -> None:
        self.runs, self._home, self._clock = home / "controller/runs", home / "controller", clock
        self.told: list[str] = []
        self._begun = False
        self.ledger: ShipLedger
        self.receiver: Receiver
        self.bus = Bus(Access((server.bus,), "controller"))
        self.begin()

    def begin(self) -> None:
        """Make a new receiver on what is on the disk, as a restart after a kill -9 does."""
        if self._begun:
            for journal in self.receiver._journals.values():
                journal.connection.close()
            self.ledger.close()
        self._begun = True
        self.ledger = ShipLedger(self._home / "receive.db", "bus")
        self.receiver = Receiver(self.bus, self.runs, self.ledger, self._clock, self.told.append)

    def receive(self, run: str, records: int) -> None:
        """Receive until so many records of a run are committed."""
        until_s = time.monotonic() + 60
        while self.committed(run) < records:
            assert time.monotonic() < until_s, f"fewer than {records} records came: {self.receiver.counts}"
            with contextlib.suppress(BusAwayError):
                self.receiver.receive()

    def committed(self, run: str) -> int:
        return sum(map(committed, (self.runs / run).glob("*.db")))

    def close(self) -> None:
        self.receiver.close()
        self.bus.close()
        self.ledger.close()


def rows(path: Path) -> list[tuple[str, str]]:
    """Kind and body of all records in a journal but those of clocks."""
    return [(kind, body) for kind, body, _ in _rows(path) if kind != "ClockOffset"]


def _rows(path: Path) -> list[tuple[str, str, int]]:
    with sqlite3.connect(path, timeout=10) as connection:
        found = connection.execute("SELECT kind, body, t_ns FROM records ORDER BY seq").fetchall()
    connection.close()
    return found


def count(path: Path) -> int:
    return len(rows(path))


def committed(path: Path) -> int:
    """How many records a journal has beside those of clocks, 0 where it is just being made."""
    try:
        ((found,),) = read_rows(path, "SELECT count(*) FROM records WHERE kind != 'ClockOffset'", ())
    except JournalError:
        return 0
    return int(found)


def in_its_own_clock(path: Path) -> list[tuple[str, int]]:
    """Kind and instant of all records, with what was added to the instants taken off again."""
    found, offset_ns = [], 0
    for kind, body, t_ns in _rows(path):
        if kind == "ClockOffset":
            offset_ns = json.loads(body)["offset_ns"]
        else:
            found.append((kind, t_ns - offset_ns))
    return found
