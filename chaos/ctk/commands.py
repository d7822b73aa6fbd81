"""The command `vipchaos` as a process beside Chaos Toolkit: a run, or the outcome of one."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chaos.child import END_WAIT_S, Child, ended
from chaos.ctk.activity import ActivityError

VIPCHAOS = (sys.executable, "-m", "cli")
PASSED = "PASSED"
REPORT_WITHIN_S = 120.0
LONGEST_LINE = 200


def run(inventory: Path, experiments: Sequence[Path]) -> dict[str, Any]:
    """Do a run and return its outcome document (docs/outcome.md). Raises ActivityError when it has not PASSED.

    It has this process as its lifeline: it reverts and ends when this one is told to stop, or dies.
    """
    with tempfile.TemporaryDirectory(prefix="vipchaos-ctk-") as name:
        place = Path(name)
        outcome = place / "outcome.json"
        words = ["run", "--lifeline", "--no-color", "--name", "ctk", "--json", str(outcome)]
        child = Child([*VIPCHAOS, *words, "--inventory", str(inventory), *map(str, experiments)], place, place / "log")
        try:
            code = child.wait()
        finally:
            child.stop()
            if not ended(place, END_WAIT_S):
                child.kill()
        if not outcome.exists():
            raise ActivityError(f"vipchaos run ended with exit code {code}: {_words(child.log)}")
        document: dict[str, Any] = json.loads(outcome.read_text())
    if document["outcome"] != PASSED:
        raise ActivityError(_said(document))
    return document


def report(run_name: str) -> dict[str, Any]:
    """Return the outcome document of a run that was. Raises ActivityError when there is none."""
    done = subprocess.run(
        [*VIPCHAOS, "report", "--json", "-", "--", run_name],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=REPORT_WITHIN_S,
    )
    try:
        document: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        last = (done.stderr.strip().splitlines() or ["nothing was said"])[-1]
        raise ActivityError(f"no outcome of run {run_name!r}: {last}") from None
    return document


def _said(document: dict[str, Any]) -> str:
    return f"{document['outcome']}: {document['reason']} [{document['reason_code']}] (run {document['run']})"


def _words(log: Path) -> str:
    """Return what the command said last; all of it where that is a list of problems."""
    said = log.read_text(errors="replace").strip()
    return said[-10 * LONGEST_LINE :] or "it said nothing"
