"""The ledger: on the disk, added to only, one writer, no planned run started twice."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.errors import BlockedError
from core.schedule import Row, State
from store.ledger import AlreadyStartedError, Ledger, LedgerError, history

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
PLANNED = Row("drill", NOON, State.PLANNED, NOON, "cron 0 12 * * * UTC")
STARTED = replace(PLANNED, state=State.STARTED)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    ended = replace(STARTED, state=State.ABORTED, reason="stopped", words="told to", run="r", outcome="ABORTED")
    with Ledger(tmp_path) as ledger:
        ledger.append([PLANNED, replace(PLANNED, game_day="other")])
        ledger.append([STARTED])
        assert history(tmp_path, 10)[-1] == STARTED, "anyone may read beside the writer"
        ledger.append([ended])
        assert ledger.last() == {"drill": ended, "other": replace(PLANNED, game_day="other")}
    assert history(tmp_path, 2) == [STARTED, ended]
    assert history(tmp_path / "none", 5) == []
    with Ledger(tmp_path) as ledger:
        assert ledger.last()["drill"] == ended


def test_started_once_and_all_or_none(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.append([PLANNED, STARTED])
        with pytest.raises(AlreadyStartedError):
            ledger.append([replace(PLANNED, game_day="other"), STARTED])
        assert history(tmp_path, 10) == [PLANNED, STARTED]


def test_rows_are_never_changed(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.append([PLANNED])
    connection = sqlite3.connect(tmp_path / "ledger.db")
    for statement in ("UPDATE rows SET state = 'FINISHED'", "DELETE FROM rows"):
        with pytest.raises(sqlite3.IntegrityError, match="rows are never"):
            connection.execute(statement)
    connection.close()


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    with Ledger(tmp_path), pytest.raises(BlockedError, match="another `vipchaos serve`") as refused:
        Ledger(tmp_path)
    assert refused.value.exit_code == 3
    with Ledger(tmp_path):
        pass


def test_what_is_no_ledger(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_text("no database, but long enough to look like something " * 40)
    with pytest.raises(LedgerError, match=r"ledger\.db: is not a ledger"):
        Ledger(tmp_path)
    with pytest.raises(LedgerError, match=r"ledger\.db: is not a ledger"):
        history(tmp_path, 5)
    (tmp_path / "ledger.db").unlink()
    with Ledger(tmp_path):
        pass


def test_a_disk_that_is_full_is_told(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger._connection.execute("PRAGMA max_page_count=1")
        with pytest.raises(LedgerError, match="cannot be written"):
            ledger.append([replace(PLANNED, words="x" * 1_000_000)])
        ledger.append([PLANNED])
    assert history(tmp_path, 5) == [PLANNED], "all or none"
