"""Brings a judged run and its records together as the view that the report page shows. Draws nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from core.events import Event
from core.evidence import EvidenceWritten
from core.experiment import Experiment
from core.inventory import Inventory
from core.judge import Judgement, RunVerdict
from core.path_records import PathTraced
from core.records import FaultPhase, FaultStep, Record, RunStarted, Summary
from core.survival import Lifetime, lifetimes
from dashboards.report import event_facts, lanes, sentences
from dashboards.report.guard_rails import rails
from dashboards.report.text import in_words
from dashboards.report.timeline import timeline
from dashboards.report.view import EventView, EvidenceFile, Held, Lanes, Marker, RttLine, View

SECOND_NS = 1_000_000_000
RTT_POINTS = 240
SHORTEST_S, LONGEST_S = 3.0, 120.0
LEAD = 0.15
"""So much of a picture of an event is the time before it."""


@dataclass(frozen=True, slots=True)
class Run:
    """A judged run: all that there is to show of it. `records` are in order of time."""

    started: RunStarted
    records: Sequence[Record]
    verdict: RunVerdict
    inventory: Inventory
    experiments: Sequence[Experiment]


@dataclass(frozen=True, slots=True)
class _Sorted:
    """The records of a run by what they are good for, each kind by vantage; gone through once."""

    zero_ns: int
    end_ns: int
    changes: tuple[lanes.Changes, ...]
    lives: Mapping[str, Sequence[Lifetime]]
    traced: Mapping[str, Sequence[PathTraced]]
    summaries: Mapping[str, Sequence[Summary]]
    steps: Sequence[FaultStep]


def view(run: Run) -> View:
    """Return the view of a run."""
    facts = _sorted(run)
    markers = _markers(run, facts)
    held = {
        (judgement.experiment, _kind(run.experiments, judgement.experiment)) for judgement in run.verdict.judgements
    }
    seen = {(event.experiment, event.kind) for event in run.verdict.events}
    missing = {experiment for experiment, kind in held if (experiment, kind) not in seen}
    rows, left_out = timeline(run.records, facts.zero_ns, run.started.wall_ns - run.started.t_ns)
    overview = _lanes(facts, facts.zero_ns, facts.end_ns, markers, facts.zero_ns, run.verdict.events)
    events = tuple(_event(number, event, run, facts) for number, event in enumerate(run.verdict.events, 1))
    seen_by = (overview, *(event.lanes for event in events))
    shown = {name for stretch in seen_by for lane in stretch.lanes for span in lane.spans for name, _ in span.parts}
    when = datetime.fromtimestamp(run.started.wall_ns / 1e9, UTC)
    return View(
        run=run.started.run,
        outcome=str(run.verdict.outcome),
        reason=run.verdict.reason,
        expected=sentences.expected(run.experiments, run.verdict),
        happened=sentences.happened(run.verdict),
        started=f"{when:%Y-%m-%d %H:%M:%S} UTC",
        lasted_s=(facts.end_ns - facts.zero_ns) / 1e9,
        version=run.started.version,
        vip=f"{run.inventory.vip.address} port {run.inventory.vip.port}",
        sessions=sum(vantage.sessions for vantage in run.inventory.vantages.values()),
        who=tuple(who for who in lanes.palette(run.records, run.inventory) if who.label in shown),
        overview=overview,
        events=events,
        other_held=tuple(_held(each) for each in run.verdict.judgements if each.experiment in missing),
        rtt=tuple(_rtt(name, mine, facts.zero_ns) for name, mine in facts.summaries.items() if mine),
        rails=rails(run.records, run.experiments, facts.summaries),
        notes=run.verdict.notes,
        outside=tuple(f"{change.vantage}: {in_words(change)}" for change in run.verdict.outside),
        captures=_captures(run.verdict),
        timeline=rows,
        timeline_left_out=left_out,
        evidence=_evidence(run.records, facts.zero_ns),
        inventory=run.started.inventory,
        experiments=run.started.experiments,
    )


def _sorted(run: Run) -> _Sorted:
    zero_ns = run.started.t_ns
    end_ns = max([zero_ns + SECOND_NS, *(record.t_ns for record in run.records)])
    lives: defaultdict[str, list[Lifetime]] = defaultdict(list)
    for life in lifetimes(run.records):
        lives[life.vantage].append(life)
    traced: defaultdict[str, list[PathTraced]] = defaultdict(list)
    summaries: dict[str, list[Summary]] = {name: [] for name in run.inventory.vantages}
    steps = []
    for record in run.records:
        if type(record) is PathTraced and not record.silent:
            traced[record.vantage].append(record)
        elif type(record) is Summary and record.vantage in summaries:
            summaries[record.vantage].append(record)
        elif type(record) is FaultStep:
            steps.append(record)
    changes = lanes.gather(run.records, run.inventory, zero_ns, end_ns)
    return _Sorted(zero_ns, end_ns, changes, lives, traced, summaries, steps)


def _kind(experiments: Sequence[Experiment], name: str) -> str:
    return next(("failback" if each.reverts else "failover" for each in experiments if each.name == name), "failover")


def _markers(run: Run, facts: _Sorted) -> tuple[Marker, ...]:
    """Return when the faults of each failover were out, and the instant of each failback."""
    found = []
    for number, event in enumerate(run.verdict.events, 1):
        until_s = None
        if event.kind == "failover":
            back = [
                step.t_ns
                for step in facts.steps
                if step.experiment == event.experiment and step.phase is FaultPhase.REVERTED and step.t_ns > event.at_ns
            ]
            until_s = (max(back) - facts.zero_ns) / 1e9 if back else None
        found.append(Marker(number, f"{event.experiment} {event.kind}", (event.at_ns - facts.zero_ns) / 1e9, until_s))
    return tuple(found)


def _lanes(
    facts: _Sorted, from_ns: int, until_ns: int, markers: Sequence[Marker], zero_ns: int, events: Sequence[Event]
) -> Lanes:
    """Cut a picture out of the run; `events` are those whose worst outages are marked in it."""
    found = []
    for changes in facts.changes:
        gaps = tuple(gap for event in events for gap in lanes.worst_gap(changes, event.at_ns, event.until_ns, zero_ns))
        found.append(lanes.lane(changes, from_ns, until_ns, zero_ns, gaps))
    return Lanes((from_ns - zero_ns) / 1e9, (until_ns - zero_ns) / 1e9, tuple(found), tuple(markers))


def _event(number: int, event: Event, run: Run, facts: _Sorted) -> EventView:
    experiment = next((each for each in run.experiments if each.name == event.experiment), None)
    own = event.kind != "failback" or event.pair != event.experiment
    from_ns, until_ns = _stretch(event, facts)
    markers = _moments(number, event, facts)
    of_it = [each for each in run.verdict.judgements if own and each.experiment == event.experiment]
    return EventView(
        number=number,
        experiment=event.experiment,
        title=event.title if own else f"failback: {event.title}",
        kind=event.kind,
        story=sentences.story(event),
        at_s=(event.at_ns - facts.zero_ns) / 1e9,
        lanes=_lanes(facts, from_ns, until_ns, markers, event.at_ns, [event]),
        clocks=event_facts.clocks(event, experiment if own else None),
        curves=event_facts.curves(event, facts.lives),
        drops=event_facts.drops(event),
        paths=event_facts.paths(event, facts.traced, run.inventory),
        round_trips=event_facts.round_trips(event, facts.summaries),
        held=tuple(_held(judgement) for judgement in of_it),
        seen_as=tuple(
            (
                outcome.vantage,
                "; ".join(map(in_words, run.verdict.seen_as(event, outcome.vantage))) or "no change of who answers",
            )
            for outcome in event.vantages
            if outcome.alive
        ),
        faults=event.faults,
    )


def _stretch(event: Event, facts: _Sorted) -> tuple[int, int]:
    """Return the stretch of time that shows an event: a little before it, until nothing changes any more."""
    last_ns = event.at_ns
    for changes in facts.changes:
        moved = [t_ns for t_ns in changes.instants if event.at_ns <= t_ns <= event.until_ns]
        last_ns = max([last_ns, *moved[-1:]])
        ended = [outage.s_b_ns for outage in changes.outages if event.at_ns <= outage.s_b_ns <= event.until_ns]
        last_ns = max([last_ns, *ended])
    length_s = min(max((last_ns - event.at_ns) / 1e9 * 1.3, SHORTEST_S), LONGEST_S)
    until_ns = max(min(event.at_ns + round(length_s * 1e9), event.until_ns), event.at_ns + SECOND_NS)
    from_ns = max(event.at_ns - round((until_ns - event.at_ns) * LEAD), facts.zero_ns)
    return from_ns, until_ns


def _moments(number: int, event: Event, facts: _Sorted) -> tuple[Marker, ...]:
    """Return each step by which the faults of an event went out, or were reverted, on the event's own clock."""
    wanted = FaultPhase.INJECTED if event.kind == "failover" else FaultPhase.REVERTED
    owner = event.experiment if event.kind == "failover" else event.pair
    return tuple(
        Marker(number, f"{step.fault} {wanted}", (step.t_ns - event.at_ns) / 1e9, None)
        for step in facts.steps
        if step.experiment == owner and step.phase is wanted and event.at_ns <= step.t_ns <= event.until_ns
    )


def _held(judgement: Judgement) -> Held:
    return Held(" ".join(judgement.vantages), judgement.expected, str(judgement.verdict), judgement.evidence)


def _rtt(name: str, mine: Sequence[Summary], zero_ns: int) -> RttLine:
    """Return a line of at most `RTT_POINTS`: the median of the medians, the worst of the 99th percentiles."""
    width_ns = max(1_000_000_000, (mine[-1].t_ns - mine[0].t_ns) // RTT_POINTS + 1)
    columns: defaultdict[int, list[Summary]] = defaultdict(list)
    for each in mine:
        if each.answered:
            columns[(each.t_ns - mine[0].t_ns) // width_ns].append(each)
    points = []
    for column in columns.values():
        middle_ms = event_facts.median_ms(column)
        if middle_ms is not None:
            worst_ms = max(each.rtt_p99_ns for each in column) / 1e6
            points.append(((column[0].t_ns - zero_ns) / 1e9, middle_ms, worst_ms))
    return RttLine(name, tuple(points))


def _captures(verdict: RunVerdict) -> str:
    if not verdict.captures:
        return ""
    inside = sum(comparison.inside for comparison in verdict.captures)
    return f"{inside} of {len(verdict.captures)} true gaps in the packet captures lie inside their interval"


def _evidence(records: Sequence[Record], zero_ns: int) -> tuple[EvidenceFile, ...]:
    files = [record for record in records if isinstance(record, EvidenceWritten)]
    return tuple(
        EvidenceFile(
            (each.t_ns - zero_ns) / 1e9,
            each.vantage,
            each.path,
            ", ".join(each.events),
            each.sessions,
            each.packets,
            each.bytes,
            each.left_out_sessions,
        )
        for each in sorted(files, key=lambda record: record.t_ns)
    )
