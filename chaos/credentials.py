"""Where the secrets of a host are: in a file that nobody else may read, or in a variable of the environment.

A secret is read when it is needed and goes nowhere but to the host: it is in no argument, record or message.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from core.errors import ConfigError
from core.inventory import Host

LARGEST_BYTES = 4096


def user_and_password(host: Host) -> tuple[str, str]:
    """Return what `credentials_file` or the variable `credentials_env` says. Raises ConfigError: it says nothing."""
    if host.credentials_env:
        place = f"the variable {host.credentials_env}"
        text = os.environ.get(host.credentials_env, "")
    else:
        place = host.credentials_file
        text = read_private(host.credentials_file)
    user, colon, password = text.removesuffix("\n").partition(":")
    if not (user and colon and password) or "\n" in password:
        raise ConfigError(f"{host.name}: {place} does not say USER:PASSWORD, on one line")
    return user, password


def read_private(name: str) -> str:
    """Return the text of a file that only this user may read. Raises ConfigError."""
    path = Path(name)
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            data = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{name} cannot be read ({error.strerror})") from error
    if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO) or found.st_uid != os.geteuid():
        mode = f"{stat.S_IMODE(found.st_mode):04o}"
        raise ConfigError(f"{name} is open to others (mode {mode}, owner {found.st_uid}): chown it, and chmod 600")
    if len(data) > LARGEST_BYTES:
        raise ConfigError(f"{name} is too large, allowed: at most {LARGEST_BYTES} bytes")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        # Not `from error`: that would carry the bytes along.
        raise ConfigError(f"{name} is not UTF-8 at byte {error.start}") from None
