"""Changes recognised in the records of a run: moves, balancing by packet, asymmetry, gray failures, silences."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter

from core.inventory import Inventory
from core.kinds import Kinds
from core.moves import Scene, moves, named
from core.names import SHOWN, TOGETHER_NS, Change, Name, bursts
from core.quiet import Quiet, gather_quiet
from core.records import Record
from core.silences import silences
from core.stays import SlotHistory, gather, lasting, returns, short_lives, shown

RETURNS = 2
"""One return of a session may be a failover and its failback; more of them are packets that go both ways."""
SHORT_LIVES = 3
ASKED_TWICE_NS = 2_500_000_000
SESSIONS_A_SECOND = 50
"""Each session is asked for its pool once a second, or so many of them all together: within `ASKED_TWICE_NS`, times how
many seconds a round takes, every session that answers has been asked twice."""


@dataclass(frozen=True, slots=True)
class _Sign:
    """One fact of a slot that is no move. `places` are what it was seen at; `names` what it can be a sign of."""

    t_ns: int
    slot: int
    places: frozenset[str]
    names: tuple[Name, ...]
    survived: bool = True


_EITHER = (Name.BALANCED_SITES, Name.BALANCED_INSIDE)


def changes(
    records: Sequence[Record], inventory: Inventory, cuts: Sequence[int] = (), kinds: Kinds | None = None
) -> tuple[Change, ...]:
    """Return every change at every vantage, in order of time. At the instants `cuts` another may begin.

    `kinds`: those of the records, where they are at hand.
    """
    kinds = kinds or Kinds(records)
    histories, quiet = gather(kinds), gather_quiet(kinds)
    end_ns = max(map(attrgetter("t_ns"), records), default=0)
    found = [
        change
        for vantage in sorted(histories)
        for change in _of_vantage(
            Scene(vantage, histories, inventory, sorted(cuts), end_ns), quiet.get(vantage, Quiet())
        )
    ]
    return tuple(sorted(found, key=lambda change: (change.first_ns, change.vantage, change.names, change.before)))


def _of_vantage(scene: Scene, quiet: Quiet) -> list[Change]:
    """What balancing by packet explains is told as that alone: it makes sessions move, stall and restart."""
    slots = scene.history.slots
    found = _balanced(scene)
    spans = [(change.first_ns - TOGETHER_NS, change.last_ns + TOGETHER_NS) for change in found]

    def free(t_ns: int) -> bool:
        return not any(low <= t_ns <= high for low, high in spans)

    found += named(scene, [move for slot in slots.values() for move in moves(slot) if free(move.t_ns)])
    odd: defaultdict[tuple[Name, tuple[str, ...]], list[_Sign]] = defaultdict(list)
    for number, slot in sorted(slots.items()):
        for sign in (*_asymmetric(slot, scene), *_gray(number, slot, scene.inventory)):
            if free(sign.t_ns):
                odd[sign.names[0], tuple(sorted(sign.places))].append(sign)
    for (name, places), signs in sorted(odd.items()):
        found += [_change(scene, (name,), burst, places) for burst in bursts(signs, scene.cuts)]
    return found + silences(scene, quiet, found)


def _change(
    scene: Scene, names: tuple[Name, ...], signs: Sequence[_Sign], places: Iterable[str], why: str = ""
) -> Change:
    return Change(
        vantage=scene.vantage,
        names=names,
        site="",
        before=", ".join(places),
        after="",
        sessions=len({sign.slot for sign in signs}),
        of=max(scene.known(signs[-1].t_ns), len({sign.slot for sign in signs})),
        survived=len({sign.slot for sign in signs} - {sign.slot for sign in signs if not sign.survived}),
        first_ns=signs[0].t_ns,
        last_ns=signs[-1].t_ns,
        evidence=tuple(sign.t_ns for sign in signs[:SHOWN]),
        why=why,
    )


# --- balancing by packet --------------------------------------------------------------------------------------


def _balanced(scene: Scene) -> list[Change]:
    signs = [
        sign
        for number, slot in sorted(scene.history.slots.items())
        for sign in (
            *_two_ways(number, slot, scene.inventory),
            *_to_and_fro(number, slot),
            *_path_to_and_fro(number, slot),
            *_reset_at_once(number, slot),
        )
    ]
    found = []
    for burst in bursts(signs, scene.cuts):
        # One trace in which two routers answer may have met a change of route between its copies.
        if len(burst) < RETURNS:
            continue
        seen = [sign for sign in burst if Name.RESET_AT_ONCE not in sign.names]
        likely = [sign.names for sign in seen if len(sign.names) == 1]
        names = (Name.BALANCED_SITES,) if (Name.BALANCED_SITES,) in likely else likely[0] if likely else _EITHER
        if not seen:
            names = (Name.BALANCED_SITES, Name.RESET_AT_ONCE)
        places = sorted({place for sign in seen if sign.names == names for place in sign.places})
        resets = len(burst) - len(seen)
        why = f"{resets} sessions were reset within a second of their handshake" if resets else ""
        found.append(_change(scene, names, burst, places, why))
    return found


def _two_ways(number: int, slot: SlotHistory, inventory: Inventory) -> list[_Sign]:
    """Copies with one TTL, sent at once, were answered by two routers."""
    found = []
    for path in slot.paths:
        if path.also:
            nodes, sites = shown(path, inventory)
            routers = frozenset(router for _, router in path.also)
            routers |= {path.hops[ttl - 1] for ttl, _ in path.also if 0 < ttl <= len(path.hops)}
            found.append(_sign_of_places(path.t_ns, number, sites, nodes, routers))
    return found


def _to_and_fro(number: int, slot: SlotHistory) -> list[_Sign]:
    """One session's answers came from a place, from another, and from the first again, more than once."""
    found = []
    for session, instants in returns(slot.stays).items():
        mine = [stay for stay in slot.stays if stay.session == session]
        sites, nodes = ({stay.site for stay in mine} - {""}, {stay.node for stay in mine} - {""})
        if len(instants) >= RETURNS and (len(sites) > 1 or len(nodes) > 1):
            found += [
                _sign_of_places(t_ns, number, frozenset(sites), frozenset(nodes), frozenset()) for t_ns in instants
            ]
    return found


def _path_to_and_fro(number: int, slot: SlotHistory) -> list[_Sign]:
    """One session's path led by a router, by another, and by the first again, more than once."""
    found: list[_Sign] = []
    hops: defaultdict[tuple[str, int], list[tuple[int, str]]] = defaultdict(list)
    traces = Counter(path.session for path in slot.paths)
    for path in slot.paths:
        if traces[path.session] < 2 * RETURNS:
            continue  # too few to lead there, away, back, away and back
        for ttl, hop in enumerate(path.hops, 1):
            seen = hops[path.session, ttl]
            if hop and not path.silent and (not seen or seen[-1][1] != hop):
                seen.append((path.t_ns, hop))
    for seen in hops.values():
        again = [t_ns for at, (t_ns, hop) in enumerate(seen) if hop in [before for _, before in seen[:at]]]
        if len(again) >= RETURNS:
            routers = frozenset(hop for _, hop in seen)
            found += [_Sign(t_ns, number, routers, _EITHER) for t_ns in again]
    return found


def _sign_of_places(
    t_ns: int, slot: int, sites: frozenset[str], nodes: frozenset[str], routers: frozenset[str]
) -> _Sign:
    if len(sites) > 1:
        return _Sign(t_ns, slot, sites, (Name.BALANCED_SITES,))
    if len(nodes) > 1:
        return _Sign(t_ns, slot, nodes, (Name.BALANCED_INSIDE,))
    return _Sign(t_ns, slot, routers, _EITHER)


def _reset_at_once(number: int, slot: SlotHistory) -> list[_Sign]:
    """Session after session is reset as soon as it is open."""
    nowhere: frozenset[str] = frozenset()
    names = (Name.BALANCED_SITES, Name.RESET_AT_ONCE)
    return [
        _Sign(drop.t_ns, number, nowhere, names, survived=False)
        for run in short_lives(slot.drops)
        if len(run) >= SHORT_LIVES
        for drop in run
    ]


# --- odd states -----------------------------------------------------------------------------------------------


def _asymmetric(slot: SlotHistory, scene: Scene) -> list[_Sign]:
    """The flow goes through one site's node, and the server sees an address of another site's pool.

    The path is seen at once and the pool is asked now and then: what one session shows of the two must stay so for
    longer than that, or it was only on its way from the one site to the other.
    """
    of_pool = {site.nat_pool.name: site.name for site in scene.inventory.sites.values()}
    return [
        _Sign(stay.since_ns, stay.slot, frozenset({f"{stay.site}'s {stay.node} with {stay.pool}"}), (Name.ASYMMETRIC,))
        for stay, until_ns in lasting(slot, scene.end_ns)
        if stay.node and stay.site and of_pool.get(stay.pool, stay.site) != stay.site
        if until_ns - stay.since_ns >= ASKED_TWICE_NS * max(1, len(scene.history.slots) / SESSIONS_A_SECOND)
    ]


def _gray(number: int, slot: SlotHistory, inventory: Inventory) -> list[_Sign]:
    """A silent session's packets reach the node that answered it before, and heartbeats are lost after that too."""
    found = []
    for path in slot.paths:
        if not path.silent:
            continue
        nodes, _ = shown(path, inventory)
        answered = next((stay.node for stay in reversed(slot.stays) if stay.since_ns <= path.t_ns), "")
        lost = any(
            gap.from_ns <= path.t_ns and (gap.until_ns is None or path.t_ns < gap.last_lost_ns) for gap in slot.outages
        )
        if lost and nodes == {answered}:
            dropped = any(drop.t_ns >= path.t_ns for drop in slot.drops if drop.session == path.session)
            found.append(_Sign(path.t_ns, number, nodes, (Name.GRAY,), survived=not dropped))
    return found
