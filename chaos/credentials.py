"""Where the secrets of a host are: in a file that nobody else may read, or in a variable of the environment.

A secret is read when it is needed and goes nowhere but to the host: it is in no argument, record or message.
"""

from __future__ import annotations

import os
from pathlib import Path

from core.errors import ConfigError
from core.inventory import Host
from store.private import read_private


def user_and_password(host: Host) -> tuple[str, str]:
    """Return what `credentials_file` or the variable `credentials_env` says. Raises ConfigError: it says nothing."""
    if host.credentials_env:
        place = f"the variable {host.credentials_env}"
        text = os.environ.get(host.credentials_env, "")
    else:
        place = host.credentials_file
        text = read_private(Path(host.credentials_file))
    user, colon, password = text.removesuffix("\n").partition(":")
    if not (user and colon and password) or "\n" in password:
        raise ConfigError(f"{host.name}: {place} does not say USER:PASSWORD, on one line")
    return user, password
