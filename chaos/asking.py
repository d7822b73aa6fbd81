"""The lease that is asked of the guard for one experiment: its faults, and all that the guard rails look at."""

from __future__ import annotations

import os
import pwd
import secrets
from pathlib import Path

from core.experiment import Experiment
from core.inventory import Inventory, Site
from core.lease import Lease, LeasedFault, LeasedSite


def lease_for(experiment: Experiment, inventory: Inventory, run: str, run_directory: Path, plan: str) -> Lease:
    """Return it under a name of its own; prior states, deadline and holder are the guard's to fill in."""
    name = f"{experiment.name}-{secrets.token_hex(3)}"
    return Lease(
        lease=name,
        run=run,
        experiment=experiment.name,
        deadline_ns=0,
        boot="",
        guard_journal=str(run_directory / f"guard-{name}.db"),
        faults=tuple(
            LeasedFault(fault.name, fault.driver, inventory.hosts[fault.target], fault.arguments, {}, fault.takes)
            for fault in experiment.faults
        ),
        vip=inventory.vip.name,
        sites=leased_sites(inventory),
        survivors=inventory.rails.survivors,
        together=experiment.together,
        who=_who(),
        plan=plan,
        contact_s=experiment.contact_s or 0.0,
    )


def leased_sites(inventory: Inventory) -> tuple[LeasedSite, ...]:
    """Return the sites of the VIP, and how it is seen that each announces it."""
    return tuple(_site(site, inventory) for site in inventory.sites.values())


def _site(site: Site, inventory: Inventory) -> LeasedSite:
    nodes, look = tuple(node.name for node in site.nodes), site.announces
    if look is None:
        return LeasedSite(site.name, nodes)
    return LeasedSite(site.name, nodes, inventory.hosts[look.host], look.command, look.shows)


def _who() -> str:
    """Return who asks: the user, and for whom when by sudo(8)."""
    name = pwd.getpwuid(os.getuid()).pw_name
    return f"{name}, by sudo for {os.environ['SUDO_USER']}" if "SUDO_USER" in os.environ else name
