"""Who answers each slot: site, NAT pool, node and server, each known answer kept once and named by a number."""

from __future__ import annotations

from dataclasses import replace

from core.inventory import Inventory
from core.records import Answer, KnownBy, Record
from probe.ring.held import Held
from probe.service import Seen

MOST = 60_000
UNKNOWN = Answer(0, "", 0, "", "", "", "", "", "", KnownBy.UNKNOWN)


class Answers:
    """The answer of every slot, as a number in `held.answer`; 0 is nobody known."""

    def __init__(self, inventory: Inventory, vantage: str, held: Held) -> None:
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
        """Take in what the service told; return the changed answer."""
        site = self._inventory.site_of_nat_address(seen.client) if seen.client else None
        told = self._inventory.sites.get(seen.site)
        before = self.known[self._held.answer[slot]]
        answer = replace(
            before,
            site=(site or told).name if site or told else "",  # type: ignore[union-attr]
            nat_pool=site.nat_pool.name if site else "",
            nat_address=str(seen.client or ""),
            server=seen.server,
        )
        return self._is(slot, answer, now_ns)

    def through(self, slot: int, node: str, now_ns: int) -> list[Record]:
        """Take in which node the flow's own path showed; return the changed answer."""
        before = self.known[self._held.answer[slot]]
        site = before.site or next(
            (s.name for s in self._inventory.sites.values() for n in s.nodes if n.name == node), ""
        )
        return self._is(slot, replace(before, site=site, node=node, node_known_by=KnownBy.FLOW), now_ns)

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
        if not answer.site:
            return []
        # What was received earlier may be read later; who answers is told in the order in which it was learnt.
        self._told_ns = max(self._told_ns, now_ns)
        return [replace(answer, t_ns=self._told_ns, vantage=self._vantage, slot=slot, session=self.session_name(slot))]
