"""Which instant the screens show: the present, a paused one, or a replay's, which goes on at its own speed. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

SPEEDS = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


@dataclass(frozen=True, slots=True)
class Clock:
    """`at_ns` of the run was shown at `since_ns` of the viewer; None: the present of a run that goes on.

    `begin_ns` and `end_ns` bound what can be shown; a replay stops at the end.
    """

    begin_ns: int = 0
    end_ns: int = 0
    at_ns: int | None = None
    since_ns: int = 0
    speed: float = 1.0
    paused: bool = False

    def now(self, viewer_ns: int) -> int | None:
        """Return the instant of the run to show, None for its present."""
        if self.at_ns is None or self.paused:
            return self.at_ns
        return min(self.end_ns, self.at_ns + round((viewer_ns - self.since_ns) * self.speed))

    @property
    def live(self) -> bool:
        """Whether it shows the present."""
        return self.at_ns is None

    def over(self, viewer_ns: int) -> bool:
        """Whether a replay has come to its end."""
        return self.at_ns is not None and not self.paused and self.now(viewer_ns) == self.end_ns

    def pause(self, viewer_ns: int, present_ns: int) -> Clock:
        """Return it halted at what it shows; `present_ns` is the run's present."""
        shown = self.now(viewer_ns)
        return replace(self, at_ns=present_ns if shown is None else shown, paused=True)

    def go(self, viewer_ns: int, running: bool) -> Clock:
        """Return it going again: at the present where the run goes on, else from where it was halted."""
        if running:
            return replace(self, at_ns=None, paused=False)
        at_ns = self.begin_ns if self.at_ns is None or self.at_ns >= self.end_ns else self.at_ns
        return replace(self, at_ns=at_ns, since_ns=viewer_ns, paused=False)

    def seek(self, to_ns: int, viewer_ns: int) -> Clock:
        """Return it at another instant, inside what can be shown."""
        return replace(self, at_ns=max(self.begin_ns, min(self.end_ns, to_ns)), since_ns=viewer_ns)

    def faster(self, steps: int, viewer_ns: int) -> Clock:
        """Return it with another speed, so many steps up or down."""
        index = SPEEDS.index(self.speed) + steps
        shown = self.now(viewer_ns)
        return replace(self, at_ns=shown, since_ns=viewer_ns, speed=SPEEDS[max(0, min(len(SPEEDS) - 1, index))])

    def until(self, begin_ns: int, end_ns: int) -> Clock:
        """Return it with other bounds."""
        return replace(self, begin_ns=begin_ns, end_ns=max(begin_ns, end_ns))


def parse_seek(text: str, now_ns: int, begin_ns: int, wall_offset_ns: int, day_ns: int) -> int | None:
    """Return the instant that was typed: `+5`, `-10` (seconds), `1:23` into the run, `12:04:30` of the day; or None.

    `day_ns` is the wall instant of the midnight, in the zone that is shown, before the run began.
    """
    text = text.strip()
    try:
        if text[:1] in "+-" and text:
            return now_ns + round(float(text) * 1e9)
        parts = [float(part) for part in text.split(":")]
    except ValueError:
        return None
    if any(part < 0 for part in parts) or any(part >= 60 for part in parts[1:]):
        return None
    if len(parts) == 3:
        return day_ns + round((parts[0] * 3600 + parts[1] * 60 + parts[2]) * 1e9) - wall_offset_ns
    if len(parts) == 2:
        return begin_ns + round((parts[0] * 60 + parts[1]) * 1e9)
    return begin_ns + round(parts[0] * 1e9) if len(parts) == 1 else None
