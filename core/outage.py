"""Outages as intervals: from the attempts of one slot and their answers to [lower, upper] with its error.

An attempt is a heartbeat or a SYN; its answer says which attempt it answers. With a the last attempt answered
before a gap, b the first answered after it, and s the send instants: lower = s(b-1) - s(a+1), upper = s(b) - s(a)
(design section 5; after RFC 6412, loss of connectivity period).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from core.records import Clock, Heartbeats, OutageBegan, OutageEnded

LOSSES_IN_A_ROW = 3
"""Fewer are loss, not an outage (as BFD's usual detection multiplier, RFC 5880 section 6.8.4)."""
OVERDUE_NS = 50_000_000
SHORT_LIFE_NS = 1_000_000_000
"""A session that is reset before it is so old was never really there."""
KEPT_ATTEMPTS = 3_000
SHOWN_EACH_END = 100


@dataclass(frozen=True, slots=True)
class Interval:
    """A duration known to lie in [lower_ns, upper_ns]; `error_ns` is what was added on each side for our own errors."""

    lower_ns: int
    upper_ns: int
    error_ns: int


def interval(outage: OutageEnded) -> Interval:
    """Return the bounds of an outage.

    The error is how late a stamped attempt may have left the probe, plus the growth of the round trip across the
    gap: an answer that comes later than its send by more than before would otherwise put the gap between answers,
    r(b) - r(a), outside the bounds. (A shorter round trip only shortens that gap, which `lower` allows for.) A
    record of before such errors were kept has the worst timer slip in its place.
    """
    growth_ns = (outage.r_b_ns - outage.s_b_ns) - (outage.r_a_ns - outage.s_a_ns)
    stamps_ns = outage.slip_ns if outage.stamp_error_ns < 0 else outage.stamp_error_ns
    error_ns = stamps_ns + abs(growth_ns)
    return Interval(
        max(0, outage.s_b1_ns - outage.s_a1_ns - error_ns), outage.s_b_ns - outage.s_a_ns + error_ns, error_ns
    )


@dataclass(frozen=True, slots=True)
class Merged:
    """The outages of several slots, seen as one: the worst interval, first and last recovery, how many slots."""

    worst: Interval
    first_recovery_ns: int
    last_recovery_ns: int
    slots: int


def merge(outages: Iterable[OutageEnded]) -> Merged | None:
    """Merge outages of one vantage and clock; None when there is none. A slot that failed twice counts its worst."""
    found = [(interval(outage), outage) for outage in outages if not outage.self_inflicted]
    if not found:
        return None
    return Merged(
        max((bounds for bounds, _ in found), key=lambda bounds: bounds.upper_ns),
        min(outage.s_b_ns for _, outage in found),
        max(outage.s_b_ns for _, outage in found),
        len({outage.slot for _, outage in found}),
    )


@dataclass(frozen=True, slots=True)
class Gap:
    """What bounds a gap in answers, as its fields of the same names in `core.records.OutageEnded` say."""

    s_a_ns: int
    r_a_ns: int
    s_a1_ns: int
    s_b1_ns: int
    s_b_ns: int
    r_b_ns: int
    lost: int
    skipped: int
    slip_ns: int
    same_session: bool
    stamp_error_ns: int = 0


def outage_ended(gap: Gap, vantage: str, slot: int, clock: Clock, period_ns: int) -> OutageEnded:
    """Return the record of a gap. What the probe's own lateness could explain alone is marked self-inflicted."""
    explained = gap.slip_ns > period_ns and gap.s_b1_ns - gap.s_a1_ns <= gap.slip_ns
    return OutageEnded(
        t_ns=gap.r_b_ns,
        vantage=vantage,
        slot=slot,
        clock=clock,
        s_a_ns=gap.s_a_ns,
        r_a_ns=gap.r_a_ns,
        s_a1_ns=gap.s_a1_ns,
        s_b1_ns=max(gap.s_b1_ns, gap.s_a1_ns) if gap.lost else gap.s_a1_ns,
        s_b_ns=gap.s_b_ns,
        r_b_ns=gap.r_b_ns,
        lost=gap.lost,
        skipped=gap.skipped,
        slip_ns=gap.slip_ns,
        self_inflicted=gap.lost < LOSSES_IN_A_ROW or explained,
        same_session=gap.same_session,
        stamp_error_ns=gap.stamp_error_ns,
    )


def ends(record: OutageEnded, last_sent_ns: int | None) -> bool:
    """Tell whether `record` is the end of what began after the attempt sent at `last_sent_ns` (None: nothing did).

    Ends are told a few at a time, so one may be of an outage before the one that goes on.
    """
    return last_sent_ns is None or record.s_a_ns >= last_sent_ns


def is_over(record: OutageBegan, ended_s_a_ns: int) -> bool:
    """Tell whether an outage is over that comes later than its end, by their instants.

    The begin has the instant at which it was noticed, the end that of its answer: a probe that is late notices a begin
    after the answer has come. `ended_s_a_ns`: s(a) of the last end in the same place, 0 where there is none.
    """
    return record.last_sent_ns <= ended_s_a_ns


class Tracker:
    """Follows the attempts of one slot. Attempts are numbered upwards by one, across restarts of its session.

    `losses` counts unanswered attempts outside outages too, `late` answers that came after a later attempt's.
    Every call costs the same, however long the gap.
    """

    def __init__(self, vantage: str, slot: int, clock: Clock, period_ns: int, overdue_ns: int = OVERDUE_NS) -> None:
        self._identity = (vantage, slot, clock)
        self._period_ns = period_ns
        self._overdue_ns = max(overdue_ns, 3 * period_ns)
        self._attempts: deque[tuple[int, int]] = deque(maxlen=KEPT_ATTEMPTS)  # (attempt, sent)
        self._answered: tuple[int, int, int] | None = None  # (attempt, sent, received) of a
        self._first_lost_ns = 0  # s(a+1); 0 while nothing was sent after a
        self._unanswered = 0
        self._skipped: list[tuple[int, int]] = []  # (attempt sent last before, how many)
        self._slip_ns = 0
        self._began = False
        self._same_session = True
        self._shown: list[tuple[int, int]] = []  # the first attempts of the gap, which may leave the bounded window
        self.losses = 0
        self.late = 0

    def sent(self, attempt: int, s_ns: int, slip_ns: int = 0) -> None:
        """Note that `attempt` was sent at `s_ns`, `slip_ns` later than it was due."""
        self._attempts.append((attempt, s_ns))
        self._unanswered += 1
        self._slip_ns = max(self._slip_ns, slip_ns)
        if not self._first_lost_ns:
            self._first_lost_ns = s_ns
        if len(self._shown) < SHOWN_EACH_END:
            self._shown.append((s_ns, 0))

    def skipped(self, count: int, slip_ns: int) -> None:
        """Note that `count` attempts that were due were not sent, because the probe itself was late by `slip_ns`."""
        self._skipped.append((self._attempts[-1][0] if self._attempts else 0, count))
        self._slip_ns = max(self._slip_ns, slip_ns)

    def session_changed(self) -> None:
        """Note that the session in this slot ended: a gap over this instant was not survived."""
        self._same_session = False

    def answered(self, attempt: int, r_ns: int) -> tuple[OutageEnded | Heartbeats, ...]:
        """Note the answer to `attempt` at `r_ns`; return the outage that it ends, if any, and its heartbeats."""
        before = self._answered
        if before is not None and attempt <= before[0]:
            self.late += attempt < before[0]
            return ()
        s_b_ns, s_b1_ns, pending = self._find(attempt)
        if s_b_ns < 0:
            return ()  # never sent, or too old to matter
        records: tuple[OutageEnded | Heartbeats, ...] = ()
        lost = self._unanswered - len(pending) - 1
        skipped = sum(count for last, count in self._skipped if last < attempt)
        if before is not None:
            self.losses += lost
            # What was told to have begun is told to have ended, also where its attempts were answered after all.
            if max(lost, skipped) >= LOSSES_IN_A_ROW or self._began:
                records = self._ended(before, s_b1_ns, s_b_ns, r_ns, lost, skipped)
        self._restart((attempt, s_b_ns, r_ns), pending)
        return records

    def _find(self, attempt: int) -> tuple[int, int, list[tuple[int, int]]]:
        """Return s(b), s(b-1) and what was sent after b; s(b) is -1 where b is not known."""
        pending: list[tuple[int, int]] = []
        attempts = self._attempts
        for index in range(len(attempts) - 1, -1, -1):
            number, s_ns = attempts[index]
            if number == attempt:
                s_b1_ns = attempts[index - 1][1] if index else self._first_lost_ns
                pending.reverse()
                return s_ns, s_b1_ns, pending
            if number < attempt:
                break
            pending.append((number, s_ns))
        return -1, -1, pending

    def _ended(
        self, before: tuple[int, int, int], s_b1_ns: int, s_b_ns: int, r_b_ns: int, lost: int, skipped: int
    ) -> tuple[OutageEnded | Heartbeats, ...]:
        vantage, slot, clock = self._identity
        _, s_a_ns, r_a_ns = before
        gap = Gap(
            s_a_ns,
            r_a_ns,
            self._first_lost_ns,
            s_b1_ns,
            s_b_ns,
            r_b_ns,
            lost,
            skipped,
            self._slip_ns,
            self._same_session,
        )
        ended = outage_ended(gap, vantage, slot, clock, self._period_ns)
        tail = [(s_ns, 0) for _, s_ns in list(self._attempts)[-SHOWN_EACH_END:] if s_ns < s_b_ns]
        around = dict([(s_a_ns, r_a_ns), *self._shown, *tail])
        around = {s_ns: received for s_ns, received in around.items() if s_ns < s_b_ns} | {s_b_ns: r_b_ns}
        return ended, Heartbeats(r_b_ns, vantage, slot, tuple(sorted(around.items())))

    def _restart(self, answered: tuple[int, int, int], pending: list[tuple[int, int]]) -> None:
        self._answered = answered
        self._unanswered = len(pending)
        self._first_lost_ns = pending[0][1] if pending else 0
        self._shown = [(s_ns, 0) for _, s_ns in pending]
        self._attempts.clear()
        self._attempts.extend(pending)
        self._skipped = [(last, count) for last, count in self._skipped if last >= answered[0]]
        self._slip_ns = 0
        self._began = False
        self._same_session = True

    def check(self, now_ns: int) -> OutageBegan | None:
        """Return the begin of an outage once three attempts are overdue; at most once a gap."""
        if self._began or self._answered is None or self._unanswered < LOSSES_IN_A_ROW:
            return None
        third = self._shown[LOSSES_IN_A_ROW - 1][0]
        if now_ns - third < self._overdue_ns:
            return None
        self._began = True
        vantage, slot, clock = self._identity
        return OutageBegan(now_ns, vantage, slot, clock, self._answered[1])
