"""What all screens and widgets share: the newest frame, what stands here, and how the user wants to see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timezone

from tui.draw.lanes import SPANS_S
from tui.model.frame import Frame
from tui.model.headline import Headline, Mood, headline
from tui.model.standing import Standing
from tui.model.view import View
from tui.model.words import zone_of

SPAN_S = 60


@dataclass
class Seen:
    """Shared by reference; only the app changes it. `offset_s` is that of the local zone."""

    frame: Frame | None = None
    standing: Standing = field(default_factory=Standing)
    local: bool = False
    offset_s: int = 0
    span_s: int = SPAN_S
    armed: bool = False
    read_only: bool = False
    maximised: bool = False

    @property
    def view(self) -> View | None:
        """What is shown of the run."""
        return self.frame.view if self.frame else None

    @property
    def zone(self) -> timezone:
        """The zone that instants are shown in."""
        return zone_of(self.local, self.offset_s)

    @property
    def headline(self) -> Headline:
        """The sentence that is right first."""
        if self.frame is not None and self.frame.error:
            return Headline(
                Mood.BAD, "CANNOT READ", ("a journal of this run cannot be read; what is shown may be old",)
            )
        present = self.frame is None or self.frame.running
        return headline(self.view, self.standing.stopped if present else "")

    @property
    def paused(self) -> bool:
        """Whether the view is halted."""
        return self.frame is not None and self.frame.clock.paused

    def zoom(self, steps: int) -> None:
        """Show a longer (1) or shorter (-1) span of time; 0: the usual one."""
        if not steps:
            self.span_s = SPAN_S
            return
        index = SPANS_S.index(self.span_s) + steps
        self.span_s = SPANS_S[max(0, min(len(SPANS_S) - 1, index))]
