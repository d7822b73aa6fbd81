"""Records as JSON-ready values and back: `RECORD_TYPES` maps a kind, stored as text, to its type."""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from collections.abc import Callable, Mapping

from core.records import Record

RECORD_TYPES: Mapping[str, type[Record]] = types.MappingProxyType(
    {record_type.__name__: record_type for record_type in typing.get_args(Record)}
)

_Shape = tuple[type[Record], frozenset[str], tuple[tuple[str, Callable[[object], object]], ...]]
"""A record's type, the names of its fields, and how those are restored that JSON has no type for."""


def to_body(record: Record) -> dict[str, object]:
    """Return the record's fields as JSON-ready values; the kind is the type's name."""
    return dataclasses.asdict(record)


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


def _shape(record_type: type[Record]) -> _Shape:
    """Return what it takes to rebuild a record; hints are looked up once, not for each of a million records."""
    restored: list[tuple[str, Callable[[object], object]]] = []
    hints = typing.get_type_hints(record_type)
    for name, hint in hints.items():
        if isinstance(hint, type) and issubclass(hint, enum.StrEnum):
            restored.append((name, hint))
        elif typing.get_origin(hint) is tuple:
            restored.append((name, _tuples))
    return record_type, frozenset(hints), tuple(restored)


_SHAPES: Mapping[str, _Shape] = types.MappingProxyType({kind: _shape(each) for kind, each in RECORD_TYPES.items()})
