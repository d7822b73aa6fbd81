"""The driver `f5`: a BIG-IP gives its traffic group to its peer, or an address, server or route of it is switched off.

iControl REST, as F5's own f5-ansible and f5-common-python speak it. An object is changed in the running configuration
of this unit: it is neither saved nor synchronised from here.
"""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Iterator, Mapping

from chaos.driver import NOTHING_TO_REVERT, Arguments, Commands, Prior, Term
from chaos.handing_over import hand_over
from chaos.transport import Reply, Target
from core.drivers import Argument, ArgumentKind, Declared

STATUS = "/mgmt/tm/cm/failover-status"
DEVICES = "/mgmt/tm/cm/device"
FAILOVER = "/mgmt/tm/sys/failover"
POLL_S = 0.25
OFF: Mapping[str, tuple[str, str, Mapping[str, object]]] = {
    "virtual-address": ("virtual_address", "virtual-address", {"enabled": "no"}),
    "virtual-server": ("virtual_server", "virtual", {"enabled": False, "disabled": True}),
    "route-advertisement": ("virtual_address", "virtual-address", {"routeAdvertisement": "disabled"}),
}
"""Action -> the argument that names the object, the kind of object, and what it has when it is off."""
ALLOWED: Mapping[str, tuple[object, ...]] = {
    "virtual-address": ("yes", "no"),
    "route-advertisement": ("disabled", "enabled", "always", "selective", "any", "all"),
}


class F5Driver:
    """What is switched off gets the values of before again; a failover is over as it is injected."""

    declared = Declared(
        {
            "action": Argument(
                ArgumentKind.NAME,
                "what is done",
                ("standby", "virtual-address", "virtual-server", "route-advertisement"),
            ),
            "partition": Argument(
                ArgumentKind.NAME,
                "the partition that the object is in",
                default="Common",
                only_with=("action", ("virtual-address", "virtual-server", "route-advertisement")),
            ),
            "virtual_address": Argument(
                ArgumentKind.OBJECT,
                "the virtual address, by its name",
                only_with=("action", ("virtual-address", "route-advertisement")),
            ),
            "virtual_server": Argument(
                ArgumentKind.OBJECT, "the virtual server", only_with=("action", ("virtual-server",))
            ),
            "traffic_group": Argument(
                ArgumentKind.NAME,
                "the traffic group that the unit gives away",
                default="traffic-group-1",
                only_with=("action", ("standby",)),
            ),
        },
        ("https",),
    )

    def commands(self, arguments: Arguments) -> Commands:
        """See `Driver.commands`: methods, paths and bodies."""
        if arguments["action"] == "standby":
            return Commands((_standby(arguments),), (("GET", STATUS),), ())
        path = _path(arguments)
        return Commands((("PATCH", path, _off(arguments)),), (("GET", path),), (("PATCH", path, "<values of before>"),))

    def prior(self, target: Target, arguments: Arguments, term: Term) -> Prior | None:
        """See `Driver.prior`: the values that will be changed. None for `standby` where no peer is there to take over.

        None as well where the object is off, or does not tell what it is.
        """
        del term
        if arguments["action"] == "standby":
            fit = _is_standby(target, arguments)[0] is False and _has_peer(target)
            return {} if fit else None
        values, _ = _values(target, arguments)
        return None if values in (None, _ours(arguments)) else {"values": values}

    def inject(self, target: Target, arguments: Arguments, prior: Prior) -> Reply:
        """See `Driver.inject`. A value that another has set since is not overwritten."""
        if arguments["action"] == "standby":
            return _give_up(target, arguments)
        values, seen = _values(target, arguments)
        if values not in (prior["values"], _ours(arguments)):
            return Reply(("PATCH", _path(arguments)), -1, "", f"not as it was: {seen}")
        return target.do(("PATCH", _path(arguments), _off(arguments)))

    def revert(self, target: Target, arguments: Arguments, prior: Prior) -> Reply:
        """See `Driver.revert`: the former values of what was changed, unless another has set one since."""
        if arguments["action"] == "standby":
            return NOTHING_TO_REVERT
        values, seen = _values(target, arguments)
        if values is None:
            return Reply(("PATCH", _path(arguments)), -1, "", seen)
        if values != _ours(arguments):
            return Reply(("PATCH", _path(arguments)), 0, "", f"not ours: {seen}")
        return target.do(("PATCH", _path(arguments), json.dumps(prior["values"])))

    def is_out(self, target: Target, arguments: Arguments, prior: Prior) -> tuple[bool | None, str]:
        """See `Driver.is_out`: the unit's role, or the object's values."""
        del prior
        if arguments["action"] == "standby":
            return _is_standby(target, arguments)
        values, seen = _values(target, arguments)
        return None if values is None else values == _ours(arguments), seen


def _path(arguments: Arguments) -> str:
    argument, kind, _ = OFF[str(arguments["action"])]
    # The `%` of a route domain is encoded: /Common/192.0.2.80%1 is ~Common~192.0.2.80%251.
    name = urllib.parse.quote(f"~{arguments['partition']}~{arguments[argument]}", safe="~:")
    return f"/mgmt/tm/ltm/{kind}/{name}"


def _ours(arguments: Arguments) -> dict[str, object]:
    return dict(OFF[str(arguments["action"])][2])


def _off(arguments: Arguments) -> str:
    return json.dumps(_ours(arguments))


def _values(target: Target, arguments: Arguments) -> tuple[dict[str, object] | None, str]:
    """Return what the object has of the keys that are changed, or None where it does not tell; and what was seen."""
    reply = target.look(("GET", _path(arguments)))
    found = _json(reply)
    if reply.code != 0 or not isinstance(found, dict):
        return None, reply.words
    action = str(arguments["action"])
    if action == "virtual-server":
        # Of the two booleans only the one that is true is told.
        enabled, disabled = found.get("enabled", False), found.get("disabled", False)
        values: dict[str, object] = {"enabled": enabled, "disabled": disabled}
        sound = isinstance(enabled, bool) and isinstance(disabled, bool) and enabled != disabled
    else:
        values = {key: found.get(key) for key in OFF[action][2]}
        sound = all(value in ALLOWED[action] for value in values.values())
    seen = f"{_path(arguments)}: {', '.join(f'{key} {value}' for key, value in values.items())}"
    return (values if sound else None), seen


def _standby(arguments: Arguments) -> tuple[str, str, str]:
    words = {"command": "run", "utilCmdArgs": f"standby traffic-group {arguments['traffic_group']}"}
    return "POST", FAILOVER, json.dumps(words)


def _give_up(target: Target, arguments: Arguments) -> Reply:
    return hand_over(target, _standby(arguments), ("POST", FAILOVER), lambda: _is_standby(target, arguments), POLL_S)


def _is_standby(target: Target, arguments: Arguments) -> tuple[bool | None, str]:
    """Look at this unit's own status: `ACTIVE` or `STANDBY`, and as a detail `active for` each traffic group."""
    reply = target.look(("GET", STATUS))
    said = list(_descriptions(_json(reply)))
    status = next((word for word in said if word in ("ACTIVE", "STANDBY")), None)
    if reply.code != 0 or status is None:
        return None, reply.words
    active = status == "ACTIVE" and f"active for /Common/{arguments['traffic_group']}" in said
    role = "active" if active else "not active"
    return not active, f"failover status {status}, {role} for {arguments['traffic_group']}"


def _has_peer(target: Target) -> bool:
    """Tell whether another device is there to take over: of all that are told, two can carry traffic."""
    found = _json(target.look(("GET", DEVICES)))
    devices = found.get("items") if isinstance(found, dict) else None
    known = devices if isinstance(devices, list) else []
    states = [each.get("failoverState") for each in known if isinstance(each, dict)]
    return sum(state in ("active", "standby") for state in states) > 1


def _json(reply: Reply) -> object:
    try:
        found: object = json.loads(reply.out)
    except ValueError:
        return None
    return found


def _descriptions(found: object) -> Iterator[str]:
    """Yield every `description` in the nested entries of a status."""
    if isinstance(found, dict):
        for key, value in found.items():
            if key == "description" and isinstance(value, str):
                yield value
            else:
                yield from _descriptions(value)
