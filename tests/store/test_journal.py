"""The journal: nothing committed is lost to a kill -9, readers never disturb, files explain themselves."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.errors import CallError
from core.records import FaultPhase, FaultStep, Heartbeats, Note, Outcome, Record, RunEnded, RunStarted, Summary
from store.journal import JournalError, JournalWriter, last_second_ns, read_journal, read_kind, read_seconds
from store.runs import RunDirectory, find_run, list_runs
from store.seconds import second_of

WRITER = """
import sys, time
from pathlib import Path
from core.records import Note
from store.journal import JournalWriter
journal = JournalWriter(Path(sys.argv[1]), "test")
print("ready", flush=True)
while True:
    journal.append(Note(time.monotonic_ns(), "test", "x"))
    time.sleep(0.001)
"""


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    records: list[Record] = [
        Note(1, "a", "ü"),
        Heartbeats(2, "c1", 0, ((1, 2), (3, 0))),
        FaultStep(3, "e", "f", "l", FaultPhase.ARMED, "words", 2.5),
    ]
    journal = JournalWriter(tmp_path / "a.db", "test")
    for record in records:
        journal.append(record)
    journal.sync()
    assert read_journal(tmp_path / "a.db") == (records, 3)
    assert read_journal(tmp_path / "a.db", 2) == (records[2:], 3)
    journal.close()
    assert read_journal(tmp_path / "a.db", 3) == ([], 3)
    assert not (tmp_path / "a.db-wal").exists()


def test_a_reader_does_not_keep_a_journal_from_being_closed(tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path / "a.db", "test")
    journal.append(Note(1, "a", "x"))
    journal.sync()
    reader = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM records").fetchone() == (1,)
    journal.append(Note(2, "a", "y"))
    journal.close()
    reader.close()
    assert len(read_journal(tmp_path / "a.db")[0]) == 2


def test_kill_9_loses_nothing_older_than_200_ms(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        time.sleep(1.0)  # the load itself: a second of records
        killed_ns = time.monotonic_ns()
        writer.send_signal(signal.SIGKILL)
    records, last = read_journal(path)
    assert last == len(records) > 100
    assert killed_ns - records[-1].t_ns < 200_000_000


def test_a_reader_beside_the_writer_sees_each_record_once(tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path / "a.db", "test")
    seen: list[int] = []
    cursor = 0
    for number in range(2_000):
        journal.append(Note(number, "test", ""))
        if number % 50 == 0:
            records, cursor = read_journal(tmp_path / "a.db", cursor)
            seen += [record.t_ns for record in records]
    journal.close()
    records, _ = read_journal(tmp_path / "a.db", cursor)
    assert seen + [record.t_ns for record in records] == list(range(2_000))


def test_a_finished_journal_in_a_directory_that_may_only_be_read(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    journal = JournalWriter(folder / "a.db", "test")
    journal.append(Note(1, "a", "b"))
    journal.close()
    (folder / "a.db").chmod(0o444)
    folder.chmod(0o555)
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents[:2]:
        parent.chmod(0o755)
    code = f"import sys,sqlite3; c=sqlite3.connect('file:{folder / 'a.db'}?mode=ro',uri=True);"
    code += "sys.stdout.write(str(c.execute('select count(*) from records').fetchone()[0]))"
    user = {"user": 65534} if os.geteuid() == 0 else {}
    done = subprocess.run(["python3", "-c", code], capture_output=True, text=True, check=False, cwd="/", **user)  # type: ignore[call-overload]
    if "ermission denied" in done.stderr and "python" in done.stderr:
        done = subprocess.run(
            ["/usr/bin/python3", "-c", code], capture_output=True, text=True, check=False, cwd="/", **user
        )  # type: ignore[call-overload]
    assert (done.stdout, done.stderr) == ("1", "")


def test_what_cannot_be_read_is_told_with_its_file(tmp_path: Path) -> None:
    bad = tmp_path / "bad.db"
    bad.write_bytes(b"not a database, by far not" * 100)
    with pytest.raises(JournalError, match=r"bad\.db: is not a readable journal"):
        read_journal(bad)
    with pytest.raises(JournalError, match=r"none\.db: no such journal"):
        read_journal(tmp_path / "none.db")
    with pytest.raises(JournalError, match="cannot be written"):
        JournalWriter(tmp_path / "no" / "such" / "folder.db", "test")


def test_a_record_that_makes_no_sense_is_told(tmp_path: Path) -> None:
    JournalWriter(tmp_path / "a.db", "test").close()
    with sqlite3.connect(tmp_path / "a.db") as connection:
        connection.execute("INSERT INTO records VALUES (1, 1, 'Drop', '', '{\"cause\": \"gremlins\"}')")
    connection.close()
    with pytest.raises(JournalError, match=r"kind 'Drop' cannot be read: .*If it is damaged, move it out of the run's"):
        read_journal(tmp_path / "a.db")


def test_runs_are_listed_found_and_merged(home: Path) -> None:
    run = RunDirectory.create("unit")
    controller = JournalWriter(run.journal_path("controller"), "controller")
    controller.append(RunStarted(10, 5, run.run, "0", "inventory", ("one", "two")))
    agent = JournalWriter(run.journal_path("c1"), "c1")
    agent.append(Note(20, "c1", "second"))
    controller.append(Note(30, "controller", "third"))
    controller.sync()
    agent.close()
    assert [record.t_ns for record in run.read_new()] == [10, 20, 30]
    assert run.read_new() == []
    assert [(entry.experiments, entry.outcome) for entry in list_runs() if entry.run == run.run] == [(2, "interrupted")]
    controller.append(RunEnded(40, 6, Outcome.PASSED))
    controller.close()
    assert [entry.outcome for entry in list_runs() if entry.run == run.run] == ["PASSED"]
    assert find_run(run.run).path == run.path == home / "runs" / run.run
    with pytest.raises(CallError, match="not found"):
        find_run("nonsense")


def second(t_ns: int, node: str = "ace1") -> Summary:
    return Summary(t_ns, "c1", "dc1", node, "N1", 2, 20, 19, 0, 0, 200_000, 600_000, (0, 20))


def test_seconds_are_there_in_columns_too(tmp_path: Path) -> None:
    path = tmp_path / "c1.db"
    journal = JournalWriter(path, "c1")
    for record in (second(3), second(1), second(2, "ace2"), second(2), Note(9, "c1", "x")):
        journal.append(record)
    journal.sync()
    expected = [second_of(each) for each in (second(2), second(2, "ace2"), second(3))]
    assert read_seconds(path, 2) == expected
    assert last_second_ns(path) == 3
    assert RunDirectory(tmp_path).last_seconds(1e-9) == expected
    journal.close()
    assert read_seconds(path, 2) == expected
    with sqlite3.connect(path) as connection:  # a journal of before there was the table
        connection.execute("DROP TABLE seconds")
    connection.close()
    assert read_seconds(path, 2) == expected
    assert last_second_ns(path) == 3


def test_one_kind_is_read_alone(tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path / "a.db", "test")
    for record in (Note(1, "a", "x"), second(2), Note(3, "a", "y")):
        journal.append(record)
    journal.close()
    assert read_kind(tmp_path / "a.db", Note) == [Note(1, "a", "x"), Note(3, "a", "y")]
    assert read_kind(tmp_path / "a.db", RunEnded) == []
    with pytest.raises(JournalError, match="no such journal"):
        read_kind(tmp_path / "none.db", Note)


def test_what_an_older_or_newer_version_wrote_is_read(tmp_path: Path) -> None:
    JournalWriter(tmp_path / "a.db", "test").close()
    bodies = ['{"t_ns":1,"source":"a","text":"x","mood":"new"}', '{"t_ns":2,"source":"a","text":"y"}']
    with sqlite3.connect(tmp_path / "a.db") as connection:
        connection.executemany("INSERT INTO records VALUES (NULL, 1, 'Note', '', ?)", [(body,) for body in bodies])
    connection.close()
    assert read_journal(tmp_path / "a.db")[0] == [Note(1, "a", "x"), Note(2, "a", "y")]


def test_whether_a_run_is_written_is_seen(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    journal = JournalWriter(run.journal_path("controller"), "controller")
    journal.append(Note(1, "a", "x"))
    journal.sync()
    assert run.is_written()
    wal = tmp_path / "controller.db-wal"
    os.utime(wal, (1, 1))  # as a kill -9 long ago leaves it
    assert not run.is_written()
    journal.close()
    assert not run.is_written()
