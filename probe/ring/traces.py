"""Path traces inside held sessions: copies of a session's own heartbeat with a small TTL, and who answers them.

The copies have the session's own addresses and ports, so a router that balances by flow sends them the session's way.
A closer look sends each copy twice: a router that balances packet by packet sends the two different ways.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

import numpy as np

from core.inventory import Address, Inventory
from core.path_records import NodesSeen, PathTraced
from core.records import Record
from core.tcp.segments import Flag, Segment, add
from probe.ring.answers import Answers
from probe.ring.held import Held

HOPS = 4
TAKES_NS = 300_000_000
WINDOW = 65_535
MOST_PATHS = 60_000
CLOSER_AT_ONCE = 5
"""So many sessions whose path changed are looked at again, closer, at a time: was it a change, or do packets differ?"""


@dataclass
class Trace:
    """One under way: when it began, its number in the marks, its copies' seq; by TTL the routers as they answered."""

    began_ns: int
    number: int
    seq: int
    closer: bool
    silent: bool
    hops: dict[int, list[Address]] = field(default_factory=dict)

    def sent(self, mark: int) -> bool:
        """Return whether one of its copies has this mark."""
        return mark >> 4 == self.number and 1 <= mark & 0xF <= HOPS


class Traces:
    """The traces of a vantage. `transmit(slot, segment, ttl, mark)` sends."""

    def __init__(
        self,
        inventory: Inventory,
        vantage: str,
        held: Held,
        answers: Answers,
        transmit: Callable[[int, Segment, int, int], None],
    ) -> None:
        self._inventory = inventory
        self._vantage = vantage
        self._held = held
        self._answers = answers
        self._transmit = transmit
        self._open: dict[int, Trace] = {}
        self._number = 0
        self._paths: list[tuple[str, ...]] = [()]
        self._number_of: dict[tuple[str, ...], int] = {}
        self._path = np.zeros(held.count, np.uint16)
        self._closer: set[int] = set()
        self._seen: Counter[str] = Counter()
        self._found: list[Record] = []

    def begin(self, slot: int, answered: int, now_ns: int, *, silent: bool = False, closer: bool = False) -> None:
        """Send the copies of a held session's heartbeat; a trace that is under way has had its time.

        They carry the attempt that was `answered` last: a far end that one of them reaches echoes the newest that it
        has seen, so a copy never answers for an attempt that was lost. `silent`: the session is not answered now.
        """
        held = self._held
        held.traced_ns[slot] = now_ns
        before = self._open.pop(slot, None)
        if before is not None and before.silent:
            self._found += self._path_of(slot, before, now_ns)
        if not answered:
            return
        closer = closer or silent or slot in self._closer
        self._closer.discard(slot)
        self._number = self._number % 0xFFE + 1
        seq = add(int(held.snd_una[slot]), -1)
        self._open[slot] = Trace(now_ns, self._number, seq, closer, silent)
        stamps = (answered, int(held.ts_recent[slot])) if held.stamped[slot] else (None, None)
        copy = Segment(seq, int(held.rcv_nxt[slot]), Flag.ACK, WINDOW, b"\0", *stamps)
        for ttl in range(1, HOPS + 1):
            for _ in range(2 if closer else 1):
                self._transmit(slot, copy, ttl, self._number << 4 | ttl)

    def end(self, slot: int, now_ns: int) -> list[Record]:
        """The slot gets a new session: what the last trace of the old one has seen is all that it will see."""
        trace = self._open.pop(slot, None)
        records = self._path_of(slot, trace, now_ns) if trace is not None else []
        self._path[slot] = 0
        self._closer.discard(slot)
        return records

    def under_way(self, slot: int, mark: int, seq: int) -> bool:
        """Return whether a packet with this mark and sequence number is a copy of the slot's present trace."""
        trace = self._open.get(slot)
        return trace is not None and trace.seq == seq and trace.sent(mark)

    def time_exceeded(self, slot: int, router: Address, mark: int, now_ns: int) -> list[Record]:
        """Take in who answered a copy; the trace ends early when a node has shown itself, unless it looks closer."""
        trace = self._open.get(slot)
        if trace is None or not trace.sent(mark):
            return []
        routers = trace.hops.setdefault(mark & 0xF, [])
        if router not in routers:
            routers.append(router)
        known = [ttl for ttl, hops in trace.hops.items() if self._inventory.node_of_address(hops[0])]
        if trace.closer or not known or any(ttl not in trace.hops for ttl in range(1, min(known))):
            return []
        del self._open[slot]
        return self._ended(slot, trace, now_ns)

    def step(self, now_ns: int) -> list[Record]:
        """Close the traces that have had their time."""
        records, self._found = self._found, []
        while self._open:
            slot, trace = next(iter(self._open.items()))
            if now_ns - trace.began_ns < TAKES_NS:
                break
            del self._open[slot]
            records += self._ended(slot, trace, now_ns)
        return records

    def seen(self, now_ns: int) -> list[Record]:
        """Return which nodes the traces since the last call have shown."""
        seen, self._seen = self._seen, Counter()
        return [NodesSeen(now_ns, self._vantage, tuple(sorted(seen.items())))] if seen else []

    def _ended(self, slot: int, trace: Trace, now_ns: int) -> list[Record]:
        """Return the path if it is news, and the changed answer if it shows one node and the session is answered."""
        records = self._path_of(slot, trace, now_ns)
        shown = [self._inventory.node_of_address(hop) for hops in trace.hops.values() for hop in hops]
        nodes = {node.name for node in shown if node is not None}
        if trace.silent or len(nodes) != 1:
            return records
        (node,) = nodes
        self._seen[node] += 1
        return records + self._answers.through(slot, node, now_ns)

    def _path_of(self, slot: int, trace: Trace, now_ns: int) -> list[Record]:
        hops: list[str] = []
        for ttl in range(1, max(trace.hops, default=0) + 1):
            found = trace.hops.get(ttl, [])
            hops.append(str(found[0]) if found else "")
            if found and self._inventory.node_of_address(found[0]):
                break
        also = tuple((ttl, str(hop)) for ttl, found in sorted(trace.hops.items()) for hop in found[1:])
        path, before = tuple(hops), self._paths[self._path[slot]]
        if trace.silent:
            return [self._traced(trace.began_ns, slot, path, also, silent=True)]
        if also:
            return [self._traced(now_ns, slot, path, also)]
        if not _tells_more(path, before):
            return []
        if path not in self._number_of and len(self._paths) < MOST_PATHS:
            self._number_of[path] = len(self._paths)
            self._paths.append(path)
        self._path[slot] = self._number_of.get(path, 0)
        if before and len(self._closer) < CLOSER_AT_ONCE and not trace.closer:
            self._closer.add(slot)
            self._held.traced_ns[slot] = 0
        return [self._traced(now_ns, slot, path)]

    def _traced(
        self,
        t_ns: int,
        slot: int,
        path: tuple[str, ...],
        also: tuple[tuple[int, str], ...] = (),
        *,
        silent: bool = False,
    ) -> PathTraced:
        return PathTraced(t_ns, self._vantage, slot, self._answers.session_name(slot), path, also, silent)


def _tells_more(path: Sequence[str], before: Sequence[str]) -> bool:
    """Whether a router shows itself that did not before: one that keeps silent, for once or for good, tells nothing."""
    return any(hop and hop != known for hop, known in zip_longest(path, before, fillvalue=""))
