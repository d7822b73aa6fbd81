"""Who answers each slot: site, NAT pool, node and server, each known answer kept once and named by a number."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from core.inventory import Inventory
from core.records import Answer, KnownBy, Record
from probe.service import Seen

MOST = 60_000
UNKNOWN = Answer(0, "", 0, "", "", "", "", "", "", KnownBy.UNKNOWN)


class Slots(Protocol):
    """What an engine keeps of its slots: the number of each one's answer, how often it was restarted, path traced."""

    answer: NDArray[np.uint16]
    restarts: NDArray[np.int32]
    traced_ns: NDArray[np.int64]


class Answers:
    """The answer of every slot, as a number in `held.answer`; 0 is nobody known."""

    def __init__(self, inventory: Inventory, vantage: str, held: Slots) -> None:
        self._inventory = inventory
        self._vantage = vantage
        self._held = held
        self.known: list[Answer] = [UNKNOWN]
        self._number: dict[Answer, int] = {UNKNOWN: 0}
        self._told_ns = 0

    def session_name(self, slot: int) -> str:
        """Name of the slot's session in records: vantage, slot, and how often the slot was restarted."""
        return f"{self._vantage}-{slot}-{max(0, int(self._held.restarts[slot]))}"

    def forget(self, slot: int) -> None:
        """Nobody is known to answer: the session is new."""
        self._held.answer[slot] = 0

    def seen(self, slot: int, seen: Seen, now_ns: int) -> list[Record]:
        """Take in what the service told; return the changed answer.

        The site is the node's where the flow showed one. An address of another pool than before puts that in doubt:
        the node is not known until the path is traced again, which is then due at once.
        """
        by_pool = self._inventory.site_of_nat_address(seen.client) if seen.client else None
        told = self._inventory.sites.get(seen.site)
        before = self.known[self._held.answer[slot]]
        pool = by_pool.nat_pool.name if by_pool else ""
        known_by, node = before.node_known_by, before.node
        if before.nat_address and pool != before.nat_pool and node:
            known_by, node = KnownBy.UNKNOWN, ""
            self._held.traced_ns[slot] = 0
        site = (self._inventory.site_of_node(node) if node else None) or by_pool or told
        answer = replace(
            before,
            site=site.name if site else "",
            nat_pool=pool,
            nat_address=str(seen.client or ""),
            server=seen.server,
            node=node,
            node_known_by=known_by,
        )
        return self._is(slot, answer, now_ns)

    def through(self, slot: int, node: str, now_ns: int) -> list[Record]:
        """Take in which node the flow's own path showed; return the changed answer."""
        before = self.known[self._held.answer[slot]]
        site = self._inventory.site_of_node(node)
        name = site.name if site else before.site
        return self._is(slot, replace(before, site=name, node=node, node_known_by=KnownBy.FLOW), now_ns)

    def _is(self, slot: int, answer: Answer, now_ns: int) -> list[Record]:
        number = self._number.get(answer)
        if number is None:
            if len(self.known) >= MOST:
                return []
            number = self._number[answer] = len(self.known)
            self.known.append(answer)
        if number == self._held.answer[slot]:
            return []
        self._held.answer[slot] = number
        if not (answer.site or answer.nat_address):
            return []
        # What was received earlier may be read later; who answers is told in the order in which it was learnt.
        self._told_ns = max(self._told_ns, now_ns)
        return [replace(answer, t_ns=self._told_ns, vantage=self._vantage, slot=slot, session=self.session_name(slot))]
