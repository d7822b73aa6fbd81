"""The guard rails that an inventory sets. Values only."""

from __future__ import annotations

from dataclasses import dataclass

from core.windows import Freeze, Window


@dataclass(frozen=True, slots=True)
class Rails:
    """`windows`: when a run may be; none: always. `freezes`: days on which none may be.

    `survivors`: so many sites must go on announcing the VIP while faults are out.
    """

    windows: tuple[Window, ...] = ()
    freezes: tuple[Freeze, ...] = ()
    survivors: int = 1
