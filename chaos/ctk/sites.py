"""Which sites announce the VIP now, as the guard sees it: by each site's look, else by whether it answers a vantage."""

from __future__ import annotations

from pathlib import Path

from chaos.asking import leased_sites
from chaos.ctk.vantages import answering
from chaos.guard.announcing import announcing
from core.inventory import Inventory

PROBE_S = 2.0


def answering_sites(inventory_file: Path, inventory: Inventory) -> frozenset[str]:
    """Return the sites that answer a vantage now; none where each site has a look of its own, which is asked then."""
    if all(site.announces for site in inventory.sites.values()):
        return frozenset()
    seen = answering(inventory_file, inventory, list(inventory.vantages), PROBE_S)
    return frozenset[str]().union(*seen.values()) - {""}


def sites_announcing(inventory_file: Path, inventory: Inventory) -> list[str]:
    """Return the sites that are known to announce, in order of their names."""
    known = announcing(leased_sites(inventory), answering_sites(inventory_file, inventory))
    return sorted(name for name, words in known.items() if not words)
