"""The life of each fault as the screens show it: what it acts on, since when it is out, until when at the latest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from core.experiment import Experiment, Fault
from core.inventory import Inventory
from core.records import FaultPhase, FaultStep


@dataclass(frozen=True, slots=True)
class FaultView:
    """One fault of one lease. Instants are 0 while they have not come; `nodes` and `sites` are what it acts on."""

    experiment: str
    fault: str
    lease: str
    phase: FaultPhase
    detail: str
    nodes: frozenset[str] = frozenset()
    sites: frozenset[str] = frozenset()
    armed_ns: int = 0
    deadline_ns: int = 0
    injected_ns: int = 0
    proven_ns: int = 0
    reverting_ns: int = 0
    reverted_ns: int = 0

    @property
    def out(self) -> bool:
        """Whether it is injected and not known to be reverted."""
        return bool(self.injected_ns) and not self.reverted_ns

    @property
    def label(self) -> str:
        """Return what it acts on in a few characters: the nodes, else the sites, else the fault's name."""
        return " ".join(sorted(self.nodes)) or " ".join(sorted(self.sites)) or self.fault


def acts_on(fault: Fault, inventory: Inventory) -> tuple[frozenset[str], frozenset[str]]:
    """Return which (nodes, sites) a fault acts on: what it takes, stands at its target, or its arguments name."""
    named = {fault.target, *fault.takes}
    for value in fault.arguments.values():
        named |= {value} if isinstance(value, str) else set(value) if isinstance(value, tuple) else set()
    nodes, sites = set[str](), set[str]()
    for site in inventory.sites.values():
        nodes |= {node.name for node in site.nodes if node.name in named or node.host == fault.target}
        if site.name in named or (site.announces and site.announces.host == fault.target):
            sites.add(site.name)
    return frozenset(nodes), frozenset(sites)


def after(
    view: FaultView | None, step: FaultStep, experiments: Mapping[str, Experiment], inventory: Inventory | None
) -> FaultView:
    """Return the fault with one more step of its life."""
    if view is None:
        experiment = experiments.get(step.experiment)
        fault = next((each for each in experiment.faults if each.name == step.fault), None) if experiment else None
        nodes, sites = acts_on(fault, inventory) if fault and inventory else (frozenset[str](), frozenset[str]())
        view = FaultView(step.experiment, step.fault, step.lease, step.phase, step.detail, nodes, sites)
    view = replace(view, phase=step.phase, detail=step.detail or view.detail)
    match step.phase:
        case FaultPhase.ARMED:
            return replace(view, armed_ns=step.t_ns, deadline_ns=step.t_ns + round(step.lease_s * 1e9))
        case FaultPhase.INJECTING:
            return replace(view, injected_ns=step.planned_ns or step.t_ns)
        case FaultPhase.INJECTED:
            return replace(view, injected_ns=step.began_ns or view.injected_ns or step.t_ns)
        case FaultPhase.PROVEN:
            return replace(view, proven_ns=step.t_ns)
        case FaultPhase.REVERTING:
            return replace(view, reverting_ns=step.t_ns)
        case FaultPhase.REVERTED | FaultPhase.REVERT_PROVEN:
            return replace(view, reverted_ns=view.reverted_ns or step.t_ns)
        case _:
            return view
