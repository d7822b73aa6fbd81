"""Knows what one vantage's records tell beside who answers: seconds in which packets were lost, SYNs, servers."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import NamedTuple

from core.accounts import SOCKET_ENGINE
from core.kinds import Kinds
from core.outage import ends, is_over
from core.records import Answer, Clock, OutageBegan, OutageEnded, ProbeStarted, Summary
from core.stays import Outage

LATE = 0.05
_SINCE = attrgetter("t_ns")


class Second(NamedTuple):
    """One second of a vantage, up to `t_ns`: heartbeats and fresh SYNs, sent and answered; SYNs that were refused.

    `skipped`: heartbeats that were due and not sent, because the probe itself was late.
    """

    t_ns: int
    sent: int
    answered: int
    syn_sent: int
    syn_answered: int
    syn_refused: int
    skipped: int = 0

    @property
    def late(self) -> bool:
        """Whether the probe was too late in it to tell a short silence from its own."""
        return self.skipped > LATE * (self.sent + self.skipped)

    @property
    def lost(self) -> float:
        """The share of heartbeats without an answer; those on their way at either end of the second even out."""
        return 1 - min(1.0, self.answered / self.sent) if self.sent else 0.0


@dataclass
class Quiet:
    """One vantage: its outages of new connections, its seconds, and which server answers which slot.

    `asked`: silences of the session on an ordinary socket, whose questions the application itself answers, beside
    sessions whose heartbeats the kernel at the far end may answer. `held`: those of all sessions, where all are on
    ordinary sockets. Both with their slots.
    """

    new: list[Outage] = field(default_factory=list)
    asked: list[tuple[int, Outage]] = field(default_factory=list)
    held: list[tuple[int, Outage]] = field(default_factory=list)
    seconds: list[Second] = field(default_factory=list)
    servers: defaultdict[int, list[tuple[int, str]]] = field(default_factory=lambda: defaultdict(list))

    def between(self, from_ns: int, until_ns: int) -> Sequence[Second]:
        """Return the seconds that lie wholly between two instants."""
        first = bisect_right(self.seconds, from_ns + 1_000_000_000, key=_SINCE)
        return self.seconds[first : bisect_left(self.seconds, until_ns, key=_SINCE)]

    def late(self, from_ns: int, until_ns: int) -> int:
        """Return in how many of the seconds that two instants lie in, and those between, the probe was late."""
        first = bisect_left(self.seconds, from_ns, key=_SINCE)
        last = bisect_left(self.seconds, until_ns, key=_SINCE)
        return sum(second.late for second in self.seconds[first : last + 1])

    def server(self, slot: int, t_ns: int) -> str:
        """Return which server answered a slot last at `t_ns`; '' where none is known."""
        known = self.servers.get(slot, [])
        number = bisect_right(known, t_ns, key=lambda each: each[0])
        return known[number - 1][1] if number else ""


def gather_quiet(kinds: Kinds) -> dict[str, Quiet]:
    """Return what each vantage's records tell. The order of the records does not matter."""
    found: defaultdict[str, Quiet] = defaultdict(Quiet)
    totals: dict[tuple[str, int], Second] = {}
    for summary in kinds.of(Summary):
        # A second has one summary for each place that answers; SYNs are counted in one of them.
        before = totals.get((summary.vantage, summary.t_ns), Second(summary.t_ns, 0, 0, 0, 0, 0))
        totals[summary.vantage, summary.t_ns] = Second(
            summary.t_ns,
            before.sent + summary.sent,
            before.answered + summary.answered,
            before.syn_sent + summary.syn_sent,
            before.syn_answered + summary.syn_answered,
            before.syn_refused + summary.syn_refused,
            before.skipped + summary.skipped,
        )
    for (vantage, _), second in sorted(totals.items()):
        found[vantage].seconds.append(second)
    for answer in sorted(kinds.of(Answer), key=lambda each: (each.t_ns, repr(each))):
        if answer.slot >= 0 and answer.server:
            found[answer.vantage].servers[answer.slot].append((answer.t_ns, answer.server))
    for vantage, _, gap in _gaps(kinds, Clock.NEW_CONNECTIONS):
        found[vantage].new.append(gap)
    by_sockets = {started.vantage for started in kinds.of(ProbeStarted) if started.engine == SOCKET_ENGINE}
    for vantage, slot, gap in _gaps(kinds, Clock.HELD_KERNEL):
        (found[vantage].held if vantage in by_sockets else found[vantage].asked).append((slot, gap))
    return dict(found)


def _gaps(kinds: Kinds, clock: Clock) -> Iterator[tuple[str, int, Outage]]:
    """Yield (vantage, slot, outage of a clock); one that lasts has no end."""
    open_since: dict[tuple[str, int], int] = {}
    ended: defaultdict[tuple[str, int], int] = defaultdict(int)
    told: list[OutageBegan | OutageEnded] = [*kinds.of(OutageBegan), *kinds.of(OutageEnded)]
    for record in sorted(told, key=lambda each: (each.t_ns, repr(each))):
        if record.clock is not clock:
            continue
        where = record.vantage, record.slot
        if isinstance(record, OutageBegan):
            if not is_over(record, ended[where]):
                open_since[where] = record.last_sent_ns
            continue
        ended[where] = record.s_a_ns
        if ends(record, open_since.get(where)):
            open_since.pop(where, None)
        if not record.self_inflicted:
            yield *where, Outage(record.s_a_ns, record.r_b_ns, record.s_b1_ns)
    for where, since_ns in open_since.items():
        yield *where, Outage(since_ns, None, since_ns)
