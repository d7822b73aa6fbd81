"""What a fault driver is: the four steps of one kind of fault, and what they hand to each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from chaos.transport import Reply, Target
from core.drivers import Declared

Arguments = Mapping[str, object]
Prior = Mapping[str, object]


NOTHING_TO_REVERT = Reply((), 0, "", "nothing to put back")
"""What `revert` returns where the fault was over as it was injected (sessions shut, state flushed): nothing is out."""


@dataclass(frozen=True, slots=True)
class Term:
    """What a driver may know of the lease: a name no other fault has, and when it ends on the monotonic clock."""

    name: str
    deadline_ns: int


@dataclass(frozen=True, slots=True)
class Commands:
    """What each step does, for people to read before it is done: argv lists; `<...>` is known at run time only.

    A word that is `<...>` alone may stand for several. `revert` is empty where nothing is to be put back.
    """

    inject: tuple[tuple[str, ...], ...]
    prove: tuple[tuple[str, ...], ...]
    revert: tuple[tuple[str, ...], ...]


class Driver(Protocol):
    """One kind of fault. Every step may be repeated without harm.

    What only reads goes by `target.look`, what changes anything by `target.do`: a dry run does the first alone.
    """

    @property
    def declared(self) -> Declared:
        """What it asks for; `arguments` of every step are checked against it."""
        ...

    def commands(self, arguments: Arguments) -> Commands:
        """Return what the steps would do. Nothing is asked and nothing touched."""
        ...

    def prior(self, target: Target, arguments: Arguments, term: Term) -> Prior | None:
        """Return what `revert` needs to know, or None when the fault is there already (it is not ours to revert)."""
        ...

    def inject(self, target: Target, arguments: Arguments, prior: Prior) -> Reply:
        """Do it."""
        ...

    def revert(self, target: Target, arguments: Arguments, prior: Prior) -> Reply:
        """Undo it, or return `NOTHING_TO_REVERT`: then `is_out` is not asked whether it is undone."""
        ...

    def is_out(self, target: Target, arguments: Arguments, prior: Prior) -> tuple[bool | None, str]:
        """Look at the target: is the fault out (None: it cannot be told), and what was seen."""
        ...
