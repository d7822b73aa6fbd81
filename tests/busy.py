"""A machine whose cores all have something else to do."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections.abc import Iterator


def _burn() -> None:
    while True:
        pass


@contextlib.contextmanager
def busy() -> Iterator[None]:
    """Burn every core of this machine."""
    burners = [multiprocessing.Process(target=_burn, daemon=True) for _ in range(os.cpu_count() or 1)]
    for burner in burners:
        burner.start()
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.join()
