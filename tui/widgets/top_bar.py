"""The first line: what is looked at, which experiment of it, the instant, how old the data are, what may be done."""

from __future__ import annotations

from tui.draw.line import Line, Span, beside
from tui.model.view import FRESH_NS
from tui.model.words import instant, seconds, zone_name
from tui.widgets.drawn import Drawn

WIDE = 100


class TopBar(Drawn):
    """One line."""

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the line."""
        del height
        view, frame = self.seen.view, self.seen.frame
        left: Line = [Span(" vipchaos ", "title")]
        if view is None or frame is None:
            return [beside(left, [self._rights()], width)]
        if view.inventory:
            vip = view.inventory.vip
            left.append(Span(f" {f'{vip.name} ' if width >= WIDE else ''}{vip.address}:{vip.port}", "strong"))
        if view.experiment:
            left.append(Span(f"  {view.experiment}", ""))
            left.append(Span(f" {view.number}/{len(view.experiments)}", "quiet"))
            left.append(Span(f" {view.phase}", "odd" if view.out else "quiet"))
        if view.hold_ends_ns > view.now_ns:
            left.append(Span(f" {(view.hold_ends_ns - view.now_ns) / 1e9:.0f} s", "odd"))
        right: Line = [
            Span(f"{instant(view.now_ns + view.wall_offset_ns, self.seen.zone)} {zone_name(self.seen.zone)} ", "strong")
        ]
        right.append(self._age())
        if width >= WIDE:
            right.append(self._rights())
        return [beside(left, right, width)]

    def _age(self) -> Span:
        view, frame = self.seen.view, self.seen.frame
        assert view is not None
        assert frame is not None
        if frame.error:
            return Span(" journal cannot be read ", "word-bad")
        if not frame.running:
            speed = f"{frame.clock.speed:g}x"
            return Span(f" replay {speed} ", "word-quiet")
        if not frame.clock.live:
            return Span(f" {seconds(frame.present_ns - view.now_ns)} behind ", "word-caution")
        age_ns = view.age_ns()
        # Each agent tells of itself once a second, so an age below that is as young as data can be.
        return Span(f" data {seconds(age_ns)} old ", "word-bad" if age_ns > FRESH_NS else "quiet")

    def _rights(self) -> Span:
        if self.seen.armed:
            return Span(" ARMED ", "word-caution")
        return Span(" READ-ONLY ", "quiet")
