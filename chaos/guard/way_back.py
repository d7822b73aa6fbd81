"""Looks where the way back from a target leads, for hosts that are commanded over a network."""

from __future__ import annotations

import json

from chaos.transport import Target, at
from core.lease import LeasedFault
from core.refusals import Refusal
from core.revert_path import WayBack, cut


def cuts_its_revert(fault: LeasedFault) -> Refusal | None:
    """Return why a fault at a host that is reached by ssh may not be: it would cut its own way back, or may do so."""
    if fault.host.transport != "ssh":
        return None
    way = _way_back(at(fault.host))
    if isinstance(way, str):
        return Refusal("revert_path_unknown", f"{fault.name}: where the way back leads cannot be told: {way}")
    why = cut(fault.driver, fault.arguments, way)
    return Refusal("cuts_revert_path", f"{fault.name} would cut its own revert off: {why}") if why else None


def _way_back(target: Target) -> WayBack | str:
    """Return the way back, or what was said instead. sshd(8) tells both ends of the connection: SSH_CONNECTION."""
    said = target.look(["printenv", "SSH_CONNECTION"])
    words = said.out.split()
    if said.code != 0 or len(words) != 4:
        return said.words
    client, _, own, _ = words
    routes = target.look(["ip", "-json", "route", "get", client])
    try:
        (route,) = json.loads(routes.out)
        device = str(route["dev"])
    except (ValueError, LookupError, TypeError):
        return routes.words
    # `get` leaves the origin out for some routes; the table has it, in the route that it chose.
    listed = target.look(["ip", "-json", "route", "show", "match", client])
    try:
        fitting = [each for each in json.loads(listed.out) if each.get("dev") == device]
        longest: dict[str, object] = max(fitting, key=lambda each: _length(str(each["dst"])), default={})
    except (ValueError, LookupError, TypeError, AttributeError):
        return listed.words
    return WayBack(own, device, "kernel" if device == "lo" else str(longest.get("protocol", "")))


def _length(destination: str) -> int:
    if destination == "default":
        return 0
    address, _, length = destination.partition("/")
    return int(length) if length else 128 if ":" in address else 32
