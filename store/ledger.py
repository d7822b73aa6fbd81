"""The ledger of planned runs: SQLite, only ever added to, on the disk before what it says is done.

Each `append` is one transaction that is on the disk when it returns. The database itself refuses a second STARTED row
of one planned run, and any change of a row. One process at a time writes (a lock that the kernel drops with it);
anyone may read beside it.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from dataclasses import astuple, fields
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from core.errors import BlockedError, VipchaosError
from core.schedule import Row, State
from store.alone import held, take
from store.runs import home

_COLUMNS = tuple(field.name for field in fields(Row))
_SCHEMA = """
CREATE TABLE IF NOT EXISTS rows (
    seq INTEGER PRIMARY KEY, game_day TEXT NOT NULL, planned TEXT NOT NULL, state TEXT NOT NULL, at TEXT NOT NULL,
    timing TEXT NOT NULL, reason TEXT NOT NULL, words TEXT NOT NULL, run TEXT NOT NULL, outcome TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS by_game_day ON rows (game_day, seq);
CREATE UNIQUE INDEX IF NOT EXISTS started_once ON rows (game_day, planned) WHERE state = 'STARTED';
CREATE TRIGGER IF NOT EXISTS no_change BEFORE UPDATE ON rows BEGIN SELECT RAISE(ABORT, 'rows are never changed'); END;
CREATE TRIGGER IF NOT EXISTS no_removal BEFORE DELETE ON rows BEGIN SELECT RAISE(ABORT, 'rows are never removed'); END;
"""
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM rows"  # noqa: S608  the names of the fields above


_LOCK = "serve.lock"


class LedgerError(VipchaosError):
    """The ledger cannot be read or written; the message names the file."""

    exit_code = 5


class AlreadyStartedError(Exception):
    """The planned run was started before."""


def directory() -> Path:
    """Return where the ledger is, with the logs and outcomes of the runs that were started from it."""
    return home() / "schedule"


def served(place: Path) -> bool | None:
    """Tell whether a `vipchaos serve` has the ledger in `place`; None where this user may not look."""
    return held(place / _LOCK)


class Ledger:
    """The ledger in `place`, open for writing, as a context. Raises BlockedError when another process has it."""

    def __init__(self, place: Path) -> None:
        self.path = place / "ledger.db"
        place.mkdir(parents=True, exist_ok=True)
        try:
            self._lock = take(place / _LOCK)
        except BlockingIOError as error:
            raise BlockedError(f"{place}: another `vipchaos serve` has this ledger; stop that one first") from error
        try:
            self._connection = sqlite3.connect(self.path, isolation_level=None, timeout=5)
            self._connection.execute("PRAGMA journal_mode=DELETE")
            self._connection.execute("PRAGMA synchronous=EXTRA")
            self._connection.executescript(_SCHEMA)
        except sqlite3.Error as error:
            os.close(self._lock)
            raise LedgerError(f"{self.path}: is not a ledger that can be written: {error}") from error

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()
        os.close(self._lock)

    def append(self, rows: Sequence[Row]) -> None:
        """Put `rows` on the disk, all or none. Raises AlreadyStartedError, LedgerError."""
        places = ", ".join("?" * len(_COLUMNS))
        statement = f"INSERT INTO rows ({', '.join(_COLUMNS)}) VALUES ({places})"  # noqa: S608  as above
        try:
            with self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                self._connection.executemany(statement, [_written(row) for row in rows])
        except sqlite3.IntegrityError as error:
            raise AlreadyStartedError(str(error)) from error
        except sqlite3.Error as error:
            raise LedgerError(f"{self.path}: cannot be written: {error}") from error

    def last(self) -> dict[str, Row]:
        """Return the last row of each game day. Raises LedgerError."""
        latest = f"{_SELECT} WHERE seq IN (SELECT max(seq) FROM rows GROUP BY game_day)"  # noqa: S608  as above
        return {row.game_day: row for row in _rows(self._connection, self.path, latest)}


def history(place: Path, count: int) -> list[Row]:
    """Return the last `count` rows of the ledger in `place`, oldest first; none where there is no ledger.

    Raises LedgerError when it cannot be read.
    """
    path = place / "ledger.db"
    if not path.exists():
        return []
    statement = f"{_SELECT} ORDER BY seq DESC LIMIT {int(count)}"
    try:
        return _asked(path, statement, "ro")[::-1]
    except LedgerError:
        return _asked(path, statement, "rw")[::-1]  # what a killed writer left half done is rolled back first


def _asked(path: Path, statement: str, mode: str) -> list[Row]:
    try:
        connection = sqlite3.connect(f"file:{quote(str(path))}?mode={mode}", uri=True, timeout=5)
    except sqlite3.Error as error:
        raise LedgerError(f"{path}: cannot be opened: {error}") from error
    try:
        return _rows(connection, path, statement)
    finally:
        connection.close()


def _rows(connection: sqlite3.Connection, path: Path, statement: str) -> list[Row]:
    try:
        return [_read(found) for found in connection.execute(statement).fetchall()]
    except (sqlite3.Error, ValueError) as error:
        raise LedgerError(f"{path}: is not a ledger that can be read: {error}") from error


def _written(row: Row) -> tuple[str, ...]:
    return tuple(
        value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value) for value in astuple(row)
    )


def _read(found: Sequence[str]) -> Row:
    game_day, planned, state, at, *rest = found
    return Row(game_day, datetime.fromisoformat(planned), State(state), datetime.fromisoformat(at), *rest)
