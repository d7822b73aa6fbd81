"""The driver `bird`: disables a protocol of a BIRD router (a static route, a BGP session), and enables it again."""

from __future__ import annotations

from chaos.driver import Arguments, Commands, Prior, Term
from chaos.transport import Reply, Target


class BirdDriver:
    """Arguments: `socket`, `protocol`, `action` (disable)."""

    def commands(self, arguments: Arguments) -> Commands:
        """See `Driver.commands`."""
        bird, protocol = _birdc(arguments), str(arguments["protocol"])
        return Commands(
            ((*bird, "disable", protocol),), ((*bird, "show", "protocols", protocol),), ((*bird, "enable", protocol),)
        )

    def prior(self, target: Target, arguments: Arguments, term: Term) -> Prior | None:
        """See `Driver.prior`."""
        del term
        out, _ = self.is_out(target, arguments, {})
        return {} if out is False else None

    def inject(self, target: Target, arguments: Arguments, prior: Prior) -> Reply:
        """See `Driver.inject`."""
        del prior
        return target.do([*_birdc(arguments), "disable", str(arguments["protocol"])])

    def revert(self, target: Target, arguments: Arguments, prior: Prior) -> Reply:
        """See `Driver.revert`."""
        del prior
        return target.do([*_birdc(arguments), "enable", str(arguments["protocol"])])

    def is_out(self, target: Target, arguments: Arguments, prior: Prior) -> tuple[bool | None, str]:
        """See `Driver.is_out`: the protocol's state in `show protocols`."""
        del prior
        protocol = str(arguments["protocol"])
        reply = target.look([*_birdc(arguments), "show", "protocols", protocol])
        for line in reply.out.splitlines():
            columns = line.split()
            if columns[:1] == [protocol] and len(columns) > 3:
                return columns[3] != "up", line
        return None, reply.words


def _birdc(arguments: Arguments) -> list[str]:
    return ["birdc", "-s", str(arguments["socket"])]
