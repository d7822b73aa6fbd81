"""A short cut through the library, as a user runs it: a lab, three experiments, one table, nothing left behind."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.host import Host, look

LIBRARY = Path(__file__).resolve().parents[2] / "experiments" / "library"
SEEN = {
    "route-withdrawal": ["route withdrawal"],
    "state-table-lost": ["held sessions reset, new ones answered in the same place"],
    "vip-dead": ["new sessions refused, held ones live"],
}


@dataclass(frozen=True)
class Library:
    """What was run: what it said, what it wrote, and the host before and after."""

    done: subprocess.CompletedProcess[str]
    document: dict[str, Any]
    page: str
    before: Host
    after: Host


@pytest.fixture(scope="module")
def library(home: Path) -> Library:
    document, page = home / "library.json", home / "library.md"
    files = [str(LIBRARY / f"{name}.yaml") for name in SEEN]
    before = look()
    argv = [sys.executable, "-m", "cli", "run", "--all", "--json", str(document), "--markdown", str(page), *files]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=280)
    assert document.exists(), done.stdout + done.stderr
    return Library(done, json.loads(document.read_text()), page.read_text(), before, look())


def test_each_is_seen_as_what_it_is(library: Library) -> None:
    assert library.done.returncode == 0, library.done.stdout
    rows = {row["experiment"]: row for row in library.document["experiments"]}
    assert {name: row["trials"][0]["seen"] for name, row in rows.items()} == SEEN
    assert all(row["trials"][0]["named"] for row in rows.values())
    assert (library.document["named"], library.document["of"], library.document["outcome"]) == (3, 3, "PASSED")


def test_one_table_tells_them_all(library: Library) -> None:
    for name, (seen,) in SEEN.items():
        (line,) = (line for line in library.done.stdout.splitlines() if line.startswith(f"{name} "))
        assert "PASSED" in line
        assert line.endswith(seen)
        assert f"| {name} | PASSED | 1/1 |" in library.page
    assert "3 of 3 named rightly" in library.done.stdout


def test_each_is_a_run_of_its_own_and_one_lab_served_them(library: Library, home: Path) -> None:
    runs = {trial["run"] for row in library.document["experiments"] for trial in row["trials"]}
    assert {path.name for path in (home / "runs").iterdir()} >= runs
    assert len(runs) == 3
    assert library.done.stderr.count("lab: ready") == 1


def test_nothing_is_left(library: Library) -> None:
    assert library.after == library.before
