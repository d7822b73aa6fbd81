"""Path traces inside held sessions: copies of a session's own heartbeat with a small TTL, and who answers them.

The copies have the session's own addresses and ports, so a router that balances by flow sends them the session's way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from core.inventory import Address, Inventory
from core.records import PathTraced, Record
from core.tcp.segments import Flag, Segment, add
from probe.ring.answers import Answers
from probe.ring.held import Held

HOPS = 4
TAKES_NS = 300_000_000
WINDOW = 65_535
MOST_PATHS = 60_000


@dataclass
class Trace:
    """One under way: when it began, its number in the marks, its copies' seq, and the routers that answered by TTL."""

    began_ns: int
    number: int
    seq: int
    hops: dict[int, Address] = field(default_factory=dict)


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

    def begin(self, slot: int, answered: int, now_ns: int) -> None:
        """Send the copies of a held session's heartbeat.

        They carry the attempt that was `answered` last: a far end that one of them reaches echoes the newest that it
        has seen, so a copy never answers for an attempt that was lost.
        """
        held = self._held
        held.traced_ns[slot] = now_ns
        if slot in self._open or not answered:
            return
        self._number = self._number % 0xFFE + 1
        seq = add(int(held.snd_una[slot]), -1)
        self._open[slot] = Trace(now_ns, self._number, seq)
        stamps = (answered, int(held.ts_recent[slot])) if held.stamped[slot] else (None, None)
        copy = Segment(seq, int(held.rcv_nxt[slot]), Flag.ACK, WINDOW, b"\0", *stamps)
        for ttl in range(1, HOPS + 1):
            self._transmit(slot, copy, ttl, self._number << 4 | ttl)

    def forget(self, slot: int) -> None:
        """The session is new: its path is not known."""
        self._open.pop(slot, None)
        self._path[slot] = 0

    def under_way(self, slot: int, mark: int, seq: int) -> bool:
        """Return whether a packet with this mark and sequence number is a copy of the slot's present trace."""
        trace = self._open.get(slot)
        return trace is not None and trace.seq == seq and mark >> 4 == trace.number and 1 <= mark & 0xF <= HOPS

    def time_exceeded(self, slot: int, router: Address, mark: int, now_ns: int) -> list[Record]:
        """Take in who answered a copy that is `under_way`; the trace ends early when a node has shown itself."""
        trace = self._open[slot]
        trace.hops[mark & 0xF] = router
        known = [ttl for ttl, hop in trace.hops.items() if self._inventory.node_of_address(hop)]
        if not known or any(ttl not in trace.hops for ttl in range(1, min(known))):
            return []
        del self._open[slot]
        return self._ended(slot, trace, now_ns)

    def step(self, now_ns: int) -> list[Record]:
        """Close the traces that have had their time."""
        records: list[Record] = []
        while self._open:
            slot, trace = next(iter(self._open.items()))
            if now_ns - trace.began_ns < TAKES_NS:
                break
            del self._open[slot]
            records += self._ended(slot, trace, now_ns)
        return records

    def _ended(self, slot: int, trace: Trace, now_ns: int) -> list[Record]:
        hops: list[str] = []
        node = ""
        for ttl in range(1, max(trace.hops, default=0) + 1):
            hop = trace.hops.get(ttl)
            hops.append(str(hop) if hop else "")
            found = self._inventory.node_of_address(hop) if hop else None
            if found:
                node = found.name
                break
        records: list[Record] = []
        path = tuple(hops)
        if path != self._paths[self._path[slot]]:
            if path not in self._number_of and len(self._paths) < MOST_PATHS:
                self._number_of[path] = len(self._paths)
                self._paths.append(path)
            self._path[slot] = self._number_of.get(path, 0)
            records.append(PathTraced(now_ns, self._vantage, slot, self._answers.session_name(slot), path))
        return records + (self._answers.through(slot, node, now_ns) if node else [])
