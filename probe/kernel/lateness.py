"""When the probe itself was not looking: what of a gap in answers is its own doing. Pure; time is handed in."""

from __future__ import annotations

from collections import deque

KEPT = 2_000


class Lateness:
    """Told each look, which should come every `every_ns`; remembers the stretches in which none came."""

    def __init__(self, every_ns: int) -> None:
        self._every_ns = every_ns
        self._looked_ns = 0
        self._late: deque[tuple[int, int]] = deque(maxlen=KEPT)

    def look(self, now_ns: int) -> None:
        """Note a look at `now_ns`. Late is one that came a whole turn after it was due."""
        if self._looked_ns and now_ns - self._looked_ns > 2 * self._every_ns:
            self._late.append((self._looked_ns + self._every_ns, now_ns))
        self._looked_ns = now_ns

    def own_ns(self, from_ns: int, to_ns: int) -> int:
        """Return how long between two instants the probe was late."""
        found = 0
        for begin_ns, end_ns in reversed(self._late):
            if end_ns <= from_ns:
                break
            found += max(0, min(end_ns, to_ns) - max(begin_ns, from_ns))
        return found
