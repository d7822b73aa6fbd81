"""The probes: what Chaos Toolkit lists and calls. Each returns what a tolerance of that tool can be held against.

Annotations are real types, for `chaos discover` reads them.
"""

from pathlib import Path
from typing import List  # noqa: UP035  the name that `chaos discover` knows

from chaos.ctk import commands, faults, sites
from chaos.ctk.activity import activity
from chaos.ctk.outages import worst_ms
from chaos.ctk.vantages import answering
from core.loader import load_inventory

__all__ = ["answered_by", "faults_out", "outcome", "sites_announcing", "worst_outage_ms"]


@activity
def faults_out() -> int:
    """Return how many faults are out on this machine, whoever asked for them."""
    return faults.out()


@activity
def sites_announcing(inventory: str) -> List[str]:  # noqa: UP006
    """Return the sites that are known to announce the VIP, in order of their names.

    A tolerance for two of them is [["dc1", "dc2"]]: Chaos Toolkit takes a list of two for the ends of a range.
    """
    path = Path(inventory)
    return sites.sites_announcing(path, load_inventory(path))


@activity
def answered_by(inventory: str, vantage: str, seconds: float = 2.0) -> str:
    """Return the site that answers a vantage now, after probing for `seconds`.

    Several: with commas between. "": nobody answers. "?": somebody does, and the site is not told.
    """
    path = Path(inventory)
    seen = answering(path, load_inventory(path), [vantage], seconds)[vantage]
    return ",".join(sorted(site or "?" for site in seen))


@activity
def worst_outage_ms(run: str, experiment: str, clock: str = "data_plane") -> int:
    """Return the upper bound of the worst outage in milliseconds, rounded up, of all vantages; 0: there was none.

    `run` is an id, the beginning of one, or "last"; `clock` is data_plane, new_connections or held_kernel. Fails when
    it is not known.
    """
    return worst_ms(commands.report(run), experiment, clock)


@activity
def outcome(run: str) -> str:
    """Return the outcome of a run (an id, the beginning of one, or "last"): PASSED, FAILED, INCONCLUSIVE and so on."""
    return str(commands.report(run)["outcome"])
