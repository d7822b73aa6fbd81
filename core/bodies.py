"""Records as JSON-ready values and back: `RECORD_TYPES` maps a kind, stored as text, to its type."""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from collections.abc import Callable, Mapping
from operator import attrgetter

from core.records import Record

RECORD_TYPES: Mapping[str, type[Record]] = types.MappingProxyType(
    {record_type.__name__: record_type for record_type in typing.get_args(Record)}
)

_Shape = tuple[type[Record], frozenset[str], tuple[tuple[str, Callable[[object], object]], ...]]
"""A record's type, the names of its fields, and how those are restored that JSON has no type for."""


def to_body(record: Record) -> dict[str, object]:
    """Return the record's fields as JSON-ready values; the kind is the type's name.

    They are values already, so none is copied as `dataclasses.asdict` would: that took most of a journal's time.
    """
    names, values_of = _FIELDS[type(record)]
    return dict(zip(names, values_of(record), strict=True))


def from_body(kind: str, body: Mapping[str, object]) -> Record:
    """Rebuild a record from its kind and fields.

    Unknown fields are ignored and missing ones take their default, so that a newer or older journal can
    still be read. Raises KeyError for an unknown kind and TypeError for a missing field without default.
    """
    record_type, names, restored = _SHAPES[kind]
    fields = body if body.keys() <= names else {name: body[name] for name in names if name in body}
    if restored:
        fields = dict(fields)
        for name, restore in restored:
            if name in fields:
                fields[name] = restore(fields[name])
    return record_type(**fields)  # type: ignore[arg-type]


def _tuples(value: object) -> object:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _flat(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _member(members: type[enum.StrEnum]) -> Callable[[object], object]:
    """Return what gives a member for its value, looked up where it is one: a call of the type costs four times that."""
    known = {member.value: member for member in members}

    def member(value: object) -> object:
        return known[value] if isinstance(value, str) and value in known else members(str(value))

    return member


def _fields(record_type: type[Record]) -> tuple[tuple[str, ...], Callable[[object], tuple[object, ...]]]:
    names = tuple(field.name for field in dataclasses.fields(record_type))
    return names, attrgetter(*names)


def _shape(record_type: type[Record]) -> _Shape:
    """Return what it takes to rebuild a record; hints are looked up once, not for each of a million records."""
    restored: list[tuple[str, Callable[[object], object]]] = []
    hints = typing.get_type_hints(record_type)
    for name, hint in hints.items():
        if isinstance(hint, type) and issubclass(hint, enum.StrEnum):
            restored.append((name, _member(hint)))
        elif typing.get_origin(hint) is tuple:
            restored.append((name, _flat if typing.get_args(hint)[0] in (int, str) else _tuples))
    return record_type, frozenset(hints), tuple(restored)


_FIELDS: Mapping[type[Record], tuple[tuple[str, ...], Callable[[object], tuple[object, ...]]]] = types.MappingProxyType(
    {each: _fields(each) for each in RECORD_TYPES.values()}
)
_SHAPES: Mapping[str, _Shape] = types.MappingProxyType({kind: _shape(each) for kind, each in RECORD_TYPES.items()})
