"""What the shipper must not forget: its cursors, the points that a server refused, and how it stands. SQLite.

A cursor moves together with the dead letters of the same batch in one transaction that is on the disk before it
returns (WAL, synchronous=FULL): after a kill -9 both are there or neither is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from store.journal import JournalError

KEPT = 100_000
"""Dead letters that are kept: a server that refuses a field for a month must not fill the disk."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS cursors (
    destination TEXT, journal TEXT, seq INTEGER NOT NULL, offset_ns INTEGER, first_ns INTEGER NOT NULL,
    PRIMARY KEY (destination, journal)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS dead_letters (
    id INTEGER PRIMARY KEY, destination TEXT NOT NULL, wall_ns INTEGER NOT NULL, words TEXT NOT NULL, line TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS refused (destination TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS standing (
    destination TEXT PRIMARY KEY, state TEXT NOT NULL, words TEXT NOT NULL, wall_ns INTEGER NOT NULL,
    accepted INTEGER NOT NULL, rate_per_s REAL NOT NULL
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a journal is shipped; `offset_ns` leads from its clock to the wall there, None: not known yet.

    `first_ns` is the instant of the journal's first record: another one is another journal of the same name.
    """

    seq: int = 0
    offset_ns: int | None = None
    first_ns: int = 0


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A point that the server refused, or a record that gives none, with the words that were said of it."""

    line: str
    words: str
    wall_ns: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """How shipping to a destination stands: running, waiting, stopped or ended; `wall_ns` is when that was written."""

    destination: str
    state: str
    words: str
    wall_ns: int
    accepted: int
    rate_per_s: float


class ShipLedger:
    """The ledger at `path`, for one thread; `destination` keys the rows. Raises JournalError where it is unusable."""

    def __init__(self, path: Path, destination: str) -> None:
        self._path = path
        self._destination = destination
        path.parent.mkdir(parents=True, exist_ok=True)
        with _told(path):
            self._connection = sqlite3.connect(path, isolation_level=None, timeout=10)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def cursors(self) -> dict[str, Cursor]:
        """Return the cursor of every journal that has one."""
        with _told(self._path):
            rows = self._connection.execute(
                "SELECT journal, seq, offset_ns, first_ns FROM cursors WHERE destination = ?", (self._destination,)
            ).fetchall()
        return {journal: Cursor(*row) for journal, *row in rows}

    def settle(self, moved: Mapping[str, Cursor], dead: Sequence[DeadLetter] = (), wall_ns: int = 0) -> None:
        """Move cursors and keep dead letters, whole or not at all."""
        with _told(self._path), self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(
                "INSERT OR REPLACE INTO cursors VALUES (?, ?, ?, ?, ?)",
                [(self._destination, name, one.seq, one.offset_ns, one.first_ns) for name, one in moved.items()],
            )
            if not dead:
                return
            self._connection.executemany(
                "INSERT INTO dead_letters (destination, wall_ns, words, line) VALUES (?, ?, ?, ?)",
                [(self._destination, letter.wall_ns or wall_ns, letter.words, letter.line) for letter in dead],
            )
            self._connection.execute(
                "INSERT INTO refused VALUES (?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count",
                (self._destination, len(dead)),
            )
            self._connection.execute(
                "DELETE FROM dead_letters WHERE id <= (SELECT max(id) FROM dead_letters) - ?", (KEPT,)
            )

    def stand(self, state: str, words: str, wall_ns: int, accepted: int, rate_per_s: float) -> None:
        """Write down how shipping stands."""
        with _told(self._path):
            self._connection.execute(
                "INSERT OR REPLACE INTO standing VALUES (?, ?, ?, ?, ?, ?)",
                (self._destination, state, words, wall_ns, accepted, rate_per_s),
            )

    def standing(self) -> Standing | None:
        """Return how shipping stands, None where it never began."""
        return next((one for one in standings(self._path) if one.destination == self._destination), None)

    def dead_letters(self) -> int:
        """Return how many points were refused, ever; the newest `KEPT` of them are there to be read."""
        with _told(self._path):
            row = self._connection.execute(
                "SELECT count FROM refused WHERE destination = ?", (self._destination,)
            ).fetchone()
        return int(row[0]) if row else 0

    def last_dead(self, count: int) -> list[DeadLetter]:
        """Return the last dead letters, newest first."""
        with _told(self._path):
            rows = self._connection.execute(
                "SELECT line, words, wall_ns FROM dead_letters WHERE destination = ? ORDER BY id DESC LIMIT ?",
                (self._destination, count),
            ).fetchall()
        return [DeadLetter(*row) for row in rows]


def standings(path: Path) -> list[Standing]:
    """Return how shipping stands to each destination of the ledger at `path`; none where there is no ledger."""
    if not path.exists():
        return []
    with _told(path):
        connection = sqlite3.connect(path, timeout=10)
        try:
            rows = connection.execute(
                "SELECT destination, state, words, wall_ns, accepted, rate_per_s FROM standing ORDER BY destination"
            ).fetchall()
        finally:
            connection.close()
    return [Standing(*row) for row in rows]


class _told:  # noqa: N801  it reads as a word
    """Turns errors of SQLite into ones that name the file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        del kind, trace
        if isinstance(error, sqlite3.Error):
            raise JournalError(f"{self._path}: the ledger of shipping cannot be used: {error}") from error
