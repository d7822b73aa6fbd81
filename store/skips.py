"""Planned runs that somebody wants left out: one small file each beside the ledger, read by `vipchaos serve`.

The ledger has one writer, which is `serve`; who skips a run leaves word here, and `serve` writes what became of it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from core.game_days import key
from store.whole import write_whole

KEPT = timedelta(days=2)
"""So long after its time a skip is kept; no run may be later than a day."""
_LONGEST = 500


def skip(place: Path, game_day: str, planned: datetime, words: str) -> None:
    """Have the run of `game_day` planned for `planned` left out; `words` say who wants that. Raises OSError."""
    directory = place / "skips"
    directory.mkdir(parents=True, exist_ok=True)
    for path in directory.iterdir():
        if _planned(path.name) < planned - KEPT:
            path.unlink(missing_ok=True)
    write_whole(directory / key(game_day, planned), f"{words}\n")


def take_back(place: Path, game_day: str, planned: datetime) -> bool:
    """Have it run after all; tell whether it was to be left out. Raises OSError."""
    try:
        (place / "skips" / key(game_day, planned)).unlink()
    except FileNotFoundError:
        return False
    return True


def skipped(place: Path) -> Mapping[str, str]:
    """Return the runs to be left out, by their `core.game_days.key`, with who wants that."""
    found = {}
    with contextlib.suppress(FileNotFoundError):
        for path in (place / "skips").iterdir():
            with contextlib.suppress(OSError, UnicodeDecodeError):
                found[path.name] = " ".join(path.read_text(encoding="utf-8")[:_LONGEST].split())
    return found


def _planned(name: str) -> datetime:
    """Return the instant in a key; what is no key is never old."""
    try:
        return datetime.strptime(name.rpartition("-")[2], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return datetime.max.replace(tzinfo=UTC)
