"""The audit on disk: many writers, one chain; kill -9 in the middle of writing leaves it whole."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from core.audit import Broken, Entry
from store.audit import Audit, AuditError
from tests.waiting import wait_for

WRITER = """
import sys
from pathlib import Path
from store.audit import Audit
audit = Audit(Path(sys.argv[1]))
for number in range(int(sys.argv[2])):
    audit.add(number, sys.argv[3], "armed", {"number": number, "long": "x" * 5000})
"""


def writer(path: Path, count: int, who: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(count), who])


def test_several_writers_make_one_chain(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "audit.jsonl"
    writers = [writer(path, 20, who) for who in ("a", "b", "c")]
    assert [process.wait() for process in writers] == [0, 0, 0]
    found = Audit(path).read()
    assert [entry.number for entry in found if isinstance(entry, Entry)] == list(range(1, 61))
    assert len(found) == 60
    assert path.stat().st_mode & 0o777 == 0o600


def test_kill_9_of_writers_leaves_the_chain_whole(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    for number in range(5):
        with writer(path, 100_000, str(number)) as process:
            before = path.stat().st_size if path.exists() else 0
            wait_for(lambda before=before: path.exists() and path.stat().st_size > before + 30_000)  # type: ignore[misc]
            process.send_signal(signal.SIGKILL)
    Audit(path).add(0, "after", "armed", {})
    found = Audit(path).read()
    assert all(item.torn for item in found if isinstance(item, Broken))
    last = found[-1]
    assert isinstance(last, Entry)
    assert last.who == "after"


def test_a_torn_end_is_left_as_it_is_and_followed(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    audit = Audit(path)
    audit.add(1, "me", "armed", {})
    with path.open("a") as file:
        file.write('{"n": 2, "wall')
    audit.add(2, "me", "armed", {})
    found = audit.read()
    assert [isinstance(item, Broken) for item in found] == [False, True, False]
    assert isinstance(found[1], Broken)
    assert found[1].torn


def test_what_cannot_be_written_or_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    audit = Audit(tmp_path / "file" / "audit.jsonl")
    with pytest.raises(AuditError, match="nothing is done"):
        audit.add(1, "me", "armed", {})
    with pytest.raises(AuditError, match="cannot be read"):
        audit.read()
    assert Audit(tmp_path / "none").read() == []
