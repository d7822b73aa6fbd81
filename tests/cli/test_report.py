"""`vipchaos report`: the page, and clear words for a run that is damaged, has no beginning or goes on yet."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.records import Note, Record, RunStarted
from store.journal import JournalWriter
from store.runs import CONTROLLER, RunDirectory
from tests.cli.test_commands import vipchaos
from tests.recorded.synthetic import Synthetic


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return Synthetic(sessions=16, seconds=60).write(tmp_path / "run")


def test_the_page_is_written_beside_the_table(run: RunDirectory, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    done = vipchaos("report", str(run.path), "--html", str(page), "--no-color")
    assert done.returncode == 0, done.stderr
    assert "PASSED: 32 of 32 expectations held" in done.stdout
    assert f"drawing {page}" in done.stderr
    assert page.read_text("utf-8").startswith("<!doctype html>")
    refused = vipchaos("report", str(run.path), "--html", str(tmp_path / "no" / "such" / "page.html"))
    assert refused.returncode == 2
    assert "is no directory that may be written" in refused.stderr


def test_a_damaged_journal_is_told_and_the_others_still_judge(run: RunDirectory) -> None:
    path = run.path / "c1.db"
    content = bytearray(path.read_bytes())
    content[4096 : 3 * 4096] = b"\xff" * (2 * 4096)
    path.write_bytes(content)
    done = vipchaos("report", str(run.path))
    assert done.returncode == 5
    assert done.stderr.startswith(f"error: {path}: is not a readable journal: database disk image is malformed.")
    assert "move it out of the run's directory" in done.stderr
    path.rename(run.path / "c1.damaged")
    done = vipchaos("report", str(run.path), "--json", "-")
    assert done.returncode == 5
    document = json.loads(done.stdout)
    assert document["outcome"] == "INCONCLUSIVE"
    assert document["events"][0]["vantages"]["c1"]["unknown"]
    assert document["events"][0]["vantages"]["c2"]["unknown"] == ""


def write(path: Path, owner: str, records: list[Record]) -> JournalWriter:
    journal = JournalWriter(path / f"{owner}.db", owner)
    for record in records:
        journal.append(record)
    journal.sync()
    return journal


def test_a_run_that_goes_on_is_told_as_that(tmp_path: Path) -> None:
    made = Synthetic(sessions=16, seconds=60)
    half = {owner: mine[: len(mine) * 2 // 3] for owner, mine in made.records.items()}
    writers = [write(tmp_path, owner, mine) for owner, mine in half.items()]
    done = vipchaos("report", str(tmp_path))
    assert done.returncode == 5
    assert "INCONCLUSIVE: the run goes on yet: this is what its journals say so far" in done.stdout
    for writer in writers:
        writer.close()
    done = vipchaos("report", str(tmp_path))
    assert "the run was interrupted: its end was never written" in done.stdout


def test_a_run_that_is_just_beginning_is_told_as_that(tmp_path: Path) -> None:
    writer = write(tmp_path, CONTROLLER, [Note(1, "controller", "x")])
    done = vipchaos("report", str(tmp_path))
    assert done.returncode == 2
    assert "its journal has no beginning; it is just beginning: try again" in done.stderr
    writer.close()
    done = vipchaos("report", str(tmp_path))
    assert "its journal has no beginning; there is nothing to judge" in done.stderr


def test_a_run_of_another_time_says_what_its_inventory_lacks(tmp_path: Path) -> None:
    started = RunStarted(1, 1, "old", "0.0.1", "vip: nonsense\n", ())
    write(tmp_path, CONTROLLER, [started]).close()
    done = vipchaos("report", str(tmp_path))
    assert done.returncode == 4
    assert "/inventory:1: vip:" in done.stderr
    assert "Traceback" not in done.stderr
