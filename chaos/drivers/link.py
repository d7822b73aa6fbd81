"""The driver `link`: sets an interface of the target down, and up again."""

from __future__ import annotations

import json

from chaos.driver import Arguments, Commands, Prior, Term
from chaos.transport import Reply, Target
from core.drivers import Argument, ArgumentKind, Declared


class LinkDriver:
    """Set down on the switch's side it is a pulled cable: the far end loses its carrier."""

    declared = Declared({"interface": Argument(ArgumentKind.NAME, "the interface of the target that is set down")})

    def commands(self, arguments: Arguments) -> Commands:
        """See `Driver.commands`."""
        return Commands((_set(arguments, "down"),), (_show(arguments),), (_set(arguments, "up"),))

    def prior(self, target: Target, arguments: Arguments, term: Term) -> Prior | None:
        """See `Driver.prior`."""
        del term
        out, _ = self.is_out(target, arguments, {})
        return {} if out is False else None

    def inject(self, target: Target, arguments: Arguments, prior: Prior) -> Reply:
        """See `Driver.inject`."""
        del prior
        return target.do(_set(arguments, "down"))

    def revert(self, target: Target, arguments: Arguments, prior: Prior) -> Reply:
        """See `Driver.revert`."""
        del prior
        return target.do(_set(arguments, "up"))

    def is_out(self, target: Target, arguments: Arguments, prior: Prior) -> tuple[bool | None, str]:
        """See `Driver.is_out`: read back from the kernel's flags."""
        del prior
        reply = target.look(_show(arguments))
        try:
            flags = json.loads(reply.out)[0]["flags"]
        except (ValueError, LookupError, TypeError):
            return None, reply.words
        return "UP" not in flags, f"flags of {arguments['interface']}: {','.join(flags)}"


def _set(arguments: Arguments, state: str) -> tuple[str, ...]:
    return "ip", "link", "set", "dev", str(arguments["interface"]), state


def _show(arguments: Arguments) -> tuple[str, ...]:
    return "ip", "-json", "link", "show", "dev", str(arguments["interface"])
