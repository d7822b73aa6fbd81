"""What the probe reported of the damage done to it, held against the switch and against a packet capture. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.capture_records import CaptureGap
from core.outage import Interval, interval
from core.records import Clock, OutageEnded, ProbeHealth, Record
from tests.accuracy.path import Kind, Switched


@dataclass(frozen=True)
class Report:
    """One interval that was told of a slot, and the capture's gap there (None: it shows none).

    `slip_ns`: the worst timer error inside the gap; `growth_ns`: by how much the round trip differs at its two ends.
    """

    slot: int
    found: Interval
    gap_ns: int | None
    slip_ns: int
    growth_ns: int


@dataclass(frozen=True)
class Trial:
    """One cut beside its reports, one a slot."""

    switched: Switched
    reports: tuple[Report, ...]
    period_ns: int
    slots: int
    tick_ns: int

    @property
    def reported(self) -> bool:
        """Whether every slot reported it, and once: a link may come and go while its ends find each other."""
        once = len(self.reports) == self.slots or self.switched.kind is Kind.LINK
        return once and len({report.slot for report in self.reports}) == self.slots

    @property
    def captured_inside(self) -> bool:
        """Whether each captured gap lies inside its interval."""
        return all(
            report.gap_ns is not None and report.found.lower_ns <= report.gap_ns <= report.found.upper_ns
            for report in self.reports
        )

    @property
    def switch_agrees(self) -> bool:
        """Whether each interval can hold the time that the path was down; when it was cut is known to some ms.

        After a link comes up its ends have to find each other again, so there is no longest time for it.
        """
        shortest_ns, longest_ns = self.switched.shortest_ns, self.switched.longest_ns
        if self.switched.kind is Kind.LINK:
            uppers: dict[int, int] = {}
            for report in self.reports:
                uppers[report.slot] = max(uppers.get(report.slot, 0), report.found.upper_ns)
            return all(upper_ns >= shortest_ns for upper_ns in uppers.values())
        intervals = [report.found for report in self.reports]
        return all(found.lower_ns <= longest_ns and found.upper_ns >= shortest_ns for found in intervals)

    @property
    def narrow(self) -> bool:
        """Whether each interval is at most two periods wide, and what is stated for the probe's own timer.

        That is the worst timer error inside the gap, at both ends, and a tick for the heartbeat before it. What the
        record itself states as its error is no excuse here. But where an answer was held back on the way, the interval
        is wider by that: a router keeps packets for a neighbour that it has lost until it is found again.
        """
        return all(width_ns(report) <= self._allowed_ns(report) + 2 * report.growth_ns for report in self.reports)

    @property
    def held_back(self) -> bool:
        """Whether an interval is wider than two periods and our own error because answers were held back."""
        return self.narrow and any(width_ns(report) > self._allowed_ns(report) for report in self.reports)

    def _allowed_ns(self, report: Report) -> int:
        return 2 * self.period_ns + self.tick_ns + 2 * report.slip_ns

    @property
    def widest_ns(self) -> int:
        """The width of the widest interval."""
        return max(map(width_ns, self.reports), default=0)


def width_ns(report: Report) -> int:
    """Return how wide the interval of a report is."""
    return report.found.upper_ns - report.found.lower_ns


def trials(records: Sequence[Record], switches: Sequence[Switched], period_ns: int, slots: int) -> list[Trial]:
    """Return each cut with what was reported of it; self-inflicted gaps are no reports."""
    gaps = {(r.slot, r.s_a_ns): r.captured_ns for r in records if isinstance(r, CaptureGap)}
    outages = [r for r in records if isinstance(r, OutageEnded) and r.clock is Clock.DATA_PLANE]
    tick_ns = next(record.tick_ns for record in records if isinstance(record, ProbeHealth))
    found = []
    for switched in switches:
        mine = [
            outage
            for outage in outages
            if not outage.self_inflicted
            and outage.s_a_ns < switched.mended_until_ns
            and outage.r_b_ns > switched.cut_from_ns
        ]
        reports = []
        for outage in mine:
            gap_ns = gaps.get((outage.slot, outage.s_a_ns), -1)
            growth_ns = abs((outage.r_b_ns - outage.s_b_ns) - (outage.r_a_ns - outage.s_a_ns))
            shown_ns = None if gap_ns < 0 else gap_ns
            reports.append(Report(outage.slot, interval(outage), shown_ns, outage.slip_ns, growth_ns))
        found.append(Trial(switched, tuple(reports), period_ns, slots, tick_ns))
    return found


def unexplained(
    records: Sequence[Record], switches: Sequence[Switched], period_ns: int
) -> tuple[list[OutageEnded], list[OutageEnded]]:
    """Return reported outages that no cut explains: those that the capture does not show, and those that it does.

    Self-inflicted gaps are marked as such, and are no outages.
    """
    shown = {(r.slot, r.s_a_ns): r.captured_ns for r in records if isinstance(r, CaptureGap)}
    found = [
        record
        for record in records
        if isinstance(record, OutageEnded)
        and record.clock is Clock.DATA_PLANE
        and not record.self_inflicted
        and not any(s.cut_from_ns < record.r_b_ns and record.s_a_ns < s.mended_until_ns for s in switches)
    ]
    false = [outage for outage in found if shown.get((outage.slot, outage.s_a_ns), -1) < 3 * period_ns]
    return false, [outage for outage in found if outage not in false]
