"""The driver `keepalived`: makes the active node give its address to its peer, by a file that its configuration tracks.

keepalived 2.2.7 has no command for it; a value in a `track_file` (keepalived.conf(5), "Track files") is the one way to
lower a priority that needs neither a restart nor a reload.
"""

from __future__ import annotations

import json
import re

from chaos.driver import Arguments, Commands, Prior, Term
from chaos.transport import Reply, Target
from core.drivers import Argument, ArgumentKind, Declared

_VALUE = re.compile(r"-?[0-9]+\Z")


class KeepalivedDriver:
    """By 254 it is in the FAULT state, whatever the peer's priority; by less, the pair decides who is active."""

    declared = Declared(
        {
            "track_file": Argument(ArgumentKind.PATH, "the file that the vrrp_instance tracks with weight 1"),
            "lower_by": Argument(
                ArgumentKind.WHOLE, "what is taken from the priority; 254 gives up", low=1, high=254, default=254
            ),
            "interface": Argument(ArgumentKind.NAME, "the interface that the address is on"),
            "address": Argument(ArgumentKind.ADDRESS, "the virtual address that must move"),
        }
    )

    def commands(self, arguments: Arguments) -> Commands:
        """See `Driver.commands`."""
        return Commands(
            (_writing(arguments, _ours(arguments)),),
            (("cat", str(arguments["track_file"])), _addresses(arguments)),
            (_writing(arguments, "<value of before>"),),
        )

    def prior(self, target: Target, arguments: Arguments, term: Term) -> Prior | None:
        """See `Driver.prior`: the value in the file. None where the node does not have the address."""
        del term
        value = _value(target, arguments)
        has = _has_address(target, arguments)
        return {"value": value} if has and value not in (None, _ours(arguments)) else None

    def inject(self, target: Target, arguments: Arguments, prior: Prior) -> Reply:
        """See `Driver.inject`. A value that another has written since is not overwritten."""
        value = _value(target, arguments)
        if value not in (prior["value"], _ours(arguments)):
            return Reply(("sed",), -1, "", f"{arguments['track_file']} has {value} now, not {prior['value']}")
        return _write(target, arguments, _ours(arguments))

    def revert(self, target: Target, arguments: Arguments, prior: Prior) -> Reply:
        """See `Driver.revert`: the former value, unless another has written one since."""
        value = _value(target, arguments)
        if value != _ours(arguments):
            return Reply(("sed",), 0, "", f"{arguments['track_file']} has {value}, which is not ours")
        return _write(target, arguments, str(prior["value"]))

    def is_out(self, target: Target, arguments: Arguments, prior: Prior) -> tuple[bool | None, str]:
        """See `Driver.is_out`: out when the value is ours and the address is gone, not when the value is another's.

        Whether the address comes back then is for the pair to decide (`nopreempt`, `preempt_delay`).
        """
        del prior
        value, has = _value(target, arguments), _has_address(target, arguments)
        place = {True: "is on", False: "is not on", None: "cannot be looked for on"}[has]
        seen = f"{arguments['track_file']} has {value}, {arguments['address']} {place} {arguments['interface']}"
        if value is None or has is None:
            return None, seen
        if value != _ours(arguments):
            return False, seen
        return (None if has else True), seen


def _ours(arguments: Arguments) -> str:
    return f"-{arguments['lower_by']}"


def _value(target: Target, arguments: Arguments) -> str | None:
    """Return the number in the file, or None when there is none."""
    text = target.look(["cat", str(arguments["track_file"])]).out.strip()
    return text if _VALUE.match(text) else None


def _write(target: Target, arguments: Arguments, value: str) -> Reply:
    return target.do(_writing(arguments, value))


def _writing(arguments: Arguments, value: str) -> tuple[str, ...]:
    return "sed", "-i", "--follow-symlinks", f"1s/.*/{value}/", str(arguments["track_file"])


def _addresses(arguments: Arguments) -> tuple[str, ...]:
    return "ip", "-json", "address", "show", "dev", str(arguments["interface"])


def _has_address(target: Target, arguments: Arguments) -> bool | None:
    reply = target.look(_addresses(arguments))
    try:
        addresses = [each["local"] for entry in json.loads(reply.out) for each in entry.get("addr_info", [])]
    except (ValueError, LookupError, TypeError):
        return None
    return str(arguments["address"]) in addresses
