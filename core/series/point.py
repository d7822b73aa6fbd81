"""One point and the line that it is written as: InfluxDB's line protocol, escaped by hand.

Source: "Line protocol", InfluxDB v2 reference, and the parser of InfluxDB 1.6 (models/points.go): a backslash in a tag
escapes what follows only where that is a comma, an equals sign or a space, and cannot be written last; line breaks
end a point for some servers even inside quotes. So control characters become spaces, and backslashes in tags `_`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple

from core.series.measurement import Kind, Measurement, Stamp

Value = int | float | bool | str | None
GRAIN_NS = 100_000
"""What a numbered stamp keeps of its instant; the digits below are the number."""
LONGEST_TEXT = 2_000
"""Characters; servers refuse strings over 64 kB."""
_CONTROLS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_IN_TAG = re.compile(r"([,= ])")


class Point(NamedTuple):
    """One point: tags and values in the order of the measurement, None for a value that is absent.

    `t_ns` is on the clock of the journal (monotonic); `line` is told the offset to the wall.
    """

    measurement: Measurement
    tags: tuple[str, ...]
    values: tuple[Value, ...]
    t_ns: int


def stamp_ns(point: Point, offset_ns: int, number: int) -> int:
    """Return the point's time since 1970; `number` counts the records of its journal (see `Stamp`)."""
    wall_ns = point.t_ns + offset_ns
    if point.measurement.stamp is Stamp.EXACT:
        return wall_ns
    return wall_ns - wall_ns % GRAIN_NS + number % GRAIN_NS


def writer(environment: str) -> Callable[[Point, int, int], str]:
    """Return what writes a point as one line, without the line's end: (point, offset_ns, number) -> line.

    A point of which every value is absent gives ''.
    """
    head = lru_cache(maxsize=65_536)(lambda measurement, tags: _head(measurement, environment, tags))
    template = lru_cache(maxsize=None)(_template)

    def write(point: Point, offset_ns: int, number: int) -> str:
        measurement, tags, values, _ = point
        if measurement.numeric and None not in values:
            fields = template(measurement) % values
        else:
            fields = _fields(measurement, values)
        if not fields:
            return ""
        return f"{head(measurement, tags)} {fields} {stamp_ns(point, offset_ns, number)}"

    return write


def straight(measurement: Measurement, environment: str) -> Callable[[Any, int], str]:
    """Return what writes a record as one line at once: (record, offset_ns) -> line, the same as by way of a point.

    For a measurement of integers with an exact time, whose tags and fields are called as the record's are. A summary
    is written so a million times a day: half the cost of the way by a point.
    """
    assert measurement.numeric
    assert measurement.stamp is Stamp.EXACT
    tags_of: Callable[[object], Any] = attrgetter(*measurement.tags)
    values_of: Callable[[object], tuple[int, ...]] = attrgetter(*(one.name for one in measurement.fields))
    single = len(measurement.tags) == 1
    heads: dict[Any, str] = {}

    def write(record: Any, offset_ns: int) -> str:  # noqa: ANN401  whatever has these attributes
        tags = tags_of(record)
        template = heads.get(tags)
        if template is None:
            head = _head(measurement, environment, (tags,) if single else tags).replace("%", "%%")
            template = heads[tags] = f"{head} {_template(measurement)} %d"
        return template % (*values_of(record), record.t_ns + offset_ns)

    return write


def _head(measurement: Measurement, environment: str, tags: tuple[str, ...]) -> str:
    pairs = zip(("environment", *measurement.tags), (environment, *tags), strict=True)
    return ",".join([measurement.name, *(f"{name}={tag_text(value)}" for name, value in pairs)])


def _template(measurement: Measurement) -> str:
    return ",".join(f"{one.name}=%di" for one in measurement.fields)


def _fields(measurement: Measurement, values: tuple[Value, ...]) -> str:
    return ",".join(
        f"{one.name}={text}"
        for one, value in zip(measurement.fields, values, strict=True)
        if value is not None and (text := _value(one.kind, value))
    )


def _value(kind: Kind, value: int | float | bool | str) -> str:
    if kind is Kind.INTEGER:
        return f"{int(value)}i"
    if kind is Kind.STRING:
        return f'"{field_text(str(value))}"'
    if kind is Kind.BOOLEAN:
        return "true" if value else "false"
    return repr(float(value)) if math.isfinite(float(value)) else ""


def tag_text(value: str) -> str:
    """Return a tag's value as it is written; '' is `unknown`, for no tag can be empty."""
    plain = _plain(value).replace("\\", "_")
    return _IN_TAG.sub(r"\\\1", plain) or "unknown"


def field_text(value: str) -> str:
    """Return a string field's value as it is written between its quotes."""
    return _plain(value).replace("\\", "\\\\").replace('"', '\\"')


def _plain(value: str) -> str:
    cut = value if len(value) <= LONGEST_TEXT else value[: LONGEST_TEXT - 1] + "\u2026"
    return _CONTROLS.sub(" ", cut).encode("utf-8", "replace").decode()
