"""One event in full: each vantage's figures, its path before and after, what was expected, the evidence."""

from __future__ import annotations

from collections.abc import Sequence

from core.evidence import EvidenceWritten
from core.judge import Verdict
from core.outage import Interval
from core.path_records import PathTraced
from core.records import Record
from tui.draw.line import Line, Span, fit, row
from tui.model.failovers import EventRow
from tui.model.frame import Frame
from tui.model.words import NOT_KNOWN, bounds, causes, seconds, who

SIGNS = {
    Verdict.HELD: ("● held   ", "good"),
    Verdict.BROKEN: ("✖ BROKEN ", "bad"),
    Verdict.UNKNOWN: ("? unknown", "odd"),
}


def event_lines(event: EventRow, frame: Frame, width: int) -> list[Line]:
    """Return the lines, as many as there are."""
    found = event.event
    head: Line = [Span(f" {found.experiment}: {found.kind} of {', '.join(found.faults)}", "strong")]
    if not found.proven:
        head.append(Span("  NOT PROVEN", "odd"))
    lines = [head]
    if found.first_convergence_ns is not None and found.full_convergence_ns is not None:
        first, full = seconds(found.first_convergence_ns), seconds(found.full_convergence_ns)
        lines.append([Span(f" first session answered again after {first}, the last after {full}", "quiet")])
    columns = (
        (" vantage", 9),
        ("before", 16),
        ("after", 16),
        ("data plane", 15),
        ("new conns", 15),
        ("held kernel", 15),
    )
    lines += [[], row([(name, wide, "quiet") for name, wide in columns] + [("alive/lived/dropped", 24, "quiet")])]
    for outcome in found.vantages:
        plane = _open_or(outcome.open_ns, outcome.data_plane.worst if outcome.data_plane else None)
        after = who(outcome.after) if outcome.after.counts and not outcome.open_ns else NOT_KNOWN
        counts = f"{outcome.alive} / {outcome.survived} / {outcome.drops} {causes((outcome,))}"
        cells = [
            f" {outcome.vantage}",
            who(outcome.before),
            after,
            plane,
            _open_or(outcome.open_new_ns, outcome.new_connections),
            bounds(outcome.held_kernel),
        ]
        styled = [
            (text, wide, "strong" if not at else "")
            for at, (text, (_, wide)) in enumerate(zip(cells, columns, strict=True))
        ]
        lines.append(row([*styled, (counts, 24, "odd" if outcome.drops else "")]))
        if outcome.unknown:
            lines.append([Span(f"          unknown: {outcome.unknown}", "odd")])
    lines += [*_seen_as(event, frame), *_paths(event, frame.records), *_judged(event), *_evidence(event, frame.records)]
    return [fit(line, width) for line in lines]


def _open_or(open_ns: int, found: Interval | None) -> str:
    """Return how long what is not over has lasted, else the interval."""
    return f"> {seconds(open_ns)}" if open_ns else bounds(found)


def _seen_as(event: EventRow, frame: Frame) -> list[Line]:
    if frame.verdict is None:
        return []
    lines: list[Line] = []
    for outcome in event.event.vantages:
        changes = frame.verdict.seen_as(event.event, outcome.vantage)
        if changes:
            words = "; ".join(
                f"{' or '.join(change.names)} ({change.before} to {change.after or '-'})" for change in changes
            )
            lines.append([Span(f" {outcome.vantage} seen as  ", "strong"), Span(words)])
    return [[], *lines] if lines else []


def _paths(event: EventRow, records: Sequence[Record]) -> list[Line]:
    """Return the path of each vantage's sessions before and after, where it changed."""
    before: dict[str, tuple[str, ...]] = {}
    after: dict[str, tuple[str, ...]] = {}
    for record in records:
        if isinstance(record, PathTraced) and not record.silent and record.t_ns < event.event.until_ns:
            (before if record.t_ns < event.at_ns else after)[record.vantage] = record.hops
    lines: list[Line] = []
    for name, hops in sorted(after.items()):
        if hops != before.get(name):
            way = [" > ".join(hop or "*" for hop in path) for path in (before.get(name, ()), hops)]
            lines.append(
                [Span(f" {name} path  ", "strong"), Span(way[0] or NOT_KNOWN, "quiet"), Span("  →  "), Span(way[1])]
            )
    return [[], *lines] if lines else []


def _judged(event: EventRow) -> list[Line]:
    lines: list[Line] = []
    for judgement in event.judgements:
        sign, style = SIGNS[judgement.verdict]
        words = f" {' '.join(judgement.vantages)} {judgement.expected}: {judgement.evidence}"
        lines.append([Span(f" {sign}", style), Span(words)])
    return [[], *lines] if lines else []


def _evidence(event: EventRow, records: Sequence[Record]) -> list[Line]:
    mine = [
        record
        for record in records
        if isinstance(record, EvidenceWritten) and event.at_ns - 1_000_000_000 <= record.t_ns < event.event.until_ns
    ]
    lines: list[Line] = [
        [Span(f" packets  {each.path}", ""), Span(f"  {each.packets} packets of {each.sessions} sessions", "quiet")]
        for each in mine
    ]
    return [[], *lines] if lines else []
