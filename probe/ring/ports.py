"""The source ports that no session uses, in the order in which they came out of use."""

from __future__ import annotations

import random

import numpy as np


class FreePorts:
    """The ports of one source address; `take` gives the one that was out of use for the longest time.

    A far end may still hold connections of a probe that was killed: the first one is chosen at random.
    """

    def __init__(self, ports: range) -> None:
        self._circle = np.roll(np.array(ports, np.uint16), -(random.getrandbits(16) % len(ports)))
        self._next = 0

    def take(self, given_back: int) -> int:
        """Return a free port, and take one back, or 0 for none. The caller never holds them all."""
        while not self._circle[self._next]:
            self._next = (self._next + 1) % len(self._circle)
        port = int(self._circle[self._next])
        self._circle[self._next] = given_back
        self._next = (self._next + 1) % len(self._circle)
        return port
