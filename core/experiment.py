"""The experiment model: steady state, method, expectations, abort conditions. Values only."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass


class Sessions(enum.StrEnum):
    """What is expected of the sessions of a group of vantages."""

    SURVIVE = "survive"  # a stall is allowed, no drop
    RESTART = "restart"  # every session drops, with a named cause, and is opened again
    UNTOUCHED = "untouched"  # no drop and no outage


@dataclass(frozen=True, slots=True)
class Fault:
    """One failure to inject: driver and its arguments, at `at_s` after the method began.

    It is reverted `hold_s` later, or with None at the end of the experiment's hold. `takes` are the names of the
    nodes and sites that it takes out of service; of a site, its announcement of the VIP.
    """

    name: str
    driver: str
    target: str
    arguments: Mapping[str, str | int | float | bool | tuple[str, ...]]
    at_s: float
    hold_s: float | None = None
    takes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SteadyState:
    """Which site must answer each vantage, with all sessions alive, for `for_s` before and after."""

    answered_by: Mapping[str, str]
    for_s: float
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a group of vantages must see after the event. None means nothing is expected of that.

    `seen_as`: the names, of `core.names`, that what happens may be seen as from outside; none: nothing is expected.
    """

    vantages: tuple[str, ...]
    site: str | None
    node: str | None
    nat_pool: str | None
    sessions: Sessions | None
    outage_upper_s: float | None
    new_connections_upper_s: float | None
    seen_as: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Abort:
    """Ends the run and reverts at once: a session of `vantages` silent for `outage_s`, or telemetry aged `stale_s`."""

    vantages: tuple[str, ...]
    outage_s: float
    stale_s: float


@dataclass(frozen=True, slots=True)
class Experiment:
    """One experiment file.

    Either `faults` are injected and held for `hold_s` after the last injection, or `reverts` names an earlier
    experiment of the same list whose faults are still out and are reverted now (a failback as an event of its own).
    `lease_s` bounds how long the faults may stay, whatever happens to the controller. Where a later experiment of the
    list reverts this one, the faults stay out at its end. `together` says that they may be out while those of another
    run at the same VIP are. `contact_s`: a guard over the bus that hears nothing for so long reverts them. `flavours`
    are those of the lab that it needs; none: any network will do.
    """

    name: str
    title: str
    steady_state: SteadyState
    faults: tuple[Fault, ...]
    reverts: str | None
    hold_s: float
    lease_s: float
    settle_s: float
    expectations: tuple[Expectation, ...]
    abort: tuple[Abort, ...]
    source: str
    together: bool = False
    slower_limit_s: float | None = None
    contact_s: float | None = None
    flavours: tuple[str, ...] = ()

    @property
    def method_s(self) -> float:
        """How long after the method began its hold is over, in seconds."""
        return max((fault.at_s for fault in self.faults), default=0.0) + self.hold_s
