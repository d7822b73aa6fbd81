"""What `vipchaos watch` was asked for, as values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

Writer = Callable[[Path, str], None]


def _nowhere(path: Path, text: str) -> None:
    """Write nothing: where nothing is to be written."""
    del path, text


@dataclass(frozen=True)
class Options:
    """What `vipchaos watch` was asked for. `run` None: the newest run, and each newer one that begins.

    `write` puts a file on disk, whole or not at all.
    """

    run: Path | None = None
    armed: bool = False
    read_only: bool = False
    theme: str = "vipchaos-dark"
    keys: Path | None = None
    local: bool = False
    offset_s: int = 0
    inventory: Path | None = None
    experiments: Path | None = None
    game_days: Path | None = None
    exports: Path = field(default_factory=Path.cwd)
    write: Writer = _nowhere
    from_begin: bool = False
