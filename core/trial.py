"""One run as a trial of an experiment: how long its failover and failback took, and with what it was measured. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from core import trials
from core.comparison import Shift, Speed, beyond, shift, speed
from core.events import Event
from core.inventory import Inventory
from core.judge import RunVerdict


@dataclass(frozen=True, slots=True)
class Trial:
    """What one run gave for one experiment.

    `values`: seconds by figure, as `FIGURES` names them after the kind of event (`failover data plane`): the upper
    bound of the longest outage at any vantage, 0 where there was none, None where that is not known.
    """

    run: str
    started_wall_ns: int
    version: str
    values: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One figure of one experiment in two sets of trials; `found` is None where one side has no value at all."""

    experiment: str
    figure: str
    found: Shift | None
    speed: Speed
    beyond: bool
    limit_s: float | None


def settings(inventory: Inventory) -> dict[str, str]:
    """Return what trials must have in common to be compared: the VIP and how each vantage probes it, in words."""
    found = {
        f"vantage {vantage.name}": f"{vantage.sessions} sessions, a heartbeat each {vantage.period_s:g} s"
        for vantage in inventory.vantages.values()
    }
    vip = inventory.vip
    return found | {"VIP": f"{vip.address} port {vip.port}, {vip.service.mode}"}


def values(verdict: RunVerdict, experiment: str) -> dict[str, float | None]:
    """Return the figures of an experiment's events in a run; an event that did not happen has none."""
    found = {}
    for event in verdict.events:
        if event.experiment == experiment:
            for name, of in FIGURES.items():
                found[f"{event.kind} {name}"] = of(event) if event.proven else None
    return found


def compare(
    experiment: str, older: Sequence[Trial], newer: Sequence[Trial], limit_s: float | None
) -> tuple[Comparison, ...]:
    """Compare every figure that one of the sets has a value of."""
    names = dict.fromkeys(
        name for trial in (*older, *newer) for name, value in trial.values.items() if value is not None
    )
    compared = []
    for name in names:
        sides = [[value for trial in side if (value := trial.values.get(name)) is not None] for side in (older, newer)]
        if not all(sides):
            compared.append(Comparison(experiment, name, None, Speed.NOT_ENOUGH, beyond=False, limit_s=limit_s))
            continue
        found = shift(*sides)
        verdict = speed(found, limit_s)
        compared.append(Comparison(experiment, name, found, verdict, beyond(found, limit_s), limit_s))
    return tuple(compared)


FIGURES: Mapping[str, Callable[[Event], float | None]] = {
    "data plane": trials.FIGURES["data_plane_upper_s"],
    "new connections": trials.FIGURES["new_connections_upper_s"],
}
"""A held kernel session reads too long by its retransmissions, and is no figure of a failover."""
