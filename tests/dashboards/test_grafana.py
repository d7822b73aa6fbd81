"""The dashboards: written from the code, and every query of theirs returns what the journals of a recorded run say."""

from __future__ import annotations

import json
import random
import re
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from core.events import events
from core.loader import parse_inventory, parse_past_experiments
from core.outage import interval
from core.records import Clock, Drop, FaultPhase, FaultStep, Note, OutageEnded, Record, RunStarted, Summary
from core.series.schema import SCHEMA
from dashboards.grafana.game_days import GAME_DAYS
from dashboards.grafana.pages import PAGES, files
from dashboards.grafana.panel import Page
from dashboards.grafana.query import Column, Query, Where, columns
from store.feed import Feed
from store.influx import Api, Destination, Influx, Meaning, Reply
from store.ship_ledger import ShipLedger
from store.shipper import Clocks, Shipper
from tests.dashboards.evaluate import Row, Seen, evaluate, read
from tests.store.journals import append
from tests.store.recorded import journals, make_recorded
from tests.store.servers import Influx1, influx1

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "dashboards" / "grafana" / "json"
EVERY = {"$__interval": 10_000_000_000, "$bucket": 86_400_000_000_000, "": 1}
NONE_OF_THESE = {  # what a run that went well has none of
    "Runs FAILED",
    "Runs INCONCLUSIVE",
    "Runs ABORTED",
    "Expectations broken",
    "Expectations unknown",
}


def queries() -> list[tuple[Page, str, Query]]:
    found = [(page, panel.title, query) for page in PAGES for panel in page.panels for query in panel.queries]
    return found + [(page, marks.name, marks.query) for page in PAGES for marks in page.marks]


def names() -> list[str]:
    return [f"{page.uid}: {title}" for page, title, _ in queries()]


@dataclass
class Shipped:
    """The recorded run, shipped to InfluxDB 1.6.7; every line that was accepted."""

    server: Influx1
    lines: list[str]
    points: list[Seen]
    records: list[Record]

    def rows(self, query: Query) -> list[Row]:
        """Let the server execute a query as Grafana would."""
        statement = query.influxql()
        first, last = min(one.time for one in self.points), max(one.time for one in self.points)
        statement = statement.replace("$timeFilter", f"time >= {first} AND time <= {last}")
        statement = statement.replace("$__interval", "10s").replace("$bucket", "1d")
        for name in query.chosen_by:
            values = {one.tags[name] for one in self.points if name in one.tags}
            statement = statement.replace(f"${{{name}:regex}}", f"({'|'.join(map(re.escape, sorted(values)))})")
        assert "$/" in statement
        assert "${" not in statement
        rows = self.server.query(statement)
        return [{key: value for key, value in row.items() if key != "measurement"} for row in rows]


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shipped]:
    path = tmp_path_factory.mktemp("grafana")
    run = make_recorded(path / "runs")
    append(run / "c1.db", [Note(next(iter(journals()["c1"])).t_ns, "c1", "said by a test")])
    lines: list[str] = []
    with influx1(path) as server:
        where = Destination(server.url, "", "vipchaos", Api.V1)
        real, ledger = Influx(where, ""), ShipLedger(path / "ship.db", where.key)

        class Listening:
            def write(self, batch: list[str]) -> Reply:
                reply = real.write(batch)
                assert reply.meaning is Meaning.ACCEPTED, reply
                lines.extend(batch)
                return reply

        clocks = Clocks(threading.Event(), random.random)
        Shipper(Feed({}, "lab", path / "runs"), Listening(), ledger, clocks, "lab").run(once=True)
        real.close()
        ledger.close()
        records = sorted((one for mine in journals().values() for one in mine), key=lambda one: one.t_ns)
        yield Shipped(server, lines, read(lines), records)


def test_the_files_are_as_generated() -> None:
    found = {path.name: path.read_text() for path in FOLDER.iterdir()}
    assert found == dict(files()), "run `make docs`"


@pytest.mark.parametrize(("page", "title", "query"), queries(), ids=names())
def test_a_query_returns_what_the_journals_say(shipped: Shipped, page: Page, title: str, query: Query) -> None:
    rows = shipped.rows(query)
    wanted = evaluate(query, shipped.points, EVERY[query.every])
    assert bool(wanted) == (title not in NONE_OF_THESE), page.uid
    timed = bool(query.every) or not any(column.how for column in query.columns)
    assert ordered(rows, timed) == ordered(wanted, timed)


def ordered(rows: list[Row], timed: bool) -> list[dict[str, Any]]:
    """Rows in one order. What is not grouped by time has the time of one of its points, or none: that says nothing."""
    plain = [
        {
            name: round(value, 6) if isinstance(value, float) else value
            for name, value in row.items()
            if timed or name != "time"
        }
        for row in rows
    ]
    return sorted(plain, key=lambda row: json.dumps(row, sort_keys=True, default=str))


def test_what_the_journals_say_is_what_the_records_say(shipped: Shipped) -> None:
    """The same by another way: some figures from the records and from the judgement, without any point."""
    records = shipped.records
    (drops,) = [query for _, title, query in queries() if title == "Drops by cause"]
    counted: Counter[str] = Counter()
    for row in shipped.rows(drops):
        counted[row["cause"]] += row["count"]
    assert counted == Counter(str(record.cause) for record in records if isinstance(record, Drop))
    (worst,) = [query for _, title, query in queries() if title == "Worst outage"]
    true = [
        one
        for one in records
        if isinstance(one, OutageEnded) and one.clock is Clock.DATA_PLANE and not one.self_inflicted
    ]
    assert shipped.rows(worst)[0]["max"] == max(interval(one).upper_ns for one in true)
    (clocks,) = [query for _, title, query in queries() if title == "Three clocks"]
    assert table(shipped.rows(clocks)) == judged(records)
    heartbeats = shipped.server.query(
        "SELECT sum(sent) AS sent, sum(answered) AS answered FROM sessions WHERE time > 0"
    )
    summaries = [one for one in records if isinstance(one, Summary)]
    assert heartbeats[0]["sent"] == sum(one.sent for one in summaries)
    assert heartbeats[0]["answered"] == sum(one.answered for one in summaries)


def table(rows: list[Row]) -> dict[tuple[str, str, str], tuple[Any, ...]]:
    return {
        (row["experiment"], row["kind"], row["vantage"]): (
            row["data_plane_lower_ns"],
            row["data_plane_upper_ns"],
            row["new_connections_upper_ns"],
            row["held_kernel_upper_ns"],
            row["proven"],
        )
        for row in rows
    }


def judged(records: list[Record]) -> dict[tuple[str, str, str], tuple[Any, ...]]:
    (started,) = [record for record in records if isinstance(record, RunStarted)]
    inventory = parse_inventory(started.inventory, "inventory")
    experiments = parse_past_experiments([(str(n), text) for n, text in enumerate(started.experiments)], inventory)
    return {
        (event.experiment, event.kind, one.vantage): (
            one.data_plane.worst.lower_ns if one.data_plane else None,
            one.data_plane.worst.upper_ns if one.data_plane else None,
            one.new_connections.upper_ns if one.new_connections else None,
            one.held_kernel.upper_ns if one.held_kernel else None,
            event.proven,
        )
        for event in events(records, inventory, experiments)
        for one in event.vantages
    }


def test_the_variables_find_their_values(shipped: Shipped) -> None:
    found = {
        one.name: shipped.server.query(str(one.json()["query"]))
        for page in PAGES
        for one in page.variables
        if one.values_of
    }
    values = {name: {row["value"] for row in rows} for name, rows in found.items()}
    assert values["environment"] == {"lab"}
    assert values["vantage"] == {"c1", "c2", "c3", "c4"}
    assert "node-failover" in values["experiment"]


def test_a_fault_is_an_annotation_with_an_end(shipped: Shipped) -> None:
    rows = shipped.rows(next(query for _, title, query in queries() if title == "Faults"))
    injected = [one for one in shipped.records if isinstance(one, FaultStep) and one.phase is FaultPhase.INJECTING]
    assert Counter(row["title"] for row in rows) == Counter(step.fault for step in injected)
    assert all(row["end_ms"] * 1_000_000 > row["time"] for row in rows)


def test_pages_are_whole() -> None:
    """Stable uids, a datasource variable, no two panels on one place, units, links to one another and to reports."""
    documents = [json.loads(text) for text in files().values()]
    uids = {"vipchaos-now", "vipchaos-failovers", "vipchaos-game-days", "vipchaos-probe-health"}
    assert {document["uid"] for document in documents} == uids
    for document in documents:
        assert document["id"] is None
        assert document["links"][0]["tags"] == document["tags"] == ["vipchaos"]
        variables = document["templating"]["list"]
        assert variables[0] == {**variables[0], "name": "datasource", "type": "datasource", "query": "influxdb"}
        known = {variable["name"] for variable in variables}
        text = json.dumps(document)
        for used in re.findall(r"\$\{(\w+)[:}]", text):
            assert used in known | {"__value"}, used
        assert ("$bucket" not in text) or "bucket" in known
        cells: set[tuple[int, int]] = set()
        for panel in document["panels"]:
            assert panel["datasource"]["uid"] == "${datasource}"
            assert panel["fieldConfig"]["defaults"]["unit"]
            assert panel["description"]
            place = panel["gridPos"]
            mine = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert not cells & mine
            assert max(x for x, _ in mine) < 24
            cells |= mine
        assert len({panel["id"] for panel in document["panels"]}) == len(document["panels"])
    assert "${reports}/${__value.raw}.html" in json.dumps(GAME_DAYS.json())


@pytest.mark.parametrize(
    "words",
    [
        {"columns": columns("alife")},
        {"columns": (Column("site", "count"),)},
        {"columns": (Column("alive", "avg"),)},
        {"columns": columns("alive"), "where": (Where("side", "=", "x"),)},
        {"columns": columns("alive"), "by": ("alive",)},
    ],
)
def test_a_query_that_the_schema_has_not_is_refused(words: dict[str, Any]) -> None:
    sessions = next(one for one in SCHEMA if one.name == "sessions")
    with pytest.raises(ValueError, match=r"has no|of alive|of site"):
        Query(sessions, **words)


def test_names_in_the_files_are_the_schemas() -> None:
    """Read from the JSON itself: every quoted name of a query is a measurement, a tag, a field or an alias."""
    known = {name for one in SCHEMA for name in (one.name, *one.tags, *(field.name for field in one.fields))} | {
        "environment"
    }
    checked = 0
    for path in FOLDER.iterdir():
        document = json.loads(path.read_text())
        for panel in document["panels"]:
            for target in panel["targets"]:
                for name in re.findall(r'(?<!AS )"(\w+)"', target["query"]):
                    assert name in known, f"{path.name}: {name}"
                    checked += 1
    assert checked > 150
