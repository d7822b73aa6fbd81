"""Writing a file whole or not at all: whoever dies in between, there is the old one or the new one."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path


def write_whole(path: Path, text: str, mode: int | None = None) -> None:
    """Write `text` to `path` by way of a file beside it; it is on disk when this returns. Raises OSError.

    `mode`: its permissions, which it has before there is anything in it; None: as the umask says.
    """
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        new.unlink(missing_ok=True)
        with open(new, "x", encoding="utf-8", opener=partial(os.open, mode=0o666 if mode is None else mode)) as file:
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.rename(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Have the names in a directory on disk: which files are there, and which are not. Raises OSError."""
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
