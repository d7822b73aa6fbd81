"""Panels and pages of Grafana, as JSON-ready values: only what these dashboards use of its schema (version 39)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.series.measurement import Measurement
from dashboards.grafana.query import Query

SCHEMA_VERSION = 39
WIDTH = 24
SOURCE = {"type": "influxdb", "uid": "${datasource}"}
UNITS = {"ns": "ns", "s": "s", "points/s": "cps"}
Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. `kind`: timeseries, table, stat, state-timeline; `unit` is Grafana's; `only`: a time of its own."""

    title: str
    about: str
    kind: str
    queries: tuple[Query, ...]
    unit: str = "short"
    width: int = 12
    height: int = 8
    stacked: bool = False
    points: bool = False
    only: str = ""
    hidden: tuple[str, ...] = ()
    split_by: str = ""
    links: tuple[tuple[str, str, str], ...] = ()
    """(column, title, address) of data links."""

    def json(self, number: int, x: int, y: int) -> Json:
        """Return the panel at a place of the grid."""
        found: Json = {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.about,
            "datasource": SOURCE,
            "gridPos": {"h": self.height, "w": self.width, "x": x, "y": y},
            "fieldConfig": {"defaults": self._defaults(), "overrides": self._overrides()},
            "options": self._options(),
            "targets": [self._target(query, chr(ord("A") + at)) for at, query in enumerate(self.queries)],
        }
        if self.only:
            found |= {"timeFrom": self.only, "hideTimeOverride": False}
        if transformations := self._transformations():
            found["transformations"] = transformations
        return found

    def _defaults(self) -> Json:
        custom: Json = {}
        if self.kind == "timeseries":
            custom = {"drawStyle": "points" if self.points else "line", "fillOpacity": 20 if self.stacked else 0}
            custom |= {"stacking": {"mode": "normal" if self.stacked else "none", "group": "A"}, "showPoints": "auto"}
        elif self.kind == "state-timeline":
            custom = {"fillOpacity": 80, "lineWidth": 0}
        return {"unit": self.unit, "custom": custom}

    def _overrides(self) -> list[Json]:
        """Columns of a table have the unit that the schema says."""
        units: dict[str, str] = {}
        if self.kind == "table":
            for query in self.queries:
                of_field = {one.name: UNITS.get(one.unit, "") for one in query.measurement.fields}
                for column in query.columns:
                    if of_field.get(column.field) and column.how != "count":
                        units[column.name or column.how or column.field] = of_field[column.field]
        found: list[Json] = [_override(name, "unit", unit) for name, unit in units.items()]
        for column_name, title, address in self.links:
            found.append(_override(column_name, "links", [{"title": title, "url": address, "targetBlank": True}]))
        return found

    def _options(self) -> Json:
        if self.kind == "stat":
            return {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "colorMode": "none"}
        if self.kind == "table":
            return {"showHeader": True, "cellHeight": "sm"}
        if self.kind == "state-timeline":
            return {"mergeValues": True, "showValue": "auto", "rowHeight": 0.9, "legend": _legend()}
        return {"legend": _legend(), "tooltip": {"mode": "multi", "sort": "none"}}

    def _target(self, query: Query, letter: str) -> Json:
        as_table = self.kind in ("table", "state-timeline")
        return {
            "refId": letter,
            "datasource": SOURCE,
            "query": query.influxql(),
            "rawQuery": True,
            "resultFormat": "table" if as_table else "time_series",
            "alias": query.alias,
        }

    def _transformations(self) -> list[Json]:
        found: list[Json] = []
        if self.hidden:
            found.append({"id": "organize", "options": {"excludeByName": dict.fromkeys(self.hidden, True)}})
        if self.split_by:
            found.append({"id": "partitionByValues", "options": {"fields": [self.split_by], "keepFields": False}})
        return found


def _override(name: str, what: str, value: object) -> Json:
    return {"matcher": {"id": "byName", "options": name}, "properties": [{"id": what, "value": value}]}


def _legend() -> Json:
    return {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}


@dataclass(frozen=True, slots=True)
class Marks:
    """Annotations from a measurement: its columns for title and text, and for an end in ms ('' none)."""

    name: str
    color: str
    query: Query
    title: str
    text: str
    end: str = ""

    def json(self) -> Json:
        """Return the annotation query in the form that Grafana makes of older ones itself."""
        target = {"query": self.query.influxql(), "queryType": "tags", "fromAnnotations": True, "name": self.name}
        target |= {"titleColumn": self.title, "textColumn": self.text, "timeEndColumn": self.end, "tagsColumn": ""}
        target |= {"limit": 0, "matchAny": False, "tags": [], "type": ""}
        return {"name": self.name, "datasource": SOURCE, "enable": True, "iconColor": self.color, "target": target}


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable on top of a page: `values_of` is the measurement whose tag of that name it lists, None: a text."""

    name: str
    label: str
    values_of: Measurement | None = None
    text: str = ""

    def json(self) -> Json:
        """Return the variable."""
        if self.values_of is None:
            current = {"text": self.text, "value": self.text}
            kind = "interval" if self.name == "bucket" else "textbox"
            choices = [{"text": one, "value": one, "selected": one == self.text} for one in ("1d", "7d", "30d")]
            more = {"options": choices, "query": "1d,7d,30d"} if kind == "interval" else {"query": self.text}
            return {"name": self.name, "label": self.label, "type": kind, "current": current, **more}
        return {
            "name": self.name,
            "label": self.label,
            "type": "query",
            "datasource": SOURCE,
            "query": f'SHOW TAG VALUES FROM "{self.values_of.name}" WITH KEY = "{self.name}"',
            "refresh": 2,
            "sort": 1,
            "multi": True,
            "includeAll": True,
            "current": {"text": ["All"], "value": ["$__all"]},
        }


@dataclass(frozen=True, slots=True)
class Page:
    """One dashboard; its `uid` is stable, for links from outside."""

    uid: str
    title: str
    about: str
    since: str
    refresh: str
    variables: tuple[Variable, ...]
    marks: tuple[Marks, ...]
    panels: tuple[Panel, ...]

    def json(self) -> Json:
        """Return the dashboard as Grafana's provisioning reads it."""
        source: Json = {
            "name": "datasource",
            "label": "Data source",
            "type": "datasource",
            "query": "influxdb",
            "regex": "",
        }
        links: Json = {
            "title": "vipchaos",
            "type": "dashboards",
            "tags": ["vipchaos"],
            "asDropdown": False,
            "includeVars": True,
            "keepTime": False,
            "targetBlank": False,
            "icon": "external link",
            "tooltip": "",
            "url": "",
        }
        return {
            "id": None,
            "uid": self.uid,
            "title": self.title,
            "description": self.about,
            "tags": ["vipchaos"],
            "schemaVersion": SCHEMA_VERSION,
            "version": 1,
            "editable": False,
            "graphTooltip": 1,
            "timezone": "browser",
            "time": {"from": self.since, "to": "now"},
            "refresh": self.refresh,
            "links": [links],
            "templating": {"list": [source, *(one.json() for one in self.variables)]},
            "annotations": {"list": [one.json() for one in self.marks]},
            "panels": _placed(self.panels),
        }


def _placed(panels: Sequence[Panel]) -> list[Json]:
    """Panels from left to right, a new row where the next does not fit."""
    found, x, y, height = [], 0, 0, 0
    for number, panel in enumerate(panels, 1):
        if x + panel.width > WIDTH:
            x, y, height = 0, y + height, 0
        found.append(panel.json(number, x, y))
        x, height = x + panel.width, max(height, panel.height)
    return found
