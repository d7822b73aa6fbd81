"""The driver `bird`: disables a protocol of a BIRD router (a static route, a BGP session), and enables it again."""

from __future__ import annotations

from chaos.driver import Arguments, Prior, Term
from chaos.transport import Reply, Run


class BirdDriver:
    """Arguments: `socket`, `protocol`, `action` (disable)."""

    def prior(self, run: Run, arguments: Arguments, term: Term) -> Prior | None:
        """See `Driver.prior`."""
        del term
        out, _ = self.is_out(run, arguments, {})
        return {} if out is False else None

    def inject(self, run: Run, arguments: Arguments, prior: Prior) -> Reply:
        """See `Driver.inject`."""
        del prior
        return run([*_birdc(arguments), "disable", str(arguments["protocol"])])

    def revert(self, run: Run, arguments: Arguments, prior: Prior) -> Reply:
        """See `Driver.revert`."""
        del prior
        return run([*_birdc(arguments), "enable", str(arguments["protocol"])])

    def is_out(self, run: Run, arguments: Arguments, prior: Prior) -> tuple[bool | None, str]:
        """See `Driver.is_out`: the protocol's state in `show protocols`."""
        del prior
        protocol = str(arguments["protocol"])
        reply = run([*_birdc(arguments), "show", "protocols", protocol])
        for line in reply.out.splitlines():
            columns = line.split()
            if columns[:1] == [protocol] and len(columns) > 3:
                return columns[3] != "up", line
        return None, reply.words


def _birdc(arguments: Arguments) -> list[str]:
    return ["birdc", "-s", str(arguments["socket"])]
