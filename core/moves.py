"""Moves of a vantage's sessions from place to place, and what they are called: failover, re-hash, NAT pool changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from core.inventory import Inventory
from core.names import SHOWN, TOGETHER_NS, Change, Name, bursts
from core.stays import History, SlotHistory, Stay

SECOND_NS = 1_000_000_000
MANY = 5
"""Fewer sessions may all move by chance when flows are hashed anew: one in 2**4 of four, for two nodes."""
SITE_OR_POOL = "site or pool"


class Move(NamedTuple):
    """A slot's answers came from elsewhere than before. `what`: node, site, pool, or site or pool.

    `back`: it went to where the slot was answered first of all.
    """

    t_ns: int
    what: str
    before: Stay
    after: Stay
    back: bool
    outage: bool
    reset: bool

    @property
    def left(self) -> str:
        """The place it left: a node's, site's or pool's name."""
        return _place(self.what, self.before)

    @property
    def reached(self) -> str:
        """The place it went to."""
        return _place(self.what, self.after)


def moves(slot: SlotHistory) -> list[Move]:
    """Return the moves of one slot, in order of time."""
    found = []
    homes: dict[str, str] = {}
    for before, after in pairwise(slot.stays):
        differs = _what(before, after)
        if not differs:
            continue
        outage = bool(slot.outages) and slot.had_outage(before.since_ns, after.since_ns + SECOND_NS)
        reset = slot.was_reset(before.since_ns, after.since_ns)
        for what in differs:
            if what not in homes:
                homes[what] = next((place for stay in slot.stays if (place := _place(what, stay))), "")
            back = _place(what, after) == homes[what]
            found.append(Move(after.since_ns, what, before, after, back, outage, reset))
    return found


def _what(before: Stay, after: Stay) -> tuple[str, ...]:
    """Return what is proven to differ. Without the nodes, a pool tells the site only as far as it is that site's."""
    pools = bool(before.pool and after.pool and before.pool != after.pool)
    if before.node and after.node:
        if before.site != after.site:
            return ("site",)
        node = ("node",) if before.node != after.node else ()
        return (*node, "pool") if pools else node
    if pools:
        return (SITE_OR_POOL,)
    by_word = not (before.pool or after.pool or before.node or after.node) and before.site != after.site
    return ("site",) if by_word and before.site and after.site else ()


def _place(what: str, stay: Stay) -> str:
    return stay.node if what == "node" else stay.site if what == "site" else stay.pool


@dataclass(frozen=True, slots=True)
class Scene:
    """One vantage among all: a node that it has left may go on answering another one. `cuts` are in order.

    `end_ns` is the instant of the last record.
    """

    vantage: str
    histories: Mapping[str, History]
    inventory: Inventory
    cuts: Sequence[int]
    end_ns: int

    @property
    def history(self) -> History:
        """The vantage's own."""
        return self.histories[self.vantage]

    def known(self, t_ns: int) -> int:
        """Return how many slots have been answered until then."""
        return sum(bool(slot.stays) and slot.stays[0].since_ns <= t_ns for slot in self.history.slots.values())

    def stays(self, t_ns: int) -> list[Stay]:
        """Return where the living sessions are answered from then."""
        return [stay for slot in self.history.slots.values() if (stay := slot.at(t_ns)) is not None]

    def saw(self, nodes: frozenset[str], after_ns: int, until_ns: int) -> bool:
        """Whether this vantage's traces have shown one of `nodes` between two instants."""
        return self.history.saw(nodes, after_ns, until_ns)

    def others_saw(self, nodes: frozenset[str], after_ns: int, until_ns: int) -> bool:
        """The same of the other vantages, which may learn of the next change earlier than this one."""
        until_ns = until_ns - TOGETHER_NS if until_ns not in self.cuts else until_ns
        others = (history for name, history in self.histories.items() if name != self.vantage)
        return any(history.saw(nodes, after_ns, until_ns) for history in others)


def named(scene: Scene, found: Sequence[Move]) -> list[Change]:
    """Return the changes that a vantage's moves are."""
    changes = []
    together = bursts(found, scene.cuts, _MovesAgain())
    for number, burst in enumerate(together):
        next_ns = together[number + 1][0].t_ns if number + 1 < len(together) else scene.end_ns + TOGETHER_NS + 1
        end_ns = min([next_ns, *(cut_ns for cut_ns in scene.cuts if cut_ns > burst[-1].t_ns)])
        changes += _burst(scene, burst, end_ns)  # up to, and without, what happens at `end_ns`
    return changes


class _MovesAgain:
    """A slot that goes on, or back, begins another change: knows when each slot of a burst moved first."""

    def __init__(self) -> None:
        self._burst: Sequence[Move] = ()
        self._first_ns: dict[int, int] = {}
        self._known = 0

    def __call__(self, burst: Sequence[Move], move: Move) -> bool:
        """Whether the slot of `move` has moved in `burst` before; a burst grows, or another one is begun."""
        if burst is not self._burst:
            self._burst, self._first_ns, self._known = burst, {}, 0
        for other in burst[self._known :]:
            self._first_ns.setdefault(other.after.slot, other.t_ns)
        self._known = len(burst)
        return self._first_ns.get(move.after.slot, move.t_ns) < move.t_ns


def _burst(scene: Scene, burst: Sequence[Move], end_ns: int) -> list[Change]:
    groups: defaultdict[tuple[str, str], list[Move]] = defaultdict(list)
    for move in burst:
        groups[move.what, move.left].append(move)
    # What only the pools tell is what others of the same moment and the same pools have proven, where they have.
    for key in [key for key in groups if key[0] == SITE_OR_POOL]:
        proven = [
            other for other in groups if other[0] in ("site", "pool") and _pools(groups[key]) <= _pools(groups[other])
        ]
        if len(proven) == 1:
            groups[proven[0]] += groups.pop(key)
    return [_group(scene, what, left, mine, end_ns) for (what, left), mine in sorted(groups.items())]


def _pools(mine: Sequence[Move]) -> set[tuple[str, str]]:
    return {(move.before.pool, move.after.pool) for move in mine}


def _group(scene: Scene, what: str, left: str, mine: Sequence[Move], end_ns: int) -> Change:
    mine = sorted(mine, key=lambda move: (move.t_ns, move.after.slot))
    by_pool = sum(move.what == SITE_OR_POOL for move in mine)
    why = f"{by_pool} of them by their NAT pool alone" if by_pool else ""
    if what == "node":
        names, why = _node_names(scene, left, mine, end_ns)
    elif what == "pool":
        names = (Name.NAT_POOL_CHANGED,)
        why = f"{', '.join(sorted({move.after.node for move in mine if move.after.node}))} carries the flows as before"
    elif what == "site":
        names = _site_names(scene, left, mine, end_ns)
    else:
        names, why = (*_site_names(scene, mine[0].before.site, mine, end_ns), Name.NAT_POOL_CHANGED), "nodes not seen"
    return Change(
        vantage=scene.vantage,
        names=names,
        site=mine[0].after.site if what in ("node", "pool") else "",
        before=left,
        after=", ".join(sorted({move.reached for move in mine if move.what == what})),
        sessions=len({move.after.slot for move in mine}),
        of=scene.known(mine[-1].t_ns),
        survived=len({move.after.slot for move in mine if move.before.session == move.after.session}),
        first_ns=mine[0].t_ns,
        last_ns=mine[-1].t_ns,
        evidence=tuple(move.t_ns for move in mine[:SHOWN]),
        why=why,
    )


def _node_names(scene: Scene, node: str, mine: Sequence[Move], end_ns: int) -> tuple[tuple[Name, ...], str]:
    """A node failover takes all of a node's flows, and it answers nobody any more; a re-hash takes a share."""
    since_ns, nodes = mine[-1].t_ns + SECOND_NS, frozenset({node})
    if scene.saw(nodes, since_ns, end_ns) or scene.others_saw(nodes, since_ns, end_ns):
        return (Name.REHASHED,), f"{node} goes on answering other flows"
    lost = all(move.reset and move.before.session != move.after.session for move in mine)
    failover = Name.FAILOVER_WITHOUT_STATE if lost else Name.NODE_FAILOVER
    whole = Name.NODE_FAILBACK if all(move.back for move in mine) else failover
    if len(mine) < MANY or any(stay.node == node for stay in scene.stays(end_ns - 1)):
        return (whole, Name.REHASHED), f"whether {node} answers anybody yet was not seen"
    return (whole,), f"{node} answers nobody any more"


def _site_names(scene: Scene, site: str, mine: Sequence[Move], end_ns: int) -> tuple[Name, ...]:
    """Return the names of moves away from a site; how the flows left tells something of why."""
    if all(move.back for move in mine):
        return (Name.SITE_FAILBACK,)
    since_ns = mine[-1].t_ns + SECOND_NS
    left = scene.inventory.sites.get(site)
    nodes = frozenset(node.name for node in left.nodes) if left else frozenset()
    if scene.saw(nodes, since_ns, end_ns):
        return (Name.SITE_MOVED,)
    at_once = any(move.reset for move in mine) and not any(move.outage for move in mine)
    lives = at_once or scene.others_saw(nodes, since_ns, end_ns)
    causes = (Name.WITHDRAWAL,) if lives else (Name.SITE_FAILOVER, Name.WITHDRAWAL)
    few = len(mine) < MANY or any(stay.site == site for stay in scene.stays(end_ns - 1))
    return (*causes, Name.SITE_MOVED) if few else causes
