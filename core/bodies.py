"""Records as JSON-ready values and back: `RECORD_TYPES` maps a kind, stored as text, to its type."""

from __future__ import annotations

import dataclasses
import enum
import functools
import types
import typing
from collections.abc import Mapping

from core.records import Record

RECORD_TYPES: Mapping[str, type[Record]] = types.MappingProxyType(
    {record_type.__name__: record_type for record_type in typing.get_args(Record)}
)


def to_body(record: Record) -> dict[str, object]:
    """Return the record's fields as JSON-ready values; the kind is the type's name."""
    return dataclasses.asdict(record)


def from_body(kind: str, body: Mapping[str, object]) -> Record:
    """Rebuild a record from its kind and fields.

    Unknown fields are ignored and missing ones take their default, so that a newer or older journal can
    still be read. Raises KeyError for an unknown kind and TypeError for a missing field without default.
    """
    record_type = RECORD_TYPES[kind]
    hints = _hints(kind)
    known = {name: _restore(hints[name], body[name]) for name in hints if name in body}
    return record_type(**known)  # type: ignore[arg-type]


@functools.cache
def _hints(kind: str) -> Mapping[str, object]:
    """Return the types of a record's fields; working them out costs more than all the rest of reading a record."""
    return typing.get_type_hints(RECORD_TYPES[kind])


def _restore(hint: object, value: object) -> object:
    if isinstance(hint, type) and issubclass(hint, enum.StrEnum):
        return hint(str(value))
    if isinstance(value, list):
        return tuple(_restore(None, item) for item in value)
    return value
