"""The journals that are read, how far behind the view is, guard and kill switch, shippers."""

from __future__ import annotations

from tui.draw.line import Line, Span
from tui.model.standing import ShipperLine, Standing
from tui.model.words import seconds
from tui.widgets.drawn import Drawn

SILENT_S = 30.0
"""A shipper says each second how it stands, and it is looked at every ten."""
LATE_S = 15.0


class HealthBar(Drawn):
    """A few lines."""

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the lines."""
        del width, height
        frame, view, standing = self.seen.frame, self.seen.view, self.seen.standing
        found: list[Line] = []
        if frame is None or view is None:
            found.append(
                [
                    Span(" journal   ", "strong"),
                    Span(frame.error if frame and frame.error else "none is read yet", "quiet"),
                ]
            )
        else:
            words = frame.error or f"{frame.path}, {view.records} records shown"
            found.append([Span(" journal   ", "strong"), Span(words, "bad" if frame.error else "")])
            state = "goes on" if frame.running else f"ended: {view.outcome or 'its end was never written'}"
            found.append([Span(" run       ", "strong"), Span(f"{view.run or '-'}, {state}")])
            behind = max(0, frame.present_ns - view.now_ns)
            found.append(
                [Span(" view      ", "strong"), Span(f"{seconds(behind)} behind the newest record or the present")]
            )
        guard = "its socket is there" if standing.guard else "none runs here"
        found.append(
            [Span(" guard     ", "strong"), Span(guard), Span(f"; {len(standing.leases)} leases out", "quiet")]
        )
        switch = f"on: {standing.stopped}" if standing.stopped else "off"
        found.append([Span(" kill      ", "strong"), Span(f"switch {switch}", "odd" if standing.stopped else "")])
        return found + shipper_lines(standing)


def shipper_lines(standing: Standing) -> list[Line]:
    """Return one line a destination; one that has told nothing for long is not taken for well."""
    head = Span(" shipper   ", "strong")
    if standing.shippers_error:
        return [[head, Span(standing.shippers_error, "bad")]]
    return [[head, *_shipper(one)] for one in standing.shippers] or [[head, Span("nothing was ever shipped", "quiet")]]


def _shipper(one: ShipperLine) -> Line:
    silent = one.state in ("running", "waiting") and one.told_s_ago > SILENT_S
    words = f"{one.state}{f': {one.words}' if one.words else ''}"
    if silent:
        words = f"told nothing for {seconds(round(one.told_s_ago * 1e9))}, {words}"
    bad = silent or one.state == "stopped"
    lag = f"lag {one.lag_records} records, {one.lag_s:.1f} s" if one.lag_records else "no lag"
    return [
        Span(f"{lag}", "odd" if one.lag_s > LATE_S else "good"),
        Span(f"; {one.dead_letters} refused", "odd" if one.dead_letters else "quiet"),
        Span(f"; {one.rate_per_s:.0f} points/s; "),
        Span(words, "bad" if bad else "odd" if one.state == "waiting" else ""),
        Span(f"; {one.destination}", "quiet"),
    ]
