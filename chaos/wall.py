"""The wall clock, which windows, freezes and planned instants are of; durations come from the monotonic one."""

from __future__ import annotations

from datetime import UTC, datetime


def wall_now() -> datetime:
    """Return the present instant."""
    return datetime.now(UTC)  # noqa: TID251
