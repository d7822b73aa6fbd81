"""The guard rails of faults, as one decision: may this lease be given, with those that are out and what is known.

Everything that is not known counts against the fault.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from core.lease import Lease, LeasedSite
from core.refusals import Refusal

DAY_NS = 86_400_000_000_000
HOUR_NS = 3_600_000_000_000


@dataclass(frozen=True, slots=True)
class Caps:
    """What a guard allows at all, whoever asks.

    `lease_s`: longest lease; `concurrent_faults`: out at one time; `faults_a_day`: given in 24 h; `flaps_an_hour`:
    withdrawals of one VIP's route in an hour; `allowed_targets`: hosts by name, None for those of the inventory.
    """

    lease_s: float = 3600.0
    concurrent_faults: int = 20
    faults_a_day: int = 1000
    flaps_an_hour: int = 120
    allowed_targets: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """One lease that was given before: when (wall clock), how many faults, and how often it withdraws `vip`'s route."""

    wall_ns: int
    faults: int
    vip: str
    flaps: int


def refusal(
    asked: Lease, out: Sequence[Lease], caps: Caps, given: Iterable[Given], now_ns: int, wall_ns: int
) -> Refusal | None:
    """Return why `asked` may not be given beside the leases `out`, or None. Sites are `unsafe`'s matter.

    `now_ns` is on the monotonic clock, `wall_ns` on the wall clock, of which `given` is kept.
    """
    return (
        _by_caps(asked, out, caps, now_ns)
        or _by_history(asked, caps, [each for each in given if wall_ns - each.wall_ns < DAY_NS], wall_ns)
        or _by_others(asked, out)
    )


def _by_caps(asked: Lease, out: Sequence[Lease], caps: Caps, now_ns: int) -> Refusal | None:
    if caps.allowed_targets is not None:
        for fault in asked.faults:
            if fault.host.name not in caps.allowed_targets:
                allowed = ", ".join(sorted(caps.allowed_targets)) or "none"
                return Refusal("target_not_allowed", f"the guard allows {allowed}, not {fault.host.name}")
    asked_s = (asked.deadline_ns - now_ns) / 1e9
    if asked_s > caps.lease_s:
        return Refusal("lease_too_long", f"the guard gives {caps.lease_s:g} s at most, asked were {asked_s:.0f}")
    faults = len(asked.faults) + sum(len(lease.faults) for lease in out)
    if faults > caps.concurrent_faults:
        return Refusal("too_many_faults", f"{faults} faults would be out, the guard allows {caps.concurrent_faults}")
    return None


def _by_history(asked: Lease, caps: Caps, day: Sequence[Given], wall_ns: int) -> Refusal | None:
    faults = len(asked.faults) + sum(each.faults for each in day)
    if faults > caps.faults_a_day:
        return Refusal("faults_a_day", f"{faults} faults in 24 h, the guard allows {caps.faults_a_day}")
    hour = [each for each in day if each.vip == asked.vip and wall_ns - each.wall_ns < HOUR_NS]
    flaps = flaps_of(asked) + sum(each.flaps for each in hour)
    if flaps_of(asked) and flaps > caps.flaps_an_hour:
        return Refusal(
            "flap_budget",
            f"the route to {asked.vip} would flap {flaps} times in an hour, allowed: {caps.flaps_an_hour}",
        )
    return None


def _by_others(asked: Lease, out: Sequence[Lease]) -> Refusal | None:
    """One run's faults at a time for each VIP, unless both say that they may be out together."""
    for lease in out:
        if lease.vip == asked.vip and lease.run != asked.run and not (lease.together and asked.together):
            return Refusal("other_run", f"faults of run {lease.run} are out at {lease.vip}, until it has ended")
        twice = {(fault.host.name, fault.driver) for fault in lease.faults} & {
            (fault.host.name, fault.driver) for fault in asked.faults if lease.run != asked.run
        }
        if twice:
            host, driver = min(twice)
            return Refusal("same_target", f"run {lease.run} has a fault {driver} at {host} out")
    return None


def flaps_of(lease: Lease) -> int:
    """Return how often a lease withdraws its VIP's route: once for each site that it takes."""
    taken = _taken([lease])
    return sum(_is_taken(site, taken) for site in lease.sites)


def unsafe(asked: Lease, out: Sequence[Lease], announcing: Mapping[str, str]) -> Refusal | None:
    """Return why too few sites would announce the VIP with `asked` and `out` in effect, or None.

    `announcing` has for each site '' when it is known to announce now, else what is known. A site that a lease
    takes does not count, whether it still announces or not; what several leases take is added up.
    """
    taken = _taken([asked, *(lease for lease in out if lease.vip == asked.vip)])
    lost = {site.name: "taken by a fault" for site in asked.sites if _is_taken(site, taken)}
    for site in asked.sites:
        known = announcing.get(site.name, "nothing is known of it")
        if site.name not in lost and known:
            lost[site.name] = known
    left = len(asked.sites) - len(lost)
    why = "; ".join(f"{name}: {words}" for name, words in lost.items())
    if not left:
        return Refusal("last_announcer", f"no site would announce {asked.vip} ({why})")
    if left < asked.survivors:
        needed = f"{asked.survivors} sites must go on announcing {asked.vip}"
        return Refusal("survivors", f"{needed}, {left} would ({why})")
    return None


def _taken(leases: Iterable[Lease]) -> frozenset[str]:
    return frozenset(
        name for lease in leases for takes in (lease.beside, *(fault.takes for fault in lease.faults)) for name in takes
    )


def _is_taken(site: LeasedSite, taken: frozenset[str]) -> bool:
    return site.name in taken or bool(site.nodes and taken.issuperset(site.nodes))
