"""The six screens by name, and every binding that there is."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from textual.binding import Binding

from tui.keys import EVERYWHERE, SCREENS
from tui.screens.base import WatchScreen
from tui.seen import Seen


def screens() -> dict[str, Callable[[Seen], WatchScreen]]:
    """Return the six screens by name; a screen is imported when it is first gone to."""

    def later(module: str, name: str) -> Callable[[Seen], WatchScreen]:
        def make(seen: Seen) -> WatchScreen:
            found: WatchScreen = getattr(importlib.import_module(f"tui.screens.{module}"), name)(seen)
            return found

        return make

    return {name: later(name, f"{title}Screen") for _, name, title in SCREENS}


def all_bindings() -> list[Binding]:
    """Return every binding that has an id."""
    from tui.widgets.listing import Listing

    found = [*EVERYWHERE, *[each for each in Listing.BINDINGS if isinstance(each, Binding)]]
    for _, name, title in SCREENS:
        screen = getattr(importlib.import_module(f"tui.screens.{name}"), f"{title}Screen")
        found += [each for each in screen.BINDINGS if isinstance(each, Binding)]
    return found
