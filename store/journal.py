"""One process's journal: SQLite, written in batches by a thread of its own, read by anyone at any time.

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
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from core.bodies import from_body, to_body
from core.errors import VipchaosError
from core.records import Record

SCHEMA_VERSION = 1
COMMIT_EVERY_S = 0.1
BATCH_RECORDS = 2_000
LEAVE_WAL_TRIES = 20
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS records (
    seq INTEGER PRIMARY KEY, t_ns INTEGER NOT NULL, kind TEXT NOT NULL, vantage TEXT NOT NULL, body TEXT NOT NULL
);
"""


class JournalError(VipchaosError):
    """A journal cannot be written or read; the message names the file and what to do."""

    exit_code = 5


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
            connection = self._open()
            try:
                self._release(waiting)
                ended = False
                while not ended:
                    ended = self._write_batch(connection, waiting)
                    self._release(waiting)
                _leave_wal(connection)
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

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, timeout=5)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.executescript(_SCHEMA)
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('schema', ?)", (str(SCHEMA_VERSION),))
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('owner', ?)", (self._owner,))
        return connection

    def _write_batch(self, connection: sqlite3.Connection, waiting: list[threading.Event]) -> bool:
        """Commit what is queued as one transaction; return True at the end of the queue."""
        rows: list[tuple[int, str, str, str]] = []
        ended = False
        item = self._next(COMMIT_EVERY_S)
        while item is not _NOTHING:
            if item is None:
                ended = True
                break
            if isinstance(item, threading.Event):
                waiting.append(item)
                break
            rows.append(_row(item))  # type: ignore[arg-type]
            if len(rows) >= BATCH_RECORDS:
                break
            item = self._next(None)
        if rows:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO records (t_ns, kind, vantage, body) VALUES (?, ?, ?, ?)", rows)
            connection.execute("COMMIT")
        return ended

    def _next(self, wait_s: float | None) -> object:
        try:
            return self._queue.get(timeout=wait_s) if wait_s else self._queue.get_nowait()
        except queue.Empty:
            return _NOTHING


_NOTHING = object()


def _leave_wal(connection: sqlite3.Connection) -> None:
    """Leave WAL mode, which needs a moment without readers; where there is none, the journal stays in it, whole."""
    for _ in range(LEAVE_WAL_TRIES):
        try:
            connection.execute("PRAGMA journal_mode=DELETE")
        except sqlite3.OperationalError:
            time.sleep(COMMIT_EVERY_S)
        else:
            return


def _row(record: Record) -> tuple[int, str, str, str]:
    body = json.dumps(to_body(record), separators=(",", ":"))
    return record.t_ns, type(record).__name__, getattr(record, "vantage", ""), body


def read_journal(path: Path, after_seq: int = 0) -> tuple[list[Record], int]:
    """Return the records after `after_seq` and the sequence number of the last one (or `after_seq`).

    Works beside a living writer, after its kill -9, and on a finished journal that may only be read. A record
    of a kind that this version does not know is passed over. Raises JournalError when the file is none.
    """
    try:
        rows = _rows(path, after_seq)
    except sqlite3.Error as error:
        raise JournalError(f"{path}: is not a readable journal: {error}") from error
    records: list[Record] = []
    for _, kind, body in rows:
        try:
            records.append(from_body(kind, json.loads(body)))
        except (KeyError, TypeError, ValueError) as error:
            raise JournalError(f"{path}: a record of kind {kind!r} cannot be read: {error!r}") from error
    return records, rows[-1][0] if rows else after_seq


def _rows(path: Path, after_seq: int) -> list[tuple[int, str, str]]:
    if not path.exists():
        raise JournalError(f"{path}: no such journal")
    statement = "SELECT seq, kind, body FROM records WHERE seq > ? ORDER BY seq"
    for options in ("mode=ro", "mode=ro&immutable=1"):
        connection = sqlite3.connect(f"file:{quote(str(path))}?{options}", uri=True, timeout=5)
        try:
            return connection.execute(statement, (after_seq,)).fetchall()
        except sqlite3.OperationalError:
            # immutable is right only for a finished journal: one with no WAL beside it.
            if "immutable" in options or path.with_name(path.name + "-wal").exists():
                raise
        finally:
            connection.close()
    raise AssertionError("unreachable")
