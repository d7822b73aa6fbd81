"""The driver `command`: any three commands of the user's, that inject, prove and revert."""

from __future__ import annotations

from chaos.driver import Arguments, Prior, Term
from chaos.transport import Reply, Run


class CommandDriver:
    """Arguments: `inject`, `prove` (exit code 0: the fault is out, 1: it is not, another: unknown), `revert`."""

    def prior(self, run: Run, arguments: Arguments, term: Term) -> Prior | None:
        """See `Driver.prior`."""
        del term
        out, _ = self.is_out(run, arguments, {})
        return {} if out is False else None

    def inject(self, run: Run, arguments: Arguments, prior: Prior) -> Reply:
        """See `Driver.inject`."""
        del prior
        return run(_words(arguments["inject"]))

    def revert(self, run: Run, arguments: Arguments, prior: Prior) -> Reply:
        """See `Driver.revert`."""
        del prior
        return run(_words(arguments["revert"]))

    def is_out(self, run: Run, arguments: Arguments, prior: Prior) -> tuple[bool | None, str]:
        """See `Driver.is_out`."""
        del prior
        reply = run(_words(arguments["prove"]))
        return {0: True, 1: False}.get(reply.code), reply.words


def _words(command: object) -> list[str]:
    return [str(word) for word in command] if isinstance(command, list | tuple) else []
