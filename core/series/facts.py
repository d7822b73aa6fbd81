"""Which points a record gives. Pure: a record of a journal and the run's id in, points out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from types import MappingProxyType
from typing import Any

from core.outage import interval
from core.path_records import NodesSeen, PathTraced
from core.records import (
    Drop,
    ExperimentPhase,
    FaultStep,
    Note,
    OutageEnded,
    ProbeHealth,
    ProbeStarted,
    RunStarted,
    Summary,
)
from core.series.measurement import Measurement
from core.series.point import Point
from core.series.schema import (
    DROPS,
    FAULTS,
    NODES_SEEN,
    NOTES,
    OUTAGES,
    PATH_CHANGES,
    PHASES,
    PROBE_HEALTH,
    PROBES,
    RUNS,
    SESSIONS,
)

RUNNING = "RUNNING"
Points = tuple[Point, ...]
Values = Callable[[object], tuple[Any, ...]]


def _values_of(measurement: Measurement) -> Values:
    """Fields that are called like the record's are taken in one go; a summary is written a million times a day."""
    return attrgetter(*(one.name for one in measurement.fields))


_summary_tags: Values = attrgetter(*SESSIONS.tags)
_summary_values = _values_of(SESSIONS)
_health_values = _values_of(PROBE_HEALTH)
_RTT = slice(5, 7)


def _summary(record: Summary, _: str) -> Points:
    values = _summary_values(record)
    if not record.rtt_p99_ns:
        values = (*values[: _RTT.start], None, None, *values[_RTT.stop :])
    return (Point(SESSIONS, _summary_tags(record), values, record.t_ns),)


def _health(record: ProbeHealth, _: str) -> Points:
    return (Point(PROBE_HEALTH, (record.vantage,), _health_values(record), record.t_ns),)


def _nodes(record: NodesSeen, _: str) -> Points:
    counts = dict(record.nodes)
    return tuple(Point(NODES_SEEN, (record.vantage, node), (count,), record.t_ns) for node, count in counts.items())


def _outage(record: OutageEnded, run: str) -> Points:
    bounds = interval(record)
    values = (
        run,
        record.slot,
        bounds.lower_ns,
        bounds.upper_ns,
        bounds.error_ns,
        record.lost,
        record.skipped,
        record.slip_ns,
        record.self_inflicted,
        record.same_session,
    )
    return (Point(OUTAGES, (record.vantage, record.clock), values, record.t_ns),)


def _drop(record: Drop, run: str) -> Points:
    values = (run, record.slot, record.age_ns, record.held_kernel, record.detail)
    return (Point(DROPS, (record.vantage, record.cause), values, record.t_ns),)


def _path(record: PathTraced, run: str) -> Points:
    hops = " > ".join(hop or "*" for hop in record.hops)
    return (
        Point(PATH_CHANGES, (record.vantage,), (run, record.slot, hops, len(record.also), record.silent), record.t_ns),
    )


def _fault(record: FaultStep, run: str) -> Points:
    title = f"{record.fault}: {record.phase.replace('_', ' ')}"
    late_ns = record.t_ns - record.planned_ns if record.planned_ns else None
    took_ns = record.t_ns - record.began_ns if record.began_ns else None
    values = (run, title, record.detail, record.lease, record.lease_s, late_ns, took_ns)
    return (Point(FAULTS, (record.experiment or "none", record.fault, record.phase), values, record.t_ns),)


def _phase(record: ExperimentPhase, run: str) -> Points:
    return (Point(PHASES, (record.experiment or "none", record.phase), (run, record.detail), record.t_ns),)


def _note(record: Note, run: str) -> Points:
    return (Point(NOTES, (record.source,), (run, record.text), record.t_ns),)


def _probe(record: ProbeStarted, run: str) -> Points:
    values = (run, record.sessions, record.period_ns, record.syn_period_ns)
    return (Point(PROBES, (record.vantage, record.engine), values, record.t_ns),)


def _run(record: RunStarted, _: str) -> Points:
    """The run's own point: its end writes it anew, over this one (see `core.series.outcome`)."""
    values = (record.run, RUNNING, "", len(record.experiments), record.version, None, "")
    return (Point(RUNS, (), values, record.t_ns),)


STRAIGHT: Mapping[str, tuple[Measurement, Callable[[Any], bool]]] = MappingProxyType(
    {
        "Summary": (SESSIONS, lambda record: record.rtt_p99_ns > 0),
        "ProbeHealth": (PROBE_HEALTH, lambda _: True),
    }
)
"""Kinds of which a record's fields are the point's, one by one, and for which records that is so."""
POINTS: Mapping[str, Callable[[Any, str], Points]] = MappingProxyType(
    {
        "Summary": _summary,
        "ProbeHealth": _health,
        "NodesSeen": _nodes,
        "OutageEnded": _outage,
        "Drop": _drop,
        "PathTraced": _path,
        "FaultStep": _fault,
        "ExperimentPhase": _phase,
        "Note": _note,
        "ProbeStarted": _probe,
        "RunStarted": _run,
    }
)
"""By kind of record; a kind that is not here gives no point: it is in the journal, and in what a run's end gives."""
