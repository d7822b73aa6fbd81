"""What is asked of a route that a driver announces: the same of every daemon."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from core.drivers import Argument, ArgumentKind

_OF_ANNOUNCE = ("action", ("announce",))
ANNOUNCED: Mapping[str, Argument] = MappingProxyType(
    {
        "next_hop": Argument(ArgumentKind.ADDRESS, "the next hop announced", only_with=_OF_ANNOUNCE),
        "med": Argument(
            ArgumentKind.WHOLE, "the MED announced", high=4_294_967_295, optional=True, only_with=_OF_ANNOUNCE
        ),
        "communities": Argument(
            ArgumentKind.COMMUNITIES, "the communities announced", optional=True, only_with=_OF_ANNOUNCE
        ),
    }
)
