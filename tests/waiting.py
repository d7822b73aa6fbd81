"""Waiting for a condition, with a limit, instead of for seconds."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_for(condition: Callable[[], object], within_s: float = 20.0) -> None:
    """Return once `condition` is true; fail when it does not become so."""
    until_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < until_s, f"not within {within_s} s: {condition}"
        time.sleep(0.05)
