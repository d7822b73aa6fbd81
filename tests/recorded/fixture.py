"""A small run of the demo, recorded on the lab, as JSON lines: `python -m tests.recorded.fixture RUN` writes it.

Each line is a kind and a record. What the vantages' heartbeats around outages were is left out, for size.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

from core.bodies import from_body, to_body
from core.records import Heartbeats, Record
from store.journal import JournalWriter, read_journal
from store.runs import RunDirectory, find_run

FILE = Path(__file__).resolve().parent / "demo.jsonl.gz"


def read() -> dict[str, list[Record]]:
    """Return the records of each of the run's journals."""
    found: dict[str, list[Record]] = {}
    with gzip.open(FILE, "rt", encoding="utf-8") as lines:
        for line in lines:
            owner, kind, body = json.loads(line)
            found.setdefault(owner, []).append(from_body(kind, body))
    return found


def restore(directory: Path) -> RunDirectory:
    """Write the run's journals into `directory` and return the run."""
    directory.mkdir(parents=True, exist_ok=True)
    run = RunDirectory(directory)
    for owner, records in read().items():
        journal = JournalWriter(run.journal_path(owner), owner)
        for record in records:
            journal.append(record)
        journal.close()
    return run


def export(run: RunDirectory) -> int:
    """Write a run to `FILE`, byte for byte the same each time, and return how many records it has."""
    lines = []
    for path in sorted(run.path.glob("*.db")):
        records, _ = read_journal(path)
        for record in records:
            if not isinstance(record, Heartbeats):
                line = [path.stem, type(record).__name__, to_body(record)]
                lines.append(json.dumps(line, separators=(",", ":"), ensure_ascii=False))
    text = "".join(f"{line}\n" for line in lines)
    FILE.write_bytes(gzip.compress(text.encode(), mtime=0))
    return len(lines)


if __name__ == "__main__":
    print(export(find_run(sys.argv[1])))  # noqa: T201
