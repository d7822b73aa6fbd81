"""The record of what a packet capture shows where an outage was reported."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CaptureGap:
    """What a packet capture on the vantage shows where an outage was reported: its longest gap between answers.

    `slot` and `s_a_ns` say which data-plane outage (see `OutageEnded`); `captured_ns` is -1 where it shows none.
    """

    t_ns: int
    vantage: str
    slot: int
    s_a_ns: int
    captured_ns: int
