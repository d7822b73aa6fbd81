"""The fault drivers: one file each with one class, found by name. core.drivers lists their arguments."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from chaos.drivers.bird import BirdDriver
from chaos.drivers.link import LinkDriver
from chaos.drivers.process import ProcessDriver
from chaos.transport import Reply, Run

Arguments = Mapping[str, object]
Prior = Mapping[str, object]


class Driver(Protocol):
    """One kind of fault. Every step may be repeated without harm."""

    def prior(self, run: Run, arguments: Arguments) -> Prior | None:
        """Return what `revert` needs to know, or None when the fault is there already (it is not ours to revert)."""
        ...

    def inject(self, run: Run, arguments: Arguments, prior: Prior) -> Reply:
        """Do it."""
        ...

    def revert(self, run: Run, arguments: Arguments, prior: Prior) -> Reply:
        """Undo it."""
        ...

    def is_out(self, run: Run, arguments: Arguments, prior: Prior) -> tuple[bool | None, str]:
        """Look at the target: is the fault out (None: it cannot be told), and what was seen."""
        ...


DRIVERS: Mapping[str, Driver] = MappingProxyType(
    {"bird": BirdDriver(), "link": LinkDriver(), "process": ProcessDriver()}
)
