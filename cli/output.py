"""Files that the command writes: whole, or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from core.errors import CallError


def check_writable(*paths: Path | None) -> None:
    """Refuse, before anything is done, what `write_whole` could not write. Raises CallError."""
    for path in paths:
        if path is not None and (path.is_dir() or not os.access(path.parent, os.W_OK)):
            why = "is a directory" if path.is_dir() else f"{path.parent} is no directory that may be written"
            raise CallError(f"{path}: cannot be written: {why}")


def write_whole(path: Path, text: str) -> None:
    """Write `text` to `path` by way of a file beside it. Raises CallError when it cannot be written."""
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with new.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.rename(path)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise CallError(f"{path}: cannot be written: {error.strerror}") from error
