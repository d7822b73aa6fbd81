"""The time series: what is written can be read back by another's parser, nothing overwrites, types stay for ever."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from line_protocol_parser import parse_line

from chaos.drivers import DECLARED
from core.bodies import RECORD_TYPES
from core.judge import judge
from core.loader import load_experiments, load_inventory
from core.records import Record, RunStarted
from core.series.facts import POINTS, STRAIGHT
from core.series.measurement import Field, Kind, Measurement, Stamp
from core.series.outcome import outcome_points
from core.series.page import as_markdown
from core.series.point import GRAIN_NS, LONGEST_TEXT, Point, Value, stamp_ns, straight, writer
from core.series.schema import SCHEMA, TAGS
from tests.core.test_judge import history
from tests.store.journals import drop, health, outage, summary

ROOT = Path(__file__).resolve().parents[2]
FROZEN = ROOT / "tests" / "core" / "series.json"
PROBE = Measurement(
    "probe",
    "",
    Stamp.EXACT,
    ("one", "two"),
    (
        Field("i", Kind.INTEGER, "", ""),
        Field("f", Kind.FLOAT, "", ""),
        Field("b", Kind.BOOLEAN, "", ""),
        Field("s", Kind.STRING, "", ""),
    ),
    "",
)
CONTROL = dict.fromkeys([*range(32), 127, 0x85, 0x2028, 0x2029], " ")
int64 = st.integers(-(2**63), 2**63 - 1)
floats = st.floats(allow_subnormal=False)  # strtod(3), which this parser reads with, calls those a range error
nasty = st.text(st.sampled_from('a\\"=, \n\r\tü€%s#{}🙂\x00\x7f\u2028'), max_size=12) | st.text(max_size=40)


def types() -> dict[str, str]:
    return {f"{m.name}.{f.name}": str(f.kind) for m in SCHEMA for f in m.fields}


def test_a_field_keeps_its_type_for_ever() -> None:
    """Servers refuse another type: a line of series.json may be added, and none changed or taken away."""
    frozen: dict[str, str] = json.loads(FROZEN.read_text())
    assert frozen == types(), "add what is new to tests/core/series.json; a field that changed wants a new name"


def test_the_page_is_the_schema() -> None:
    page = (ROOT / "docs" / "series.md").read_text()
    assert page == as_markdown(), "run `make docs`"
    for measurement in SCHEMA:
        assert f"## {measurement.name}\n" in page
        assert set(measurement.tags) <= set(TAGS)
        names = [*measurement.tags, *(field.name for field in measurement.fields)]
        assert len(names) == len(set(names))
        assert "time" not in names


@given(nasty, nasty, nasty, int64, floats, st.booleans(), nasty, st.integers(0, 2**62))
def test_another_parser_reads_what_was_written(
    environment: str, one: str, two: str, integer: int, number: float, flag: bool, text: str, t_ns: int
) -> None:
    line = writer(environment)(Point(PROBE, (one, two), (integer, number, flag, text), t_ns), 0, 0)
    assert "\n" not in line
    read = parse_line(line)
    assert read["measurement"] == "probe"
    tags = {"environment": environment, "one": one, "two": two}
    assert read["tags"] == {k: plain(v).replace("\\", "_") or "unknown" for k, v in tags.items()}
    fields: dict[str, object] = {"i": integer, "b": flag, "s": plain(text)}
    if math.isfinite(number):
        fields["f"] = number
    assert read["fields"] == fields
    assert [type(read["fields"][name]) for name in fields] == [type(value) for value in fields.values()]
    assert read["time"] == t_ns


def plain(text: str) -> str:
    return text.translate(CONTROL).encode("utf-8", "replace").decode()


@given(st.text("ab\\ ", min_size=LONGEST_TEXT - 2, max_size=LONGEST_TEXT + 2))
def test_long_texts_are_cut(text: str) -> None:
    read = parse_line(writer("e")(Point(PROBE, ("1", "2"), (1, 1.0, True, text), 1), 0, 0))["fields"]["s"]
    assert read == (text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…")


def test_an_absent_value_is_not_written_and_nothing_gives_no_line() -> None:
    write = writer("e")
    assert (
        write(Point(PROBE, ("", "2"), (None, None, None, "x"), 1), 0, 0)
        == 'probe,environment=e,one=unknown,two=2 s="x" 1'
    )
    assert write(Point(PROBE, ("1", "2"), (None, float("nan"), None, None), 1), 0, 0) == ""


@given(st.text("a%, \\", max_size=5), st.integers(0, 10**15), st.integers(0, 10**19 - 10**16), st.integers(1, 10**9))
def test_the_straight_way_writes_the_same(vantage: str, t_ns: int, offset_ns: int, rtt_ns: int) -> None:
    for record in (replace(summary(t_ns, vantage, rtt_ns), rtt_p99_ns=rtt_ns), health(t_ns, vantage)):
        kind = type(record).__name__
        measurement, whole = STRAIGHT[kind]
        (point,) = POINTS[kind](record, "run")
        assert whole(record)
        assert straight(measurement, "e%")(record, offset_ns) == writer("e%")(point, offset_ns, 7)


def test_a_round_trip_that_nobody_measured_is_absent() -> None:
    silent = replace(summary(1, "c1", 0), answered=0, rtt_p50_ns=0, rtt_p99_ns=0)
    assert not STRAIGHT["Summary"][1](silent)
    (point,) = POINTS["Summary"](silent, "run")
    fields = parse_line(writer("e")(point, 0, 0))["fields"]
    assert fields["answered"] == 0
    assert not {"rtt_p50_ns", "rtt_p99_ns"} & set(fields)


@given(
    st.lists(st.tuples(st.integers(0, 3 * GRAIN_NS), st.booleans()), max_size=60),
    st.integers(0, 10**12),
    st.integers(0, 2**40),
)
def test_no_two_points_of_a_series_have_one_time(steps: list[tuple[int, bool]], begin: int, offset_ns: int) -> None:
    """Ten thousand sessions can be dropped at one instant; the journal's order is all that tells them apart."""
    records: list[Record] = [
        drop(begin + t_ns, "c1", slot) if dropped else outage(begin + t_ns + 10**9, "c1", slot)
        for slot, (t_ns, dropped) in enumerate(steps)
    ]
    lines = [parse_line(line) for line in written(records, offset_ns)]
    keys = [(line["measurement"], tuple(sorted(line["tags"].items())), line["time"]) for line in lines]
    assert len(set(keys)) == len(records)
    for record, line in zip(records, lines, strict=True):
        assert abs(line["time"] - record.t_ns - offset_ns) < GRAIN_NS


def written(records: Sequence[Record], offset_ns: int = 0) -> list[str]:
    write = writer("e")
    return [
        write(point, offset_ns, seq)
        for seq, record in enumerate(records, 1)
        for point in POINTS[type(record).__name__](record, "run")
    ]


def test_ten_thousand_sessions_make_no_more_series_than_one() -> None:
    def series(slots: int) -> set[str]:
        records = [make(10**9, "c1", slot) for slot in range(slots) for make in (drop, outage)]
        return {line.split(" ")[0] for line in written(records)}

    assert series(10_000) == series(1)


def test_every_kind_is_a_record_and_every_point_fits_the_schema() -> None:
    assert set(POINTS) <= set(RECORD_TYPES)
    points = [
        point
        for record in history()
        if (kind := type(record).__name__) in POINTS
        for point in POINTS[kind](record, "r")
    ]
    assert {point.measurement.name for point in points} >= {"sessions", "outages", "faults"}
    for point in (*points, *outcome()):
        check(point)


def check(point: Point) -> None:
    assert point.measurement in SCHEMA
    assert len(point.tags) == len(point.measurement.tags)
    wanted = {Kind.INTEGER: int, Kind.FLOAT: float, Kind.BOOLEAN: bool, Kind.STRING: str}
    for field, value in zip(point.measurement.fields, point.values, strict=True):
        assert value is None or isinstance(value, wanted[field.kind]), (point.measurement.name, field.name, value)
        assert not (field.kind is Kind.INTEGER and isinstance(value, bool)), field.name


def outcome() -> list[Point]:
    inventory = load_inventory(ROOT / "experiments" / "lab.yaml")
    (experiment,) = load_experiments([ROOT / "experiments" / "node-failover.yaml"], inventory, DECLARED)
    inventory = replace(inventory, vantages={"c1": inventory.vantages["c1"]})
    records: list[Record] = [RunStarted(1, 10**18, "r-1", "0.1", "", ("one",)), *history()]
    return outcome_points(records, judge(records, inventory, [experiment]), "r-1", 10**18 - 1)


def test_what_a_run_gives_at_its_end() -> None:
    points = outcome()
    assert points == outcome()
    found: dict[str, list[dict[str, Value]]] = {}
    for point in points:
        names = (*point.measurement.tags, *(field.name for field in point.measurement.fields))
        found.setdefault(point.measurement.name, []).append(
            dict(zip(names, (*point.tags, *point.values), strict=True)) | {"t_ns": point.t_ns}
        )
    (run,) = found["runs"]
    (failover,) = found["failovers"]
    assert (run["run"], run["t_ns"], run["experiments"]) == ("r-1", 1, 1)
    assert (failover["data_plane_lower_ns"], failover["data_plane_upper_ns"]) == (280_000_000, 300_000_000)
    assert (failover["t_ns"], failover["vantage"], failover["kind"]) == (10**10, "c1", "failover")
    assert (failover["before"], failover["after"]) == ("dc1/ace1/N1", "dc1/ace2/N1")
    assert failover["new_connections_upper_ns"] is None
    assert {window["fault"] for window in found["fault_windows"]} == {"ace1-link", "ace1-keepalived", "ace1-conntrackd"}
    assert {window["end_ms"] for window in found["fault_windows"]} == {(10**18 + 20 * 10**9 - 1) // 10**6}
    assert {verdict["verdict"] for verdict in found["verdicts"]} <= {"held", "broken", "unknown"}
    assert found["verdicts"]


@pytest.mark.parametrize("number", [0, 1, GRAIN_NS - 1, GRAIN_NS, 7 * GRAIN_NS + 3])
def test_a_numbered_stamp_keeps_its_tenth_of_a_millisecond(number: int) -> None:
    point = Point(replace(PROBE, stamp=Stamp.NUMBERED), ("1", "2"), (1, 1.0, True, ""), 123_456_789)
    assert stamp_ns(point, 0, number) == 123_400_000 + number % GRAIN_NS
