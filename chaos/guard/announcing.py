"""Which sites announce the VIP now: by each site's own look at its control plane, else by whether it answers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor

from chaos.transport import at
from core.lease import LeasedSite


def announcing(sites: Sequence[LeasedSite], answering: Collection[str]) -> dict[str, str]:
    """Return for each site '' when it announces, else what is known instead. `answering`: sites that answer probes now.

    All sites are looked at at once; a look takes as long as its command may.
    """
    if not sites:
        return {}
    with ThreadPoolExecutor(len(sites)) as pool:
        return dict(pool.map(lambda site: (site.name, _look(site, answering)), sites))


def _look(site: LeasedSite, answering: Collection[str]) -> str:
    if site.host is None or not site.command:
        return "" if site.name in answering else "no answer from it now, and the inventory has no look at its route"
    reply = at(site.host).look(site.command)
    if reply.code != 0:
        return reply.words
    return "" if site.shows in reply.out else f"its route is not there: {reply.words}"
