"""Reads the guard's own file, which holds its caps: every key may be left out."""

from __future__ import annotations

from core.lease_rules import Caps
from core.reader import Reader
from core.yaml_nodes import Mapping, Problems

KEYS = ("lease_s", "concurrent_faults", "faults_a_day", "flaps_an_hour", "allowed_targets")
MOST = 1_000_000


def read_caps(root: Mapping, problems: Problems) -> Caps | None:
    """Return the caps, or None with the reasons among the problems."""
    reader = Reader(root, "", problems)
    reader.only(*KEYS)
    default = Caps()
    lease_s = reader.number("lease_s", 1, 86_400, default.lease_s)
    concurrent, day, hour = (
        reader.whole(key, 0, MOST) if reader.has(key) else getattr(default, key) for key in KEYS[1:4]
    )
    targets = (
        frozenset(name for _, name in reader.names("allowed_targets", "a list of host names"))
        if reader.has("allowed_targets")
        else None
    )
    if problems or lease_s is None or concurrent is None or day is None or hour is None:
        return None
    return Caps(lease_s, concurrent, day, hour, targets)
