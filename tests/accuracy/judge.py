"""What the probe reported of the damage done to it, held against the switch and against a packet capture. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.capture_records import CaptureGap
from core.outage import Interval, interval
from core.records import Clock, OutageEnded, ProbeHealth, Record
from tests.accuracy.path import Kind, Switched


@dataclass(frozen=True)
class Trial:
    """One cut beside its reports: one interval a slot, and the capture's gap there (None: it shows none)."""

    switched: Switched
    reports: tuple[tuple[int, Interval, int | None], ...]
    slips: Mapping[int, int]
    period_ns: int
    slots: int
    tick_ns: int

    @property
    def reported(self) -> bool:
        """Whether every slot reported it, and once: a link may come and go while its ends find each other."""
        once = len(self.reports) == self.slots or self.switched.kind is Kind.LINK
        return once and len({slot for slot, _, _ in self.reports}) == self.slots

    @property
    def captured_inside(self) -> bool:
        """Whether each captured gap lies inside its interval."""
        return all(
            gap_ns is not None and found.lower_ns <= gap_ns <= found.upper_ns for _, found, gap_ns in self.reports
        )

    @property
    def switch_agrees(self) -> bool:
        """Whether each interval can hold the time that the path was down; when it was cut is known to some ms.

        After a link comes up its ends have to find each other again, so there is no longest time for it.
        """
        shortest_ns, longest_ns = self.switched.shortest_ns, self.switched.longest_ns
        if self.switched.kind is Kind.LINK:
            uppers: dict[int, int] = {}
            for slot, found, _ in self.reports:
                uppers[slot] = max(uppers.get(slot, 0), found.upper_ns)
            return all(upper_ns >= shortest_ns for upper_ns in uppers.values())
        return all(found.lower_ns <= longest_ns and found.upper_ns >= shortest_ns for _, found, _ in self.reports)

    @property
    def narrow(self) -> bool:
        """Whether each interval is at most two periods wide, and what is stated for the probe's own timer.

        That is the worst timer error inside the gap, at both ends, and a tick for the heartbeat before it. What the
        record itself states as its error is no excuse here.
        """
        allowed_ns = 2 * self.period_ns + self.tick_ns
        return all(
            found.upper_ns - found.lower_ns <= allowed_ns + 2 * self.slips[slot] for slot, found, _ in self.reports
        )

    @property
    def widest_ns(self) -> int:
        """The width of the widest interval."""
        return max((found.upper_ns - found.lower_ns for _, found, _ in self.reports), default=0)


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
            reports.append((outage.slot, interval(outage), None if gap_ns < 0 else gap_ns))
        slips = {outage.slot: outage.slip_ns for outage in mine}
        found.append(Trial(switched, tuple(reports), slips, period_ns, slots, tick_ns))
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
