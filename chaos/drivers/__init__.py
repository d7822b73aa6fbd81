"""The fault drivers: `some_name.py` holds the class `SomeNameDriver`, and is found by that. See `chaos.driver`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType

from chaos.driver import Driver
from core.drivers import Declared, Drivers
from core.errors import ConfigError


def found() -> Mapping[str, Driver]:
    """Return the drivers of this package by name. Raises ConfigError for a file in which there is none."""
    names = [module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")]
    return MappingProxyType({name: _driver(name) for name in names})


def _driver(name: str) -> Driver:
    file = importlib.import_module(f"{__name__}.{name}")
    wanted = "".join(word.capitalize() for word in name.split("_")) + "Driver"
    driver: Driver | None = getattr(file, wanted, lambda: None)()
    if driver is None or not isinstance(getattr(driver, "declared", None), Declared):
        raise ConfigError(f"{file.__file__}: is no driver, allowed: a class {wanted} whose `declared` is a Declared")
    return driver


DRIVERS = found()
DECLARED: Drivers = MappingProxyType({name: driver.declared for name, driver in DRIVERS.items()})
"""What the loader checks faults against."""
