"""How shipping stands: what each destination's ledger says, and what the journals hold that it has not been sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from store.feed import Feed
from store.runs import home
from store.ship_ledger import DeadLetter, ShipLedger, Standing, standings

SHOWN = 5
"""So many dead letters are shown, the newest first."""


@dataclass(frozen=True, slots=True)
class Shipping:
    """One destination: how it stands, records not shipped yet, how old the oldest of them is (s), dead letters.

    `told_s_ago`: when the shipper said so last. `unreadable`: journals that cannot be shipped, and why.
    """

    standing: Standing
    told_s_ago: float
    lag_records: int
    lag_s: float
    dead_letters: int
    last_dead: tuple[DeadLetter, ...]
    unreadable: Mapping[str, str]


def ledger_path() -> Path:
    """Return where the ledger of shipping is."""
    return home() / "ship.db"


def shippings(now_ns: int) -> list[Shipping]:
    """Return how shipping to each destination stands at the wall instant `now_ns`. Raises JournalError."""
    return [_shipping(standing, now_ns) for standing in standings(ledger_path())]


def _shipping(standing: Standing, now_ns: int) -> Shipping:
    ledger = ShipLedger(ledger_path(), standing.destination)
    try:
        feed = Feed(ledger.cursors(), "")
        lag = feed.lag()
        return Shipping(
            standing=standing,
            told_s_ago=(now_ns - standing.wall_ns) / 1e9,
            lag_records=lag.records,
            lag_s=max(0.0, (now_ns - lag.since_wall_ns) / 1e9) if lag.records and lag.since_wall_ns else 0.0,
            dead_letters=ledger.dead_letters(),
            last_dead=tuple(ledger.last_dead(SHOWN)),
            unreadable=feed.unreadable,
        )
    finally:
        ledger.close()
