"""Knows how a fault driver declares what it asks for, as data that the loader checks faults against."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

RUNS_PROGRAMS = ("local", "netns", "ssh")
"""The transports of hosts that programs are run at."""


class ArgumentKind(enum.StrEnum):
    """How a driver's argument is written."""

    NAME = "name"
    OBJECT = "name of an object"  # as the target has it: of a unit, or of a virtual address; also with : @ %
    PATH = "absolute path"
    COMMAND = "command"  # a list: program (absolute path), then its arguments
    WHOLE = "whole number"  # from `low` to `high`
    ADDRESS = "IP address"
    NETWORK = "address or network"  # those of one fault are of one IP version
    COMMUNITIES = "BGP communities"  # a list of 65001:80


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument: required, unless it is `optional` or has a `default`.

    `choices` empty means any value of the kind. `only_with` is an argument before this one in the table and the
    values of it with which this one has a meaning.
    """

    kind: ArgumentKind
    about: str
    choices: tuple[str, ...] = ()
    low: int = 0
    high: int = 0
    default: str | int | None = None
    optional: bool = False
    only_with: tuple[str, tuple[str, ...]] | None = None


@dataclass(frozen=True, slots=True)
class Declared:
    """What a driver asks for: its arguments by name, and the transports of the hosts that it can be used at."""

    arguments: Mapping[str, Argument]
    transports: tuple[str, ...] = RUNS_PROGRAMS


Drivers = Mapping[str, Declared]
"""What each driver asks for, by the driver's name."""
