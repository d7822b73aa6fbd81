"""What the agent needs of an engine: the ring engine and the one on kernel sockets are two."""

from __future__ import annotations

from typing import Protocol

from core.records import Record


class Engine(Protocol):
    """Holds sessions and keeps their heartbeats going; `tick` never blocks and returns what happened.

    It wants to be called at `first_tick_ns` and every `tick_ns` after that.
    """

    name: str
    first_tick_ns: int
    tick_ns: int
    period_ns: int
    syn_period_ns: int

    def tick(self, now_ns: int) -> list[Record]:
        """Receive what has come, send what is due at `now_ns`, and return the new records."""
        ...

    def close(self, now_ns: int) -> list[Record]:
        """End all sessions in order, give back sockets, ports and rules, and return what was still to be told."""
        ...
