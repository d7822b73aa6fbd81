"""What a measurement of the time series is: its tags and its fields with type and unit. Values only."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field


class Kind(enum.StrEnum):
    """The type of a field, as line protocol knows it."""

    INTEGER = "integer"
    FLOAT = "float"
    BOOLEAN = "boolean"
    STRING = "string"


class Stamp(enum.StrEnum):
    """What a point's time is; two points of one series at one instant would overwrite each other."""

    EXACT = "exact"
    """The record's instant: a series has one such point a second, or one a run."""
    NUMBERED = "numbered"
    """The instant to 0.1 ms; the digits below count the records of the journal, so that no two points have one time."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field: `unit` is '' where the value has none."""

    name: str
    kind: Kind
    unit: str
    about: str


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """One measurement; it equals itself only, so that looking something up by it compares no fields.

    `tags` come after `environment`, which every point has. `series`: how many there can be.
    """

    name: str
    about: str
    stamp: Stamp
    tags: tuple[str, ...]
    fields: tuple[Field, ...]
    series: str
    numeric: bool = field(init=False)
    """Whether all fields are integers, which are written without a look at each."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "numeric", all(one.kind is Kind.INTEGER for one in self.fields))
