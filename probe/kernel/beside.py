"""The one kernel session beside the ring engine, in a thread of its own: what an application sees of an outage."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from core.inventory import Inventory, Vantage
from core.records import Note, OutageBegan, Record
from probe.kernel.sessions import Sessions

ASK_EVERY_NS = 20_000_000
STOP_S = 2.0


class KernelSession(threading.Thread):
    """Asks the service every 20 ms, one question at a time, and reports stalls, drops and new sessions.

    What else there is to be said, the ring engine says.
    """

    def __init__(self, inventory: Inventory, vantage: Vantage, record: Callable[[Record], None]) -> None:
        super().__init__(name="kernel session", daemon=True)
        self._sessions = Sessions(inventory, vantage, ASK_EVERY_NS, ASK_EVERY_NS, beside=True)
        self._record = record
        self._ended = threading.Event()

    def stop(self) -> None:
        """End the session and the thread."""
        self._ended.set()
        self.join(STOP_S)

    def run(self) -> None:
        """Hold one session after another until stopped."""
        while not self._ended.is_set():
            wait_ns = min(ASK_EVERY_NS, max(0, self._sessions.turns.next_ns() - time.monotonic_ns()))
            for record in self._sessions.step(wait_ns / 1e9):
                if not isinstance(record, OutageBegan | Note):
                    self._record(record)
        self._sessions.close()
