"""Writes the recorded run that tests of the screens replay: `.venv/bin/python tools/record_run.py RUN`."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

from core.bodies import to_body
from core.capture_records import CaptureGap
from core.records import Heartbeats
from store.runs import find_run

TARGET = Path(__file__).resolve().parent.parent / "tests" / "tui" / "recorded.jsonl.gz"


def main() -> None:
    """Write every record but heartbeats and capture gaps, one a line; the same run gives the same bytes."""
    records = [each for each in find_run(sys.argv[1]).read_all() if not isinstance(each, Heartbeats | CaptureGap)]
    lines = [json.dumps({"kind": type(each).__name__, **to_body(each)}, separators=(",", ":")) for each in records]
    with TARGET.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as file:
        file.write(("\n".join(lines) + "\n").encode())
    print(f"{TARGET}: {len(records)} records, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
