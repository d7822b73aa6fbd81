"""Where each slot's answers came from, and for how long: one vantage's records brought together. Names nothing."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress, pairwise
from operator import attrgetter, eq, itemgetter, le
from typing import NamedTuple, TypeVar

from core.inventory import Inventory
from core.kinds import Kinds
from core.outage import SHORT_LIFE_NS, is_over
from core.path_records import NodesSeen, PathTraced
from core.records import (
    Answer,
    Clock,
    Drop,
    DropCause,
    OutageBegan,
    OutageEnded,
)

NO_POOL = "no pool"
"""Stands for the pool of an address that no pool of the inventory holds."""
T = TypeVar("T", OutageBegan, OutageEnded, Drop, Answer, PathTraced, NodesSeen)


class Stay(NamedTuple):
    """A slot was answered from one place from `since_ns` on; '' is not known. `site` is the node's where that is."""

    slot: int
    session: str
    site: str
    node: str
    pool: str
    since_ns: int


@dataclass(frozen=True, slots=True)
class Outage:
    """A gap in a slot's answers: from its last answered attempt; its end, None while it lasts; s(b-1)."""

    from_ns: int
    until_ns: int | None
    last_lost_ns: int


_FOREVER_NS = 1 << 63


def _until(gap: Outage) -> int:
    return _FOREVER_NS if gap.until_ns is None else gap.until_ns


_AT, _SINCE, _INSTANT = attrgetter("t_ns"), attrgetter("since_ns"), itemgetter(0)


@dataclass
class SlotHistory:
    """What one slot has lived through, each list in order of time; outages by their end, one that lasts is last.

    `dropped_ns`: when each session was dropped first; `resets_ns`: when one was reset; `ends_ns`: those of the outages.
    """

    stays: list[Stay] = field(default_factory=list)
    paths: list[PathTraced] = field(default_factory=list)
    drops: list[Drop] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)
    open_since_ns: int | None = None
    ended_s_a_ns: int = 0
    dropped_ns: dict[str, int] = field(default_factory=dict)
    resets_ns: list[int] = field(default_factory=list)
    ends_ns: list[int] = field(default_factory=list)

    def at(self, t_ns: int) -> Stay | None:
        """Return where the slot was answered from at `t_ns`; None where its session had been dropped by then."""
        number = bisect_right(self.stays, t_ns, key=_SINCE)
        if not number:
            return None
        stay = self.stays[number - 1]
        dropped_ns = self.dropped_ns.get(stay.session)
        return stay if dropped_ns is None or dropped_ns > t_ns else None

    def had_outage(self, after_ns: int, until_ns: int) -> bool:
        """Whether an outage ended, or still lasted, between two instants."""
        for gap in self.outages[bisect_right(self.ends_ns, after_ns) :]:
            if gap.until_ns is not None and gap.until_ns > until_ns:
                break
            if gap.from_ns < until_ns:
                return True
        last = self.outages[-1] if self.outages else None
        return last is not None and last.until_ns is None and last.from_ns < until_ns

    def was_reset(self, from_ns: int, until_ns: int) -> bool:
        """Whether a session was reset between two instants, both included."""
        first = bisect_left(self.resets_ns, from_ns)
        return first < len(self.resets_ns) and self.resets_ns[first] <= until_ns


@dataclass
class History:
    """One vantage: its slots, and which nodes its path traces have shown (instant, counts by node)."""

    slots: defaultdict[int, SlotHistory] = field(default_factory=lambda: defaultdict(SlotHistory))
    seen: list[tuple[int, Mapping[str, int]]] = field(default_factory=list)

    def saw(self, nodes: frozenset[str], after_ns: int, until_ns: int) -> bool:
        """Whether a path trace of an answered session has shown one of `nodes` after one instant, before another."""
        first = bisect_right(self.seen, after_ns, key=_INSTANT)
        last = bisect_left(self.seen, until_ns, key=_INSTANT)
        return any(nodes & counts.keys() for _, counts in self.seen[first:last])


def lasting(slot: SlotHistory, end_ns: int) -> Iterator[tuple[Stay, int]]:
    """Yield each stay of a slot with when it ended: at the next, at the drop of its session, or at `end_ns`."""
    following = [stay.since_ns for stay in slot.stays[1:]]
    for stay, until_ns in zip(slot.stays, [*following, end_ns], strict=True) if slot.stays else ():
        dropped_ns = slot.dropped_ns.get(stay.session, until_ns)
        if dropped_ns < stay.since_ns:  # answers that came after it: it is the next drop of the session, if any
            mine = (drop.t_ns for drop in slot.drops if drop.session == stay.session)
            dropped_ns = min((t_ns for t_ns in mine if t_ns >= stay.since_ns), default=until_ns)
        yield stay, min(until_ns, dropped_ns)


def gather(kinds: Kinds) -> dict[str, History]:
    """Return the history of each vantage. The order of the records does not matter, nor that of equal instants."""
    found: defaultdict[str, History] = defaultdict(History)
    for answer in _in_order(kinds.of(Answer)):
        if answer.slot >= 0:
            _stay(found[answer.vantage].slots[answer.slot].stays, answer)
    for path in _in_order(kinds.of(PathTraced)):
        if path.slot >= 0:
            found[path.vantage].slots[path.slot].paths.append(path)
    for drop in _in_order(kinds.of(Drop)):
        if drop.slot >= 0 and not drop.held_kernel:
            slot = found[drop.vantage].slots[drop.slot]
            slot.drops.append(drop)
            slot.dropped_ns.setdefault(drop.session, drop.t_ns)
            if drop.cause is DropCause.RESET:
                slot.resets_ns.append(drop.t_ns)
    for seen in _in_order(kinds.of(NodesSeen)):
        found[seen.vantage].seen.append((seen.t_ns, dict(seen.nodes)))
    for outage in _outages(kinds):
        _outage(found[outage.vantage].slots[outage.slot], outage)
    for history in found.values():
        history.slots = defaultdict(SlotHistory, sorted(history.slots.items()))
        for slot in history.slots.values():
            slot.outages.sort(key=_until)
            if slot.open_since_ns is not None:
                slot.outages.append(Outage(slot.open_since_ns, None, slot.open_since_ns))
            slot.ends_ns = list(map(_until, slot.outages))
    return dict(found)


def _in_order(told: Sequence[T]) -> Sequence[T]:
    """Return records of one kind by instant; those of one slot and instant, which are rare, by what they say."""
    instants = [record.t_ns for record in told]
    if not all(map(le, instants, instants[1:])):
        told = sorted(told, key=_AT)
        instants.sort()
    equal = list(compress(range(len(instants)), map(eq, instants, instants[1:])))
    shared = {number + more for number in equal for more in (0, 1)}
    if len({(told[at].vantage, getattr(told[at], "slot", 0), instants[at]) for at in shared}) == len(shared):
        return told
    return sorted(told, key=lambda record: (record.t_ns, repr(record)))


def _outages(kinds: Kinds) -> list[OutageBegan | OutageEnded]:
    """Return begins and ends of data-plane outages by instant; what begins at the instant of an end comes first."""
    both: list[OutageBegan | OutageEnded] = [
        *_in_order(kinds.of(OutageBegan)),
        *_in_order(kinds.of(OutageEnded)),
    ]
    mine = [outage for outage in both if outage.clock is Clock.DATA_PLANE and outage.slot >= 0]
    return sorted(mine, key=attrgetter("t_ns"))


def _outage(slot: SlotHistory, outage: OutageBegan | OutageEnded) -> None:
    if isinstance(outage, OutageBegan):
        if not is_over(outage, slot.ended_s_a_ns):
            slot.open_since_ns = outage.last_sent_ns
        return
    slot.open_since_ns, slot.ended_s_a_ns = None, outage.s_a_ns
    if not outage.self_inflicted:
        slot.outages.append(Outage(outage.s_a_ns, outage.r_b_ns, outage.s_b1_ns))


def _stay(stays: list[Stay], answer: Answer) -> None:
    """Begin a stay, or complete the last one: what becomes known of the same session's same pool is no change."""
    pool = answer.nat_pool or (NO_POOL if answer.nat_address else "")
    since_ns = answer.t_ns
    if stays and stays[-1].session == answer.session:
        last = stays[-1]
        if last.node == answer.node and last.pool == pool and last.site == answer.site:
            return
        if last.node in ("", answer.node) and last.pool in ("", pool):
            since_ns = stays.pop().since_ns
    stays.append(Stay(answer.slot, answer.session, answer.site, answer.node, pool, since_ns))


def returns(stays: Sequence[Stay]) -> dict[str, list[int]]:
    """Return by session the instants at which its answers came back to a place that they had left."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    left: defaultdict[str, set[tuple[str, str, str]]] = defaultdict(set)
    for before, after in pairwise(stays):
        if before.session == after.session:
            left[before.session].add((before.site, before.node, before.pool))
            if (after.site, after.node, after.pool) in left[after.session]:
                found[after.session].append(after.since_ns)
    return dict(found)


def short_lives(drops: Sequence[Drop]) -> list[list[Drop]]:
    """Return the runs of drops in a row of sessions that were reset as soon as they were open."""
    runs: list[list[Drop]] = []
    goes_on = False
    for drop in drops:
        short = drop.cause is DropCause.RESET and drop.age_ns < SHORT_LIFE_NS
        if short and goes_on:
            runs[-1].append(drop)
        elif short:
            runs.append([drop])
        goes_on = short
    return runs


def shown(path: PathTraced, inventory: Inventory) -> tuple[frozenset[str], frozenset[str]]:
    """Return which (nodes, sites) a path trace has shown."""
    by_address = {
        str(address): (node.name, site.name)
        for site in inventory.sites.values()
        for node in site.nodes
        for address in node.addresses
    }
    found = [by_address[hop] for hop in (*path.hops, *(hop for _, hop in path.also)) if hop in by_address]
    return frozenset(node for node, _ in found), frozenset(site for _, site in found)
