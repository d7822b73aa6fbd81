"""A run of the lab as it was recorded: 25 sessions a vantage, node failover, site failover and failback, a withdrawal.

recorded.json.xz has its journals, record by record, without the single heartbeats and the files of evidence.
"""

from __future__ import annotations

import json
import lzma
from pathlib import Path

from core.bodies import from_body
from core.records import Record
from tests.store.journals import make_run

FILE = Path(__file__).with_name("recorded.json.xz")


def journals() -> dict[str, list[Record]]:
    """Return the records of each journal."""
    found = json.loads(lzma.decompress(FILE.read_bytes()))
    return {owner: [from_body(kind, body) for kind, body in records] for owner, records in found.items()}


def make_recorded(runs: Path, name: str = "20261125-140040-demo-05f8") -> Path:
    """Write its journals as a run of that name."""
    return make_run(runs, name, journals())
