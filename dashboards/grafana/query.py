"""A query on the time series, as a value: what is selected, from which measurement, grouped how; and its InfluxQL.

InfluxQL runs on InfluxDB 1 and 2 (there with a mapping of database and retention policy), and 1.6.7 executes each
in the tests. A measurement, tag or field that the schema has not is refused as the query is made.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.series.measurement import Kind, Measurement

AGGREGATES = ("count", "sum", "max", "min", "last", "mean", "median")
FILTERED = ("environment", "vantage", "experiment")
"""Tags that have a variable of the same name on a dashboard that knows it."""


@dataclass(frozen=True, slots=True)
class Column:
    """One selected column: `how` is '' (the value as it is), an aggregate, `p95` and the like, or `share` of `of`."""

    field: str
    how: str = ""
    name: str = ""
    of: str = ""

    def influxql(self) -> str:
        """Return it as InfluxQL."""
        name = f' AS "{self.name}"' if self.name else ""
        if self.how == "share":
            return f'100 * sum("{self.field}") / sum("{self.of}"){name}'
        if self.how.startswith("p"):
            return f'percentile("{self.field}", {int(self.how[1:])}){name}'
        return f'{self.how}("{self.field}"){name}' if self.how else f'"{self.field}"{name}'


def columns(*names: str) -> tuple[Column, ...]:
    """Return columns of values as they are."""
    return tuple(map(Column, names))


@dataclass(frozen=True, slots=True)
class Where:
    """One condition: `=`, `!=`, `>` of a tag or field and a value."""

    name: str
    sign: str
    value: str | int | bool

    def influxql(self) -> str:
        """Return it as InfluxQL."""
        plain = str(self.value).lower() if isinstance(self.value, bool) else str(self.value)
        return f'"{self.name}" {self.sign} ' + (f"'{plain}'" if isinstance(self.value, str) else plain)


@dataclass(frozen=True, slots=True)
class Query:
    """One query. `by`: tags to group by; `every`: a time to group by ('' none); `newest`: how many rows ('' all)."""

    measurement: Measurement
    columns: tuple[Column, ...]
    where: tuple[Where, ...] = ()
    by: tuple[str, ...] = ()
    every: str = ""
    newest: int = 0
    alias: str = ""
    filters: tuple[str, ...] = FILTERED

    def __post_init__(self) -> None:
        """Refuse names that the schema has not. Raises ValueError."""
        tags = {"environment", *self.measurement.tags}
        fields = {one.name: one.kind for one in self.measurement.fields}
        for column in self.columns:
            for name in filter(None, (column.field, column.of)):
                if name not in fields and (column.how or name not in tags):
                    raise ValueError(f"{self.measurement.name} has no {name}")
            counted = column.how in ("", "count", "last") or fields[column.field] in (Kind.INTEGER, Kind.FLOAT)
            if not counted or not (column.how in ("", "share", *AGGREGATES) or column.how[1:].isdigit()):
                raise ValueError(f"{column.how} of {column.field}")
        unknown = ({one.name for one in self.where} - tags - set(fields)) | (set(self.by) - tags)
        if unknown:
            raise ValueError(f"{self.measurement.name} has no {', '.join(sorted(unknown))}")

    @property
    def chosen_by(self) -> tuple[str, ...]:
        """The tags that variables of the dashboard choose."""
        return tuple(name for name in self.filters if name in ("environment", *self.measurement.tags))

    def influxql(self) -> str:
        """Return the statement, with Grafana's variables in it."""
        conditions = [
            "$timeFilter",
            *(f'"{name}" =~ /^${{{name}:regex}}$/' for name in self.chosen_by),
            *(one.influxql() for one in self.where),
        ]
        chosen = ", ".join(column.influxql() for column in self.columns)
        where = " AND ".join(conditions)
        text = f'SELECT {chosen} FROM "{self.measurement.name}" WHERE {where}'  # noqa: S608  names of the schema
        groups = [*([f"time({self.every})"] if self.every else []), *(f'"{name}"' for name in self.by)]
        if groups:
            text += f" GROUP BY {', '.join(groups)}"
        if self.every:
            text += " fill(none)"
        return text + (f" ORDER BY time DESC LIMIT {self.newest}" if self.newest else "")
