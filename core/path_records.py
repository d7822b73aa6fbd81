"""The facts of path traces inside sessions; `core.records` has all the other facts that a journal holds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PathTraced:
    """Hops that answered low-TTL copies of this session's own segment; '' where none did. Written when they changed.

    `also` are further routers that answered the same TTL in the same trace, as (TTL, address): a closer look sends
    each copy twice. `silent`: traced while heartbeats went unanswered; those are written changed or not, and `t_ns` is
    when the copies left.
    """

    t_ns: int
    vantage: str
    slot: int
    session: str
    hops: tuple[str, ...]
    also: tuple[tuple[int, str], ...] = ()
    silent: bool = False


@dataclass(frozen=True, slots=True)
class NodesSeen:
    """One second's path traces in answered sessions of one vantage: how many of them showed which node."""

    t_ns: int
    vantage: str
    nodes: tuple[tuple[str, int], ...]
