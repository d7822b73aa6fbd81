"""Reads and checks the section `rails` of an inventory."""

from __future__ import annotations

from core.rails import Rails
from core.reader import Reader
from core.time_reader import read_closing, read_days, read_time, read_weekdays, read_zone
from core.windows import Freeze, Window

KEYS = ("windows", "freezes")


def read_rails(inventory: Reader) -> Rails:
    """Return the guard rails; without the section, those that hold nowhere set. Problems are noted."""
    if not inventory.has("rails"):
        return Rails()
    section = inventory.section("rails", f"a mapping with {', '.join(KEYS)}")
    if section is None:
        return Rails()
    section.only(*KEYS)
    return Rails(windows=_windows(section), freezes=_freezes(section))


def _windows(rails: Reader) -> tuple[Window, ...]:
    if not rails.has("windows"):
        return ()
    found = []
    for section in rails.sections("windows", "a list of windows; leave the key out to allow every time"):
        section.only("weekdays", "from", "to", "time_zone")
        weekdays, zone = read_weekdays(section), read_zone(section)
        opens, closes = read_time(section, "from"), read_closing(section, "to")
        if opens is not None and opens == closes:
            section.problem(section.line_of("to"), "to", "is the same as from", 'another time; "24:00" ends the day')
        elif opens is not None and closes is not None and zone is not None:
            found.append(Window(weekdays, opens, closes, zone))
    return tuple(found)


def _freezes(rails: Reader) -> tuple[Freeze, ...]:
    if not rails.has("freezes"):
        return ()
    found: list[Freeze] = []
    for section in rails.sections("freezes", "a list of freezes; leave the key out to have none"):
        section.only("name", "date", "from", "to", "time_zone")
        name = section.name("name")
        freeze = read_days(section, name, read_zone(section))
        if name is not None and name in (other.name for other in found):
            section.problem(section.line_of("name"), "name", f"{name} is the name of another freeze", "each name once")
        if freeze is not None:
            found.append(freeze)
    return tuple(found)
