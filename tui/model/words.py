"""Figures and instants as a person reads them. What is not known is `…`, what there is none of `-`; never empty."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from core.events import Event, VantageOutcome, Who
from core.outage import Interval
from tui.model.places import Place

NOT_KNOWN = "…"
NONE = "-"


def seconds(value_ns: int) -> str:
    """Return a duration that still grows or is a bound: `0.52 s`, `12.4 s`, `3 min 20 s`."""
    value_s = value_ns / 1e9
    if value_s < 10:
        return f"{value_s:.2f} s"
    if value_s < 100:
        return f"{value_s:.1f} s"
    minutes, rest = divmod(round(value_s), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def countdown(left_ns: int) -> str:
    """Return what is left, in whole seconds rounded up."""
    left_s = -(-max(0, left_ns) // 1_000_000_000)
    return f"{left_s} s" if left_s < 120 else f"{left_s // 60} min {left_s % 60:02d} s"


def bounds(found: Interval | None) -> str:
    """Return an interval: `0.36 … 0.38 s`, or `-`."""
    return f"{found.lower_ns / 1e9:.2f} … {found.upper_ns / 1e9:.2f} s" if found else NONE


def percent(part: float) -> str:
    """Return a share, never rounded up to all nor down to nothing."""
    if 0 < part < 0.001:
        return "<0.1 %"
    return f"{min(part, 0.999) * 100:.1f} %" if part < 1 else "100.0 %"


def milliseconds(value_ns: int) -> str:
    """Return a round trip in ms, without its unit."""
    value_ms = value_ns / 1e6
    return f"{value_ms:.2f}" if value_ms < 10 else f"{value_ms:.1f}" if value_ms < 100 else f"{value_ms:.0f}"


def zone_of(local: bool, offset_s: int) -> timezone:
    """Return UTC, or the local zone of an offset."""
    return timezone(timedelta(seconds=offset_s)) if local else UTC


def instant(wall_ns: int, zone: timezone, digits: int = 1) -> str:
    """Return the time of day with so many digits of a second (cut, not rounded: no instant is shown early)."""
    text = datetime.fromtimestamp(wall_ns // 1_000_000_000, zone).strftime("%H:%M:%S")
    return f"{text}.{wall_ns % 1_000_000_000:09d}"[: 9 + digits] if digits else text


def date(wall_ns: int, zone: timezone) -> str:
    """Return date and time of day to the second."""
    return datetime.fromtimestamp(wall_ns // 1_000_000_000, zone).strftime("%Y-%m-%d %H:%M:%S")


def zone_name(zone: timezone) -> str:
    """Return how a zone is called on the screen: `UTC` or `+02:00`."""
    text = datetime.fromtimestamp(0, zone).strftime("%z")
    return "UTC" if zone is UTC else f"{text[:3]}:{text[3:5]}"


def who(answer: Who) -> str:
    """Return who answers in a few characters: `ace1/N1`, a mix, or nobody."""
    return "+".join(Place(*place).words for place, _ in answer.counts) or "nobody"


def names(some: tuple[str, ...] | list[str], most: int = 6) -> str:
    """Return names in a row, the first `most` of them."""
    more = f" and {len(some) - most} more" if len(some) > most else ""
    return f"{' '.join(some[:most])}{more}"


def causes(outcomes: tuple[VantageOutcome, ...]) -> str:
    """Return what dropped sessions, with counts: `reset 50`."""
    found: dict[str, int] = {}
    for outcome in outcomes:
        for cause, count in outcome.dropped.items():
            found[cause] = found.get(cause, 0) + count
    return ", ".join(f"{cause} {count}" for cause, count in sorted(found.items()))


def worst(event: Event, clock: str) -> Interval | None:
    """Return the worst interval of one clock over all vantages of an event."""
    found = []
    for outcome in event.vantages:
        plane = outcome.data_plane.worst if outcome.data_plane else None
        found.append({"data": plane, "new": outcome.new_connections, "kernel": outcome.held_kernel}[clock])
    return max((each for each in found if each), key=lambda each: each.upper_ns, default=None)
