"""The driver `command`: any three commands of the user's, that inject, prove and revert."""

from __future__ import annotations

from chaos.driver import Arguments, Commands, Prior, Term
from chaos.transport import Reply, Target
from core.drivers import Argument, ArgumentKind, Declared


class CommandDriver:
    """The proof's exit code is 0 where the fault is out and 1 where it is not; another is unknown."""

    declared = Declared(
        {
            "inject": Argument(ArgumentKind.COMMAND, "the command that injects the fault"),
            "prove": Argument(ArgumentKind.COMMAND, "ends with 0: the fault is out, 1: it is not, else unknown"),
            "revert": Argument(ArgumentKind.COMMAND, "the command that reverts it; it may be run twice"),
        }
    )

    def commands(self, arguments: Arguments) -> Commands:
        """See `Driver.commands`."""
        inject, prove, revert = (tuple(_words(arguments[step])) for step in ("inject", "prove", "revert"))
        return Commands((inject,), (prove,), (revert,))

    def prior(self, target: Target, arguments: Arguments, term: Term) -> Prior | None:
        """See `Driver.prior`."""
        del term
        out, _ = self.is_out(target, arguments, {})
        return {} if out is False else None

    def inject(self, target: Target, arguments: Arguments, prior: Prior) -> Reply:
        """See `Driver.inject`."""
        del prior
        return target.do(_words(arguments["inject"]))

    def revert(self, target: Target, arguments: Arguments, prior: Prior) -> Reply:
        """See `Driver.revert`."""
        del prior
        return target.do(_words(arguments["revert"]))

    def is_out(self, target: Target, arguments: Arguments, prior: Prior) -> tuple[bool | None, str]:
        """See `Driver.is_out`."""
        del prior
        reply = target.look(_words(arguments["prove"]))
        return {0: True, 1: False}.get(reply.code), reply.words


def _words(command: object) -> list[str]:
    return [str(word) for word in command] if isinstance(command, list | tuple) else []
