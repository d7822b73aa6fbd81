"""What the command gives out: files, whole or not at all, and colour where it is wanted."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from core.errors import CallError
from store import whole


def check_writable(*paths: Path | None) -> None:
    """Refuse, before anything is done, what `write_whole` could not write. Raises CallError."""
    for path in paths:
        if path is not None and (path.is_dir() or not os.access(path.parent, os.W_OK)):
            why = "is a directory" if path.is_dir() else f"{path.parent} is no directory that may be written"
            raise CallError(f"{path}: cannot be written: {why}")


def colored(color: bool | None) -> bool:
    """Tell whether to print in colour: as was asked for, else on a terminal whose user has not set NO_COLOR."""
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ if color is None else color


def write_whole(path: Path, text: str) -> None:
    """Write `text` to `path` as `store.whole` does. Raises CallError when it cannot be written."""
    try:
        whole.write_whole(path, text)
    except OSError as error:
        raise CallError(f"{path}: cannot be written: {error.strerror}") from error
