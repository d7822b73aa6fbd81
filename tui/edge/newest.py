"""Which run of this user is the newest, by its name alone: no journal is read."""

from __future__ import annotations

from pathlib import Path

from store.runs import CONTROLLER, home


def newest_run() -> Path | None:
    """Return the directory of the newest run that has a journal, or None. Names begin with the instant."""
    found = sorted((home() / "runs").glob(f"*/{CONTROLLER}.db"))
    return found[-1].parent if found else None
