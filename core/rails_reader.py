"""Reads and checks the section `rails` of an inventory."""

from __future__ import annotations

from core.rails import Rails
from core.reader import Reader
from core.shapes import FREEZE, RAILS, WINDOW
from core.time_reader import read_closing, read_days, read_time, read_weekdays, read_zone
from core.windows import Freeze, Window


def read_rails(inventory: Reader) -> Rails:
    """Return the guard rails; without the section, those that hold nowhere set. Problems are noted."""
    if not inventory.has("rails"):
        return Rails()
    section = inventory.section("rails", f"a mapping with {', '.join(RAILS)}")
    if section is None:
        return Rails()
    section.only(*RAILS)
    survivors = section.whole("survivors", *RAILS["survivors"].whole_range) if section.has("survivors") else 1
    return Rails(_windows(section), _freezes(section), survivors or 1)


def _windows(rails: Reader) -> tuple[Window, ...]:
    if not rails.has("windows"):
        return ()
    found = []
    for section in rails.sections("windows", "a list of windows; leave the key out to allow every time"):
        section.only(*WINDOW)
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
        section.only(*FREEZE)
        name = section.name("name")
        freeze = read_days(section, name, read_zone(section))
        if name is not None and name in (other.name for other in found):
            section.problem(section.line_of("name"), "name", f"{name} is the name of another freeze", "each name once")
        if freeze is not None:
            found.append(freeze)
    return tuple(found)
