"""The worst outage of one experiment, out of the outcome document of its run (docs/outcome.md)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from chaos.ctk.activity import ActivityError
from core.errors import CallError

CLOCKS = ("data_plane", "new_connections", "held_kernel")
SOCKET = "socket"


def worst_ms(document: Mapping[str, Any], experiment: str, clock: str) -> int:
    """Return the upper bound in whole milliseconds, rounded up; 0 when no vantage had an outage by this clock.

    Raises CallError for an experiment or a clock that is none, ActivityError when a vantage's figures are unknown.
    """
    if clock not in CLOCKS:
        raise CallError(f"clock is {clock!r}, allowed: {', '.join(CLOCKS)}")
    events = [event for event in document["events"] if event["experiment"] == experiment]
    if not events:
        known = ", ".join(dict.fromkeys(event["experiment"] for event in document["events"])) or "none"
        raise CallError(f"run {document['run']} has no event of experiment {experiment!r}; it has those of: {known}")
    worst_s = 0.0
    for event in events:
        for vantage, seen in event["vantages"].items():
            why = _unknown(seen, clock, last=event is events[-1])
            if why:
                raise ActivityError(f"{experiment}: the outage at {vantage} is not known: {why} [unknown]")
            worst_s = max(worst_s, seen[clock]["upper_s"] if seen[clock] else 0.0)
    return math.ceil(worst_s * 1000)


def _unknown(seen: Mapping[str, Any], clock: str, last: bool) -> str:
    """Return why an event's figures do not tell; an outage that is open at its end is among the figures of the next."""
    if seen["unknown"]:
        return str(seen["unknown"])
    if last and seen["open_s"]:
        return f"it has lasted {seen['open_s']:g} s and was not over then"
    if clock == CLOCKS[0] and seen["engine"] == SOCKET:
        return "the engine socket has no data-plane clock"
    return ""
