"""What a query of a dashboard must return, worked out from lines alone: no database, no InfluxQL."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from line_protocol_parser import parse_line

from dashboards.grafana.query import Column, Query, Where

Row = dict[str, Any]


@dataclass(frozen=True)
class Seen:
    """One point as another's parser read it."""

    measurement: str
    tags: Mapping[str, str]
    fields: Mapping[str, Any]
    time: int

    def get(self, name: str) -> Any:  # noqa: ANN401
        return self.fields.get(name, self.tags.get(name))


def read(lines: Sequence[str]) -> list[Seen]:
    """Points of these lines; of two of one series at one time the later one counts, as in a server."""
    found: dict[Any, Seen] = {}
    for line in lines:
        one = parse_line(line)
        seen = Seen(one["measurement"], one["tags"], one["fields"], one["time"])
        found[seen.measurement, tuple(sorted(seen.tags.items())), seen.time] = seen
    return list(found.values())


def evaluate(query: Query, points: Sequence[Seen], every_ns: int) -> list[Row]:
    """Return the rows: columns by name, `time`, and the tags that are grouped by."""
    chosen = [one for one in points if one.measurement == query.measurement.name and all(map(_fits(one), query.where))]
    if not any(column.how for column in query.columns):
        return _raw(query, chosen)
    groups: defaultdict[tuple[Any, ...], list[Seen]] = defaultdict(list)
    for one in chosen:
        at = one.time - one.time % every_ns if query.every else 0
        groups[at, *(one.tags[name] for name in query.by)].append(one)
    rows = []
    for (at, *tags), mine in groups.items():
        values = {_name(query, column): _value(column, mine) for column in query.columns}
        if any(value is not None for value in values.values()):
            rows.append({"time": at, **dict(zip(query.by, tags, strict=True)), **values})
    return rows


def _raw(query: Query, chosen: Sequence[Seen]) -> list[Row]:
    chosen = sorted(chosen, key=lambda one: -one.time)
    rows = [
        {"time": one.time, **{column.name or column.field: one.get(column.field) for column in query.columns}}
        for one in chosen
        if any(column.field in one.fields for column in query.columns)
    ]
    return rows[: query.newest] if query.newest else rows


def _fits(point: Seen) -> Callable[[Where], bool]:
    def fits(where: Where) -> bool:
        value = point.get(where.name)
        if value is None:
            return False
        if where.sign == ">":
            return bool(value > where.value)
        return (value == where.value) is (where.sign == "=")

    return fits


def _name(query: Query, column: Column) -> str:
    """How InfluxQL calls a column: by its alias, or by the function, numbered from the second on."""
    assert column.name or sum(one.how == column.how for one in query.columns) == 1
    if column.name:
        return column.name
    if column.how == "share":
        return "sum_sum"
    return "percentile" if column.how.startswith("p") else column.how


def _value(column: Column, points: Sequence[Seen]) -> Any:  # noqa: ANN401
    values = [one.fields[column.field] for one in points if column.field in one.fields]
    if not values:
        return None
    if column.how == "count":
        return len(values)
    if column.how == "share":
        return 100 * sum(values) / sum(one.fields[column.of] for one in points)
    if column.how.startswith("p"):
        rank = math.floor(len(values) * int(column.how[1:]) / 100 + 0.5) - 1
        return sorted(values)[rank] if 0 <= rank < len(values) else None
    if column.how == "last":
        return max((one.time, one.fields[column.field]) for one in points if column.field in one.fields)[1]
    of: dict[str, Callable[[Sequence[Any]], Any]] = {"sum": sum, "max": max, "min": min, "median": median}
    return sum(values) / len(values) if column.how == "mean" else of[column.how](values)
