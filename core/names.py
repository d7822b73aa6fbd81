"""What a change of who answers may be, and one such change with its evidence. Values only.

Each name's signature, and what it cannot be told from: docs/recognising.md.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Protocol, TypeVar

TOGETHER_NS = 5_000_000_000
"""What happens within so long of each other is one change."""
SHOWN = 10
NOTHING = "nothing"
"""What is seen where nothing changes."""


class Name(enum.StrEnum):
    """What a change may be."""

    NODE_FAILOVER = "node failover"
    NODE_FAILBACK = "node failback"
    REHASHED = "flows re-hashed to another node"
    SITE_FAILOVER = "site failover"
    SITE_FAILBACK = "site failback"
    WITHDRAWAL = "route withdrawal"
    SITE_MOVED = "some flows moved to another site"
    NAT_POOL_CHANGED = "NAT pool changed, site did not"
    ASYMMETRIC = "answered through one site's node with another's NAT pool"
    BALANCED_SITES = "packets of one flow balanced over two sites"
    BALANCED_INSIDE = "packets of one flow balanced inside a site"
    RESET_AT_ONCE = "new sessions reset at once"
    GRAY = "gray failure"
    FAILOVER_WITHOUT_STATE = "node failover that lost its sessions"
    NO_ANSWERS = "no answers to held or new sessions"
    HELD_SILENT = "held sessions silent, new ones answered"
    SOME_SILENT = "some sessions silent, others not"
    ONE_SERVER = "sessions of one server only"
    STALLED = "all sessions silent for a while, then answered in the same place"
    HELD_RESET = "held sessions reset, new ones answered in the same place"
    REFUSED = "held sessions reset, new ones refused"
    UNREACHABLE = "sessions ended by ICMP errors"
    NEW_SILENT = "new sessions not answered, held ones live"
    NEW_REFUSED = "new sessions refused, held ones live"
    NEW_PARTLY = "some new sessions not answered, held ones live"
    APPLICATION_SILENT = "connections answered, the application silent"
    LOSS = "packets of all sessions lost at random"


@dataclass(frozen=True, slots=True)
class Change:
    """One change at one vantage. More than one of `names`: the facts allow each of them, and no other.

    `before` and `after` are the places (nodes, sites or NAT pools, as the name has it; '' where it has none); `site`
    is where it happened, of what happens inside one.
    `sessions` of `of` were part of it; `survived` of them went on without a restart. `evidence` are the instants of
    the first records it rests on, `SHOWN` at most; `why` says more in words, or is ''.
    """

    vantage: str
    names: tuple[Name, ...]
    site: str
    before: str
    after: str
    sessions: int
    of: int
    survived: int
    first_ns: int
    last_ns: int
    evidence: tuple[int, ...]
    why: str

    @property
    def certain(self) -> bool:
        """Whether the facts allow one name only."""
        return len(self.names) == 1


class Timed(Protocol):
    """Anything that happened at an instant."""

    @property
    def t_ns(self) -> int:
        """When, in ns."""
        ...


T = TypeVar("T", bound=Timed)


def _never(_: Sequence[Timed], __: Timed) -> bool:
    return False


def bursts(timed: Sequence[T], cuts: Sequence[int], apart: Callable[[Sequence[T], T], bool] = _never) -> list[list[T]]:
    """Return what belongs together: near in time, no cut between, and `apart(so far, next)` does not object.

    `cuts` are in order.
    """
    found: list[list[T]] = []
    last_ns = passed = 0
    for item in sorted(timed, key=attrgetter("t_ns")):
        t_ns = item.t_ns
        before = passed
        while passed < len(cuts) and cuts[passed] <= t_ns:
            passed += 1
        if found and passed == before and t_ns - last_ns <= TOGETHER_NS and not apart(found[-1], item):
            found[-1].append(item)
        else:
            found.append([item])
        last_ns = t_ns
    return found
