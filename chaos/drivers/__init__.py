"""The fault drivers: `NAME.py` holds the class `NameDriver`, and is found by that. core.drivers has their arguments."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType

from chaos.driver import Driver


def _found() -> Mapping[str, Driver]:
    found: dict[str, Driver] = {}
    for module in pkgutil.iter_modules(__path__):
        file = importlib.import_module(f"{__name__}.{module.name}")
        found[module.name] = getattr(file, f"{module.name.capitalize()}Driver")()
    return MappingProxyType(found)


DRIVERS = _found()
