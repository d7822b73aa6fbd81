"""Runs on disk with as many records as wanted, written much faster than an agent would."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from core.records import Clock, Drop, DropCause, OutageEnded, ProbeHealth, ProbeStarted, Record, Summary
from store.journal import JournalWriter

S = 1_000_000_000
WALL_NS = 1_790_000_000_000_000_000
WHO = (("dc1", "ace1", "N1"), ("dc1", "ace2", "N1"), ("dc2", "ace3", "N2"), ("", "", ""))


def make_run(runs: Path, run: str, journals: Mapping[str, Iterable[Record]]) -> Path:
    """Write a finished run: for each owner a journal with these records."""
    path = runs / run
    path.mkdir(parents=True)
    for owner, records in journals.items():
        file = path / f"{owner}.db"
        JournalWriter(file, owner).close()
        append(file, records)
    return path


def append(file: Path, records: Iterable[Record]) -> None:
    """Add records to a journal that nobody writes."""
    with sqlite3.connect(file) as connection:
        connection.executemany(
            "INSERT INTO records (t_ns, kind, vantage, body) VALUES (?, ?, ?, ?)", map(_row, records)
        )
    connection.close()


def _row(record: Record) -> tuple[int, str, str, str]:
    return record.t_ns, type(record).__name__, getattr(record, "vantage", ""), msgspec.json.encode(record).decode()


def started(vantage: str, t_ns: int = 5 * S, wall_ns: int = WALL_NS) -> ProbeStarted:
    return ProbeStarted(t_ns, wall_ns, vantage, "ring", 100, 10_000_000, 50_000_000)


def summary(t_ns: int, vantage: str, number: int) -> Summary:
    site, node, pool = WHO[number % len(WHO)]
    rtt = 200_000 + number % 1_000
    histogram = (0,) * 7 + (100, 800 + number % 90, 50) + (0,) * 14
    return Summary(
        t_ns, vantage, site, node, pool, 25, 1_000, 1_000 - number % 7, 0, 90_000, rtt, 3 * rtt, histogram, 20, 19
    )


def outage(t_ns: int, vantage: str, slot: int, length_ns: int = 300_000_000) -> OutageEnded:
    begin, step = t_ns - length_ns - 1, 10_000_000
    return OutageEnded(
        t_ns,
        vantage,
        slot,
        Clock.DATA_PLANE,
        begin,
        begin + 1,
        begin + step,
        t_ns - 1 - step,
        t_ns - 1,
        t_ns,
        29,
        0,
        0,
        self_inflicted=False,
        same_session=True,
        stamp_error_ns=1_000,
    )


def drop(t_ns: int, vantage: str, slot: int) -> Drop:
    return Drop(t_ns, vantage, slot, f"{vantage}-{slot}-0", DropCause.TIMEOUT, 'said "no", twice\\', S)


def health(t_ns: int, vantage: str) -> ProbeHealth:
    return ProbeHealth(t_ns, vantage, 1_000_000, 10, 20, 30, 0, 0, 0, 0, 1, 400_000_000, (("old ACK", 2),))


def busy(vantage: str, seconds: int, slots: int = 0) -> Iterator[Record]:
    """An agent's records: five a second; each hundred seconds all slots have an outage that ends at one instant."""
    yield started(vantage)
    for second in range(1, seconds + 1):
        t_ns = (5 + second) * S
        for number in range(len(WHO)):
            yield summary(t_ns, vantage, number)
        yield health(t_ns, vantage)
        if second % 100 == 0:
            for slot in range(slots):
                yield outage(t_ns, vantage, slot)
