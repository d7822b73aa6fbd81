"""Tells `chaos discover chaostoolkit-vipchaos` which actions and probes there are; they are in vipchaos itself.

A distribution of its own, for that command looks into one top-level module of a distribution.
"""

from __future__ import annotations

import importlib.metadata
from typing import Any

from chaoslib.discovery.discover import discover_actions, discover_probes, initialize_discovery_result

__all__ = ["discover"]


def discover(discover_system: bool = True) -> dict[str, Any]:
    """Return what the extension offers; the system is not looked at."""
    del discover_system
    found: dict[str, Any] = initialize_discovery_result(
        "chaostoolkit-vipchaos", importlib.metadata.version("vipchaos"), "vipchaos"
    )
    found["activities"] += [*discover_actions("chaos.ctk.actions"), *discover_probes("chaos.ctk.probes")]
    return found
