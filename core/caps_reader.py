"""Reads the guard's own file, which holds its caps: every key may be left out."""

from __future__ import annotations

from core.lease_rules import Caps
from core.reader import Reader
from core.shapes import CAPS
from core.yaml_nodes import Mapping, Problems


def read_caps(root: Mapping, problems: Problems) -> Caps | None:
    """Return the caps, or None with the reasons among the problems."""
    reader = Reader(root, "", problems)
    reader.only(*CAPS)
    default = Caps()
    lease_s = reader.number("lease_s", *CAPS["lease_s"].range, default.lease_s)
    concurrent = _whole(reader, "concurrent_faults", default.concurrent_faults)
    day = _whole(reader, "faults_a_day", default.faults_a_day)
    hour = _whole(reader, "flaps_an_hour", default.flaps_an_hour)
    targets = _targets(reader) if reader.has("allowed_targets") else default.allowed_targets
    if problems or lease_s is None or concurrent is None or day is None or hour is None:
        return None
    return Caps(lease_s, concurrent, day, hour, targets)


def _whole(reader: Reader, key: str, default: int) -> int | None:
    return reader.whole(key, *CAPS[key].whole_range) if reader.has(key) else default


def _targets(reader: Reader) -> frozenset[str]:
    named = reader.names("allowed_targets", "a list of host names")
    return frozenset(name for line, name in named if reader.checked_name(name, "allowed_targets", line))
