"""The driver `conntrack`: makes a node forget its sessions, by flushing the kernel's table of them, or a part of it.

What is flushed cannot be put back. Traffic may bring entries back at once, so a lower count would prove little; the
proof is that the entries of before are gone. The kernel numbers an entry by its place in memory and its addresses
(`conntrack -o id`), so a few that come back may have their number of before: at least half must not.
"""

from __future__ import annotations

import re

from chaos.driver import NOTHING_TO_REVERT, Arguments, Prior, Term
from chaos.transport import Reply, Run

FOLLOWED = 100
"""So many of the entries that are flushed are looked for afterwards."""
_ID = re.compile(r" id=([0-9]+)$", re.MULTILINE)


class ConntrackDriver:
    """Arguments: `flush` (all, destination), and for the latter `destination`, which sessions were opened to."""

    def prior(self, run: Run, arguments: Arguments, term: Term) -> Prior | None:
        """See `Driver.prior`: how many entries there are, and some of them. None where there are none."""
        del term
        entries = _entries(run, arguments)
        return {"count": len(entries), "entries": entries[:FOLLOWED]} if entries else None

    def inject(self, run: Run, arguments: Arguments, prior: Prior) -> Reply:
        """See `Driver.inject`."""
        del prior
        if arguments["flush"] == "all":
            return run(["conntrack", "-F"])
        return run(["conntrack", "-D", "-d", str(arguments["destination"])])

    def revert(self, run: Run, arguments: Arguments, prior: Prior) -> Reply:
        """See `Driver.revert`."""
        del run, arguments, prior
        return NOTHING_TO_REVERT

    def is_out(self, run: Run, arguments: Arguments, prior: Prior) -> tuple[bool | None, str]:
        """See `Driver.is_out`: whether most of the entries of before are gone."""
        entries, before = _entries(run, arguments), prior["entries"]
        if entries is None or not isinstance(before, list):
            return None, "the entries cannot be listed"
        left = len(set(before) & set(entries))
        seen = f"{left} of {len(before)} entries of before are left; {prior['count']} before, {len(entries)} now"
        return 2 * left <= len(before), seen


def _entries(run: Run, arguments: Arguments) -> list[str] | None:
    """Return the numbers of the entries that the fault is about, or None when they cannot be listed."""
    which = [] if arguments["flush"] == "all" else ["-d", str(arguments["destination"])]
    reply = run(["conntrack", "-L", "-o", "id", *which])
    return _ID.findall(reply.out) if reply.code == 0 else None
