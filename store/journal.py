"""One process's journal: SQLite, written in batches by a thread of its own, read by anyone at any time.

The table `records` has every record; `seconds` has the summaries once more, in columns, for who draws an hour of them.

`append` only puts the record on a queue, so a slow disk never delays a probe. A batch is committed at least
every 100 ms; WAL with synchronous=NORMAL keeps what is committed through a kill -9 of the process. A journal
that was closed in order leaves WAL mode, so that a user who may only read can open it.
"""

from __future__ import annotations

import json
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from core.bodies import from_body, to_body
from core.errors import VipchaosError
from core.records import Record, Summary
from store.seconds import Second, second_of

R = TypeVar("R")
SCHEMA_VERSION = 1
COMMIT_EVERY_S = 0.1
BATCH_RECORDS = 2_000
LEAVE_WAL_TRIES = 20
_PARSED_AT_ONCE = 500
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS records (
    seq INTEGER PRIMARY KEY, t_ns INTEGER NOT NULL, kind TEXT NOT NULL, vantage TEXT NOT NULL, body TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS seconds (
    t_ns INTEGER NOT NULL, vantage TEXT NOT NULL, site TEXT NOT NULL, node TEXT NOT NULL, nat_pool TEXT NOT NULL,
    alive INTEGER NOT NULL, sent INTEGER NOT NULL, answered INTEGER NOT NULL, rtt_p50_ns INTEGER NOT NULL,
    rtt_p99_ns INTEGER NOT NULL, PRIMARY KEY (t_ns, vantage, site, node, nat_pool)
) WITHOUT ROWID;
"""
_INSERT_SECOND = "INSERT OR REPLACE INTO seconds VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


class JournalError(VipchaosError):
    """A journal cannot be written or read; the message names the file and what to do."""

    exit_code = 5


def open_journal(path: Path, owner: str) -> sqlite3.Connection:
    """Return a connection to the journal at `path`, made where there is none. Raises sqlite3.Error."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=5)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.executescript(_SCHEMA)
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('schema', ?)", (str(SCHEMA_VERSION),))
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('owner', ?)", (owner,))
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def insert(
    connection: sqlite3.Connection, rows: Sequence[tuple[int, str, str, str]], seconds: Sequence[Second]
) -> None:
    """Add rows (t_ns, kind, vantage, body) and the seconds among them, in the caller's transaction."""
    connection.executemany("INSERT INTO records (t_ns, kind, vantage, body) VALUES (?, ?, ?, ?)", rows)
    connection.executemany(_INSERT_SECOND, seconds)


class JournalWriter:
    """Appends records to the journal at `path`; `owner` names the process (a vantage, the controller, a guard).

    The queue is unbounded: records are events and seconds, not packets. An error of the disk is kept in
    `error` and raised as JournalError by `sync` and `close`; `append` never raises and never blocks. The writing
    thread calls `begin` first.
    """

    def __init__(self, path: Path, owner: str, begin: Callable[[], None] = lambda: None) -> None:
        self.path = path
        self._begin = begin
        self.error: Exception | None = None
        self._queue: queue.SimpleQueue[Record | threading.Event | None] = queue.SimpleQueue()
        self._owner = owner
        opened = threading.Event()
        self._thread = threading.Thread(target=self._write, args=(opened,), name=f"journal {owner}", daemon=True)
        self._thread.start()
        opened.wait()
        self._raise_error()

    def append(self, record: Record) -> None:
        """Hand one record to the writer."""
        self._queue.put(record)

    def sync(self) -> None:
        """Return when everything appended before is committed."""
        done = threading.Event()
        self._queue.put(done)
        while not done.wait(COMMIT_EVERY_S) and self._thread.is_alive():
            pass
        self._raise_error()

    def close(self) -> None:
        """Commit the rest, leave WAL mode and end the thread. A second call is harmless."""
        self._queue.put(None)
        self._thread.join()
        self._raise_error()

    def _raise_error(self) -> None:
        if self.error is not None:
            raise JournalError(f"{self.path}: cannot be written: {self.error}") from self.error

    def _write(self, opened: threading.Event) -> None:
        waiting: list[threading.Event] = [opened]
        try:
            self._begin()
            connection = open_journal(self.path, self._owner)
            try:
                self._release(waiting)
                ended = False
                while not ended:
                    ended = self._write_batch(connection, waiting)
                    self._release(waiting)
                leave_wal(connection)
            finally:
                connection.close()
        except (sqlite3.Error, OSError) as error:
            self.error = error
        finally:
            self._release(waiting)

    @staticmethod
    def _release(waiting: list[threading.Event]) -> None:
        for event in waiting:
            event.set()
        waiting.clear()

    def _write_batch(self, connection: sqlite3.Connection, waiting: list[threading.Event]) -> bool:
        """Commit what is queued as one transaction; return True at the end of the queue."""
        rows: list[tuple[int, str, str, str]] = []
        seconds: list[Second] = []
        ended = False
        item = self._next(COMMIT_EVERY_S)
        while item is not _NOTHING:
            if item is None:
                ended = True
                break
            if isinstance(item, threading.Event):
                waiting.append(item)
                break
            rows.append(row_of(item))  # type: ignore[arg-type]
            if isinstance(item, Summary):
                seconds.append(second_of(item))
            if len(rows) >= BATCH_RECORDS:
                break
            item = self._next(None)
        if rows:
            connection.execute("BEGIN IMMEDIATE")
            insert(connection, rows, seconds)
            connection.execute("COMMIT")
        return ended

    def _next(self, wait_s: float | None) -> object:
        try:
            return self._queue.get(timeout=wait_s) if wait_s else self._queue.get_nowait()
        except queue.Empty:
            return _NOTHING


_NOTHING = object()


def leave_wal(connection: sqlite3.Connection) -> None:
    """Leave WAL mode, which needs a moment without readers; where there is none, the journal stays in it, whole."""
    for _ in range(LEAVE_WAL_TRIES):
        try:
            connection.execute("PRAGMA journal_mode=DELETE")
        except sqlite3.OperationalError:
            time.sleep(COMMIT_EVERY_S)
        else:
            return


_written = json.JSONEncoder(separators=(",", ":")).encode


def row_of(record: Record) -> tuple[int, str, str, str]:
    """Return (t_ns, kind, vantage, body) as the journal has a record."""
    return record.t_ns, type(record).__name__, getattr(record, "vantage", ""), _written(to_body(record))


def read_journal(path: Path, after_seq: int = 0) -> tuple[list[Record], int]:
    """Return the records after `after_seq` and the sequence number of the last one (or `after_seq`).

    Works beside a living writer, after its kill -9, and on a finished journal that may only be read. Raises
    JournalError when the file is none, or holds what this version cannot read.
    """
    rows = read_rows(path, "SELECT seq, kind, body FROM records WHERE seq > ? ORDER BY seq", (after_seq,))
    return _records(path, [(kind, body) for _, kind, body in rows]), rows[-1][0] if rows else after_seq


_ADVICE = (
    "If it is damaged, move it out of the run's directory: the run is then judged from its other journals, "
    "and what this one told is unknown"
)


def _records(path: Path, rows: Sequence[tuple[str, str]]) -> list[Record]:
    """Return the records of (kind, body); parsed many at a time, since most of the time goes into that."""
    records: list[Record] = []
    for begin in range(0, len(rows), _PARSED_AT_ONCE):
        some = rows[begin : begin + _PARSED_AT_ONCE]
        try:
            bodies = json.loads(f"[{','.join(body for _, body in some)}]")
            records += [from_body(kind, body) for (kind, _), body in zip(some, bodies, strict=True)]
        except (KeyError, TypeError, ValueError):
            records += [_record(path, kind, body) for kind, body in some]
    return records


def _record(path: Path, kind: str, body: str) -> Record:
    try:
        return from_body(kind, json.loads(body))
    except (KeyError, TypeError, ValueError) as error:
        raise JournalError(f"{path}: a record of kind {kind!r} cannot be read: {error!r}. {_ADVICE}") from error


def read_rows(path: Path, statement: str, parameters: Sequence[object]) -> list[Any]:
    """Return what a SELECT on the tables of a journal gives. Raises JournalError."""
    try:
        return _rows(path, statement, parameters)
    except sqlite3.Error as error:
        raise JournalError(f"{path}: is not a readable journal: {error}. {_ADVICE}") from error


def _rows(path: Path, statement: str, parameters: Sequence[object]) -> list[Any]:
    if not path.exists():
        raise JournalError(f"{path}: no such journal")
    for options in ("mode=ro", "mode=ro&immutable=1"):
        connection = sqlite3.connect(f"file:{quote(str(path))}?{options}", uri=True, timeout=5)
        try:
            return connection.execute(statement, parameters).fetchall()
        except sqlite3.OperationalError:
            # immutable is right only for a finished journal: one with no WAL beside it.
            if "immutable" in options or path.with_name(path.name + "-wal").exists():
                raise
        finally:
            connection.close()
    raise AssertionError("unreachable")


def read_kind(path: Path, kind: type[R]) -> list[R]:
    """Return a journal's records of one kind, and parse no other. Raises JournalError as `read_journal`."""
    rows = read_rows(path, "SELECT kind, body FROM records WHERE kind = ? ORDER BY seq", (kind.__name__,))
    return [record for record in _records(path, rows) if isinstance(record, kind)]


def read_seconds(path: Path, since_ns: int) -> list[Second]:
    """Return the seconds of a journal from an instant on, in order; see `store.seconds`.

    A journal of before there was a table of them is read record by record. Raises JournalError as `read_journal`.
    """
    try:
        return list(map(Second._make, read_rows(path, _SECONDS, (since_ns,))))
    except JournalError as error:
        if not _without_seconds(error):
            raise
    summaries = read_kind(path, Summary)
    return sorted(second_of(summary) for summary in summaries if summary.t_ns >= since_ns)


_SECONDS = "SELECT * FROM seconds WHERE t_ns >= ? ORDER BY t_ns"


def _without_seconds(error: JournalError) -> bool:
    return "no such table: seconds" in str(error)


def last_second_ns(path: Path) -> int:
    """Return the instant of the last second in a journal, 0 where there is none. Raises JournalError."""
    try:
        ((t_ns,),) = read_rows(path, "SELECT max(t_ns) FROM seconds", ())
    except JournalError as error:
        if not _without_seconds(error):
            raise
        return max((second.t_ns for second in read_seconds(path, 0)), default=0)
    return int(t_ns or 0)
