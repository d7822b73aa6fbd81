"""How long sessions lived: each with its begin, its end and why, and the share of them that lives on. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from core.records import Drop, Opened, Record


@dataclass(frozen=True, slots=True)
class Lifetime:
    """One session from its handshake to its drop; `dropped_ns` is None, and `cause` '', where it was never dropped."""

    vantage: str
    slot: int
    session: str
    opened_ns: int
    dropped_ns: int | None = None
    cause: str = ""

    def alive_at(self, t_ns: int) -> bool:
        """Whether it was open then; what happens at that very instant comes after it."""
        return self.opened_ns < t_ns and (self.dropped_ns is None or self.dropped_ns >= t_ns)


@dataclass(frozen=True, slots=True)
class Step:
    """From `t_ns` on, `share` of the sessions live; `at_risk` were under watch just before."""

    t_ns: int
    share: float
    at_risk: int


def lifetimes(records: Iterable[Record]) -> list[Lifetime]:
    """Return the lifetimes of all sessions but those on kernel sockets beside the engine; records are in order."""
    found: list[Lifetime] = []
    living: dict[tuple[str, int], int] = {}
    for record in records:
        if type(record) is Opened and not record.held_kernel:
            living[record.vantage, record.slot] = len(found)
            found.append(Lifetime(record.vantage, record.slot, record.session, record.t_ns))
        elif type(record) is Drop and not record.held_kernel:
            at = living.pop((record.vantage, record.slot), None)
            if at is not None:
                found[at] = replace(found[at], dropped_ns=record.t_ns, cause=str(record.cause))
    return found


def kaplan_meier(alive: Sequence[Lifetime], from_ns: int, until_ns: int) -> tuple[Step, ...]:
    """Return the survival of sessions that were alive at `from_ns`, watched until `until_ns`, as steps down from 1.

    The product-limit estimate of E. L. Kaplan and P. Meier, Nonparametric Estimation from Incomplete Observations,
    Journal of the American Statistical Association 53 (1958): a session that is not dropped leaves at `until_ns`
    without being counted as dropped. Instants are of the journal, in ns; none of the steps is for no session at all.
    """
    deaths = Counter(
        life.dropped_ns for life in alive if life.dropped_ns is not None and from_ns <= life.dropped_ns <= until_ns
    )
    at_risk, share = len(alive), 1.0
    steps = [Step(from_ns, share, at_risk)] if alive else []
    for t_ns, count in sorted(deaths.items()):
        share *= 1 - count / at_risk
        steps.append(Step(t_ns, share, at_risk))
        at_risk -= count
    return tuple(steps)
