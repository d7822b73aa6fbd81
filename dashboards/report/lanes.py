"""Lanes: who answered each vantage's sessions over any stretch of a run, from the records of the sessions themselves.

The records of one vantage become changes of the number of sessions by who answers them, once for the run; each picture
is cut out of those. A column of a picture shows the worst moment inside it, so that no outage is too short to be seen.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from core.inventory import Inventory
from core.outage import interval
from core.records import Answer, Clock, Drop, Opened, OutageBegan, OutageEnded, ProbeStopped, Record, Summary
from dashboards.report.view import NO_ANSWER, NO_TELEMETRY, Gap, Lane, Span, Who

FRESH_NS = 2_500_000_000
"""Longer without a summary is a time of which nothing is known (as `core.events`)."""
COLUMNS = 480
MARK_EVERY = 4096
TRACED_AGAIN_NS = 5_000_000_000
FEW = 0.004
"""A smaller share of the sessions than this is not worth a rectangle of its own, unless it is without an answer."""


def label(site: str, node: str, pool: str) -> str:
    """Return who answers in a few characters, as the table on the terminal has it."""
    return node or site or pool or "not known"


def palette(records: Iterable[Record], inventory: Inventory) -> tuple[Who, ...]:
    """Return everybody who answers in a run, in the order of the inventory; what it does not know comes last."""
    seen = {(record.site, record.node, record.nat_pool) for record in records if type(record) is Answer}
    labels = {label(*key): key[0] for key in sorted(seen)}
    sites = list(inventory.sites)
    nodes = {node.name: at for site in inventory.sites.values() for at, node in enumerate(site.nodes)}
    found = [
        Who(name, site, sites.index(site) if site in sites else len(sites), nodes.get(name, -1))
        for name, site in labels.items()
    ]
    return tuple(sorted(found, key=lambda who: (who.hue, who.pattern < 0, who.pattern, who.label)))


@dataclass(frozen=True, slots=True)
class Changes:
    """One vantage: instants in order, and what changes then: from which label to which ('' is no session)."""

    vantage: str
    sessions: int
    instants: tuple[int, ...]
    moves: tuple[tuple[str, str], ...]
    outages: tuple[OutageEnded, ...]
    untold: tuple[tuple[int, int], ...]
    marks: tuple[dict[str, int], ...]

    def counts(self, number: int) -> Counter[str]:
        """Return the sessions by label after the first `number` moves."""
        counts = Counter(self.marks[number // MARK_EVERY])
        for before, after in self.moves[number // MARK_EVERY * MARK_EVERY : number]:
            counts[before] -= 1
            counts[after] += 1
        return counts


def _marks(moves: Sequence[tuple[str, str]]) -> tuple[dict[str, int], ...]:
    """Return the sessions by label before each `MARK_EVERY` moves: a picture need not begin at the run's beginning."""
    counts: Counter[str] = Counter()
    marks = []
    for number, (before, after) in enumerate(moves):
        if number % MARK_EVERY == 0:
            marks.append(dict(counts))
        counts[before] -= 1
        counts[after] += 1
    if len(moves) % MARK_EVERY == 0:
        marks.append(dict(counts))
    return tuple(marks)


def gather(records: Sequence[Record], inventory: Inventory, begin_ns: int, end_ns: int) -> tuple[Changes, ...]:
    """Return the changes of each vantage of the inventory; `records` are in order of time."""
    mine: dict[str, list[Record]] = {name: [] for name in inventory.vantages}
    for record in records:
        if type(record) in _TOLD and record.vantage in mine:  # type: ignore[union-attr]
            mine[record.vantage].append(record)  # type: ignore[union-attr]
    return tuple(
        _vantage(name, inventory.vantages[name].sessions, told, begin_ns, end_ns) for name, told in mine.items()
    )


_TOLD = frozenset({Opened, Answer, Drop, OutageBegan, OutageEnded, Summary, ProbeStopped})


def _vantage(name: str, sessions: int, told: Sequence[Record], begin_ns: int, end_ns: int) -> Changes:
    slots: defaultdict[int, list[tuple[int, str | int]]] = defaultdict(list)
    open_since: dict[int, int] = {}
    last: dict[int, tuple[int, Answer]] = {}
    outages, seconds, stopped_ns = [], [], end_ns
    for record in told:
        match record:
            case Summary():
                seconds.append(record.t_ns)
            case ProbeStopped():
                stopped_ns = record.t_ns
            case OutageBegan() if record.slot >= 0:
                open_since[record.slot] = record.last_sent_ns
            case OutageEnded() if record.slot >= 0:
                open_since.pop(record.slot, None)
                if not record.self_inflicted:
                    slots[record.slot] += [(record.s_a1_ns, 1), (record.s_b_ns, -1)]
                    outages.append(record)
            case Answer() if record.slot >= 0:
                _answered(slots[record.slot], record, last)
            case Opened() | Drop() if record.slot >= 0 and not record.held_kernel:
                slots[record.slot].append((record.t_ns, NO_ANSWER))
            case _:
                pass
    for slot, since_ns in open_since.items():
        slots[slot] += [(since_ns, 1), (end_ns, -1)]
    found = sorted(move for changes in slots.values() for move in _moves(changes))
    moves = tuple((before, after) for _, before, after in found)
    told_ns = [*seconds, stopped_ns] if seconds else [begin_ns, end_ns]
    untold = [(before, after) for before, after in pairwise(told_ns) if after - before > FRESH_NS]
    return Changes(
        name,
        max(sessions, len(slots)),
        tuple(t_ns for t_ns, _, _ in found),
        moves,
        tuple(outages),
        tuple(untold),
        _marks(moves),
    )


def _answered(changes: list[tuple[int, str | int]], answer: Answer, last: dict[int, tuple[int, Answer]]) -> None:
    """Note an answer. What becomes known of the same session's same pool later was so from the beginning."""
    shown = label(answer.site, answer.node, answer.nat_pool)
    at, before = last.get(answer.slot, (-1, answer))
    same = at >= 0 and before.session == answer.session and before.node == ""
    if same and before.nat_pool in ("", answer.nat_pool) and before.site in ("", answer.site):
        changes[at] = (changes[at][0], shown)
    else:
        survived = at >= 0 and before.session == answer.session
        at = len(changes)
        changes.append((_since_ns(changes, answer.t_ns) if survived else answer.t_ns, shown))
    last[answer.slot] = at, answer


def _since_ns(changes: Sequence[tuple[int, str | int]], t_ns: int) -> int:
    """Return from when an answer is shown that became known at `t_ns` of a session that survived.

    After an outage the path is traced again within seconds: what that tells is shown from the outage's end on.
    """
    if changes and changes[-1][1] == -1 and t_ns - changes[-1][0] < TRACED_AGAIN_NS:
        return changes[-1][0]
    return t_ns


def _moves(changes: list[tuple[int, str | int]]) -> list[tuple[int, str, str]]:
    """Return one slot's moves as (instant, from, to); inside an outage nobody answers, whoever did before."""
    changes.sort(key=lambda change: change[0])
    found = []
    answered, silent, shown = "", 0, ""
    for t_ns, what in changes:
        if isinstance(what, int):
            silent += what
        elif what != NO_ANSWER or answered:  # a slot that was never answered has not begun
            answered = what
        now = NO_ANSWER if silent > 0 and answered else answered
        if now != shown:
            found.append((t_ns, shown, now))
            shown = now
    return found


def lane(changes: Changes, from_ns: int, until_ns: int, zero_ns: int, gaps: Sequence[Gap] = ()) -> Lane:
    """Return one vantage's lane; its seconds count from `zero_ns`."""
    first = bisect_left(changes.instants, from_ns)
    last = bisect_right(changes.instants, until_ns)
    counts = changes.counts(first)
    width_ns = max(1, (until_ns - from_ns) // COLUMNS)
    columns = []
    at = first
    for column in range(COLUMNS):
        end_ns = from_ns + (column + 1) * width_ns if column < COLUMNS - 1 else until_ns + 1
        worst = dict(counts)
        while at < last and changes.instants[at] < end_ns:
            before, after = changes.moves[at]
            counts[before] -= 1
            counts[after] += 1
            at += 1
            if counts[NO_ANSWER] > worst.get(NO_ANSWER, 0):
                worst = dict(counts)
        if worst.get(NO_ANSWER, 0) <= counts[NO_ANSWER]:
            worst = dict(counts)
        columns.append(_parts(worst, changes.sessions))
    starts = [from_ns + column * width_ns for column in range(COLUMNS)] + [until_ns]
    spans = _spans(columns, starts, zero_ns)
    return Lane(changes.vantage, _untold(spans, changes.untold, zero_ns, from_ns, until_ns), tuple(gaps))


def _parts(counts: dict[str, int], sessions: int) -> tuple[tuple[str, float], ...]:
    """Return shares of all sessions; those not opened yet are left out, which leaves the lane empty there."""
    return tuple(
        (name, count / sessions)
        for name, count in sorted(counts.items())
        if name and count > 0 and (name == NO_ANSWER or count / sessions >= FEW)
    )


def _spans(columns: Sequence[tuple[tuple[str, float], ...]], starts: Sequence[int], zero_ns: int) -> list[Span]:
    spans: list[Span] = []
    begun = 0
    for column in range(1, len(columns) + 1):
        if column == len(columns) or columns[column] != columns[begun]:
            if columns[begun]:
                spans.append(Span((starts[begun] - zero_ns) / 1e9, (starts[column] - zero_ns) / 1e9, columns[begun]))
            begun = column
    return spans


def _untold(
    spans: Sequence[Span], untold: Sequence[tuple[int, int]], zero_ns: int, from_ns: int, until_ns: int
) -> tuple[Span, ...]:
    """Cut the times without telemetry out of the spans, and put what they are in their place."""
    found = list(spans)
    for begin_ns, end_ns in untold:
        low, high = (max(begin_ns, from_ns) - zero_ns) / 1e9, (min(end_ns, until_ns) - zero_ns) / 1e9
        if low >= high:
            continue
        kept = []
        for span in found:
            if span.from_s < low:
                kept.append(Span(span.from_s, min(span.until_s, low), span.parts))
            if span.until_s > high:
                kept.append(Span(max(span.from_s, high), span.until_s, span.parts))
        found = [*kept, Span(low, high, ((NO_TELEMETRY, 1.0),))]
    return tuple(sorted(found, key=lambda span: span.from_s))


def worst_gap(changes: Changes, from_ns: int, until_ns: int, zero_ns: int) -> tuple[Gap, ...]:
    """Return the data-plane outage with the largest upper bound that ended in a stretch of time, or none."""
    inside = [
        outage
        for outage in changes.outages
        if outage.clock is not Clock.NEW_CONNECTIONS and from_ns <= outage.s_b_ns <= until_ns
    ]
    if not inside:
        return ()
    bounds, worst = max(((interval(outage), outage) for outage in inside), key=lambda pair: pair[0].upper_ns)
    return (
        Gap(
            (worst.s_a_ns - zero_ns) / 1e9,
            (worst.s_a1_ns - zero_ns) / 1e9,
            (worst.s_b1_ns - zero_ns) / 1e9,
            (worst.s_b_ns - zero_ns) / 1e9,
            bounds.lower_ns / 1e9,
            bounds.upper_ns / 1e9,
            len({outage.slot for outage in inside}),
        ),
    )
