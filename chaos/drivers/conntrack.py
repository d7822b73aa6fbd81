"""The driver `conntrack`: makes a node forget its sessions, by flushing the kernel's table of them, or a part of it.

What is flushed cannot be put back. Traffic may bring entries back at once, so a lower count would prove little; the
proof is that the entries of before are gone. The kernel numbers an entry by its place in memory and its addresses
(`conntrack -o id`), so a few that come back may have their number of before: at least half must not.
"""

from __future__ import annotations

import re

from chaos.driver import NOTHING_TO_REVERT, Arguments, Commands, Prior, Term
from chaos.transport import Reply, Target
from core.drivers import Argument, ArgumentKind, Declared

FOLLOWED = 100
"""So many of the entries that are flushed are looked for afterwards."""
_ID = re.compile(r" id=([0-9]+)$", re.MULTILINE)


class ConntrackDriver:
    """What is flushed comes back by traffic alone."""

    declared = Declared(
        {
            "flush": Argument(ArgumentKind.NAME, "which sessions are forgotten", ("all", "destination")),
            "destination": Argument(
                ArgumentKind.ADDRESS, "those opened to this address", only_with=("flush", ("destination",))
            ),
        }
    )

    def commands(self, arguments: Arguments) -> Commands:
        """See `Driver.commands`."""
        return Commands((_flush(arguments),), (_list(arguments),), ())

    def prior(self, target: Target, arguments: Arguments, term: Term) -> Prior | None:
        """See `Driver.prior`: how many entries there are, and some of them. None where there are none."""
        del term
        entries = _entries(target, arguments)
        return {"count": len(entries), "entries": entries[:FOLLOWED]} if entries else None

    def inject(self, target: Target, arguments: Arguments, prior: Prior) -> Reply:
        """See `Driver.inject`."""
        del prior
        return target.do(_flush(arguments))

    def revert(self, target: Target, arguments: Arguments, prior: Prior) -> Reply:
        """See `Driver.revert`."""
        del target, arguments, prior
        return NOTHING_TO_REVERT

    def is_out(self, target: Target, arguments: Arguments, prior: Prior) -> tuple[bool | None, str]:
        """See `Driver.is_out`: whether most of the entries of before are gone."""
        entries, before = _entries(target, arguments), prior["entries"]
        if entries is None or not isinstance(before, list):
            return None, "the entries cannot be listed"
        left = len(set(before) & set(entries))
        seen = f"{left} of {len(before)} entries of before are left; {prior['count']} before, {len(entries)} now"
        return 2 * left <= len(before), seen


def _flush(arguments: Arguments) -> tuple[str, ...]:
    if arguments["flush"] == "all":
        return "conntrack", "-F"
    return "conntrack", "-D", "-d", str(arguments["destination"])


def _list(arguments: Arguments) -> tuple[str, ...]:
    which = () if arguments["flush"] == "all" else ("-d", str(arguments["destination"]))
    return "conntrack", "-L", "-o", "id", *which


def _entries(target: Target, arguments: Arguments) -> list[str] | None:
    """Return the numbers of the entries that the fault is about, or None when they cannot be listed."""
    reply = target.look(_list(arguments))
    return _ID.findall(reply.out) if reply.code == 0 else None
