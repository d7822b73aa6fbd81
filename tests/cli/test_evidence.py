"""The command `evidence`: what was written, where and when; and that nothing was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.evidence import evidence
from core.errors import CallError
from core.evidence import EvidenceWritten
from core.records import ProbeStarted, Record
from store.journal import JournalError, JournalWriter
from store.runs import RunDirectory

WALL_NS = 1_764_068_400_000_000_000
STARTED = ProbeStarted(1_000, WALL_NS, "c1", "ring", 25, 10_000_000, 50_000_000)
FIRST = EvidenceWritten(5_000_001_000, "c1", "evidence/c1-1.pcapng", ("drop by reset", "outage"), 25, 900, 120_000, 7)
SECOND = EvidenceWritten(9_000_001_000, "c1", "evidence/c1-2.pcapng", ("outage",), 1, 40, 6_000)


def journal(path: Path, *records: Record) -> Path:
    writer = JournalWriter(path, "c1")
    for record in records:
        writer.append(record)
    writer.close()
    (path.parent / "evidence").mkdir(exist_ok=True)
    (path.parent / "evidence" / "c1-1.pcapng").write_bytes(b"x")
    return path


def test_files_are_listed_in_order_of_time(tmp_path: Path) -> None:
    path = journal(tmp_path / "c1.db", STARTED, SECOND, FIRST)
    done = CliRunner().invoke(evidence, ["--journal", str(path)])
    assert done.exit_code == 0
    _, first, second = done.stdout.splitlines()
    assert first.split()[:4] == ["2025-11-25", "11:00:05", "UTC", "c1"]
    assert "drop by reset, outage" in first
    assert first.endswith(f"{tmp_path}/evidence/c1-1.pcapng  (7 more sessions left out)")
    assert second.endswith("c1-2.pcapng  (missing)")


def test_json_has_it_all(tmp_path: Path) -> None:
    path = journal(tmp_path / "c1.db", STARTED, FIRST)
    (entry,) = json.loads(CliRunner().invoke(evidence, ["--journal", str(path), "--json"]).stdout)
    assert entry == {
        "from_wall_ns": WALL_NS + 5_000_000_000,
        "vantage": "c1",
        "events": ["drop by reset", "outage"],
        "sessions": 25,
        "packets": 900,
        "bytes": 120_000,
        "left_out_sessions": 7,
        "left_out_packets": 0,
        "path": f"{tmp_path}/evidence/c1-1.pcapng",
        "exists": True,
    }


def test_of_a_run_all_vantages_are_listed() -> None:
    run = RunDirectory.create("evidence")
    journal(run.journal_path("controller"))
    journal(run.journal_path("c1"), STARTED, FIRST)
    done = CliRunner().invoke(evidence, [run.run])
    assert done.exit_code == 0
    assert str(run.path / "evidence" / "c1-1.pcapng") in done.stdout


def test_nothing_is_told_too(tmp_path: Path) -> None:
    path = journal(tmp_path / "c1.db", STARTED)
    done = CliRunner().invoke(evidence, ["--journal", str(path)])
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr.startswith("no evidence: ")
    assert json.loads(CliRunner().invoke(evidence, ["--journal", str(path), "--json"]).stdout) == []


def test_a_wrong_call_says_why(tmp_path: Path) -> None:
    for words in ([], ["last", "--journal", "x.db"]):
        with pytest.raises(CallError, match="one of the two"):
            CliRunner().invoke(evidence, words, catch_exceptions=False)
    with pytest.raises(JournalError, match="no such journal"):
        CliRunner().invoke(evidence, ["--journal", str(tmp_path / "none.db")], catch_exceptions=False)
