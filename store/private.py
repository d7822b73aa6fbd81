"""Reading a file with a secret: refused when anybody else may read it, and never quoted."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from core.errors import ConfigError

LARGEST_BYTES = 4096


def read_private(path: Path) -> str:
    """Return the text of a file that only this user may read. Raises ConfigError."""
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            data = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror})") from error
    if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO) or found.st_uid != os.geteuid():
        mode = f"{stat.S_IMODE(found.st_mode):04o}"
        raise ConfigError(f"{path} is open to others (mode {mode}, owner {found.st_uid}): chown it, and chmod 600")
    if len(data) > LARGEST_BYTES:
        raise ConfigError(f"{path} is too large, allowed: at most {LARGEST_BYTES} bytes")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        # Not `from error`: that would carry the bytes along.
        raise ConfigError(f"{path} is not UTF-8 at byte {error.start}") from None
