"""The driver `link`: sets an interface of the target down, and up again."""

from __future__ import annotations

import json

from chaos.driver import Arguments, Prior, Term
from chaos.transport import Reply, Run


class LinkDriver:
    """Arguments: `interface`. Set down on the switch's side it is a pulled cable: the far end loses its carrier."""

    def prior(self, run: Run, arguments: Arguments, term: Term) -> Prior | None:
        """See `Driver.prior`."""
        del term
        out, _ = self.is_out(run, arguments, {})
        return {} if out is False else None

    def inject(self, run: Run, arguments: Arguments, prior: Prior) -> Reply:
        """See `Driver.inject`."""
        del prior
        return run(["ip", "link", "set", "dev", str(arguments["interface"]), "down"])

    def revert(self, run: Run, arguments: Arguments, prior: Prior) -> Reply:
        """See `Driver.revert`."""
        del prior
        return run(["ip", "link", "set", "dev", str(arguments["interface"]), "up"])

    def is_out(self, run: Run, arguments: Arguments, prior: Prior) -> tuple[bool | None, str]:
        """See `Driver.is_out`: read back from the kernel's flags."""
        del prior
        reply = run(["ip", "-json", "link", "show", "dev", str(arguments["interface"])])
        try:
            flags = json.loads(reply.out)[0]["flags"]
        except (ValueError, LookupError, TypeError):
            return None, reply.words
        return "UP" not in flags, f"flags of {arguments['interface']}: {','.join(flags)}"
