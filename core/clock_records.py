"""The record of how far an agent's clock is from the controller's."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """What was added to the instants of an agent's records that follow, and by how much that may be wrong.

    `clock` names the clock that they are in since (its host's boot). `bound_ns` -1: not known, since no exchange over
    the bus has measured the offset; it is then that of the two wall clocks.
    """

    t_ns: int
    vantage: str
    clock: str
    offset_ns: int
    bound_ns: int
