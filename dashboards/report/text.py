"""Table and verdict of a run as lines of text, at most 120 columns; colour is never the only sign."""

from __future__ import annotations

from collections.abc import Sequence

from core.events import Event, VantageOutcome, Who
from core.judge import RunVerdict, Verdict
from core.names import Change
from core.outage import Interval
from core.records import Outcome
from core.truth import Comparison

_RESET = "\x1b[0m"
_GOOD, _BAD, _ODD, _BOLD = "\x1b[32m", "\x1b[31m", "\x1b[33m", "\x1b[1m"
_SIGNS = {Verdict.HELD: ("held   ", _GOOD), Verdict.BROKEN: ("BROKEN ", _BAD), Verdict.UNKNOWN: ("unknown", _ODD)}
_ROW = "  {:<8} {:<26} {:<17} {:<17} {:<17} {:>5} {:>5}  {}"


def to_text(run: str, verdict: RunVerdict, color: bool) -> str:
    """Return table and verdict."""
    lines = []
    for number, event in enumerate(verdict.events, 1):
        lines += ["", *_event(number, event, color), *_seen_as(event, verdict)]
        lines += _judgements(event, verdict, color)
    missing = [judgement for judgement in verdict.judgements if judgement.experiment not in _seen(verdict)]
    lines += [
        _judgement(judgement.expected, judgement.vantages, judgement.verdict, judgement.evidence, color)
        for judgement in missing
    ]
    lines.append("")
    if verdict.captures:
        lines.append(_captures(verdict.captures))
    lines += [f"outside of the events {change.vantage} seen as: {in_words(change)}" for change in verdict.outside]
    lines += [f"note: {note}" for note in verdict.notes]
    hue = {Outcome.PASSED: _GOOD, Outcome.FAILED: _BAD}.get(verdict.outcome, _ODD)
    lines.append(f"{_paint(verdict.outcome, hue, color)}: {verdict.reason}  (run {run})")
    return "\n".join(lines) + "\n"


def _seen(verdict: RunVerdict) -> frozenset[str]:
    return frozenset(event.experiment for event in verdict.events)


def _event(number: int, event: Event, color: bool) -> list[str]:
    title = (
        event.title if event.kind == "failover" or event.pair != event.experiment else f"its failback: {event.title}"
    )
    pair = f", pairs with {event.pair}" if event.pair and event.pair != event.experiment else ""
    head = _paint(f"{number}. {event.experiment}: {title}", _BOLD, color)
    proof = "" if event.proven else "  NOT PROVEN"
    lines = [head, f"  {event.kind} of {', '.join(event.faults)}{pair}{proof}"]
    if event.first_convergence_ns is not None and event.full_convergence_ns is not None:
        lines.append(
            f"  convergence after the fault's {'end' if event.kind == 'failback' else 'injection'}: first session "
            f"{event.first_convergence_ns / 1e9:.3f} s, all {event.full_convergence_ns / 1e9:.3f} s"
        )
    lines.append(
        _ROW.format(
            "vantage", "answered by", "data plane s", "new conns s", "held kernel s", "alive", "lived", "dropped by"
        )
    )
    return lines + [_vantage(outcome) for outcome in event.vantages] + _ring_drops(event.vantages)


def _ring_drops(outcomes: Sequence[VantageOutcome]) -> list[str]:
    full = [f"{outcome.ring_dropped} at {outcome.vantage}" for outcome in outcomes if outcome.ring_dropped]
    return [f"  ring drops: {', '.join(full)} (packets that found the probe's receive ring full)"] if full else []


def _seen_as(event: Event, verdict: RunVerdict) -> list[str]:
    """Return a line for each vantage that had sessions."""
    return [
        f"  {outcome.vantage} seen as: "
        + ("; ".join(map(in_words, verdict.seen_as(event, outcome.vantage))) or "no change of who answers")
        for outcome in event.vantages
        if outcome.alive
    ]


def in_words(change: Change) -> str:
    """Return a change as text: its name, or `one of` several, where, and of how many sessions if not of all."""
    name = change.names[0] if change.certain else f"one of {', '.join(change.names)}"
    place = f"{change.before} to {change.after}" if change.after else change.before
    found = f"{name}{f' in {change.site}' if change.site else ''}{f' ({place})' if place else ''}"
    part = "" if change.sessions == change.of else f", {change.sessions} of {change.of} sessions"
    return found + part + (f": {change.why}" if change.why and not change.certain else "")


def _vantage(outcome: VantageOutcome) -> str:
    before, after = who(outcome.before), who(outcome.after)
    answered = before if before == after else f"{before} > {after}"
    plane = outcome.data_plane.worst if outcome.data_plane else None
    dropped = ", ".join(f"{cause} {count}" for cause, count in outcome.dropped.items()) or "-"
    if outcome.kernel_dropped:
        dropped += f" (kernel {outcome.kernel_dropped})"
    if outcome.unknown:
        dropped += f"  unknown: {outcome.unknown}"
    silent = f"> {outcome.open_ns / 1e9:.2f}" if outcome.open_ns else ""
    cells = [silent or bounds(plane), bounds(outcome.new_connections), bounds(outcome.held_kernel)]
    if not outcome.measures_data_plane:
        cells[0], cells[2] = "not measured", silent or cells[2]
    return _ROW.format(outcome.vantage, answered, *cells, outcome.alive, outcome.survived, dropped)


def who(answer: Who) -> str:
    """Return who answers in a few characters: `ace1/N1`, the site where the node is not known, or a mix."""
    names = [f"{node or site or '?'}/{pool or '?'}" for (site, node, pool), _ in answer.counts]
    return "+".join(names) or "nobody"


def bounds(found: Interval | None) -> str:
    """Return an interval in seconds, or `-`."""
    return f"{found.lower_ns / 1e9:.3f} .. {found.upper_ns / 1e9:.3f}" if found else "-"


def _judgements(event: Event, verdict: RunVerdict, color: bool) -> list[str]:
    if event.kind == "failback" and event.pair == event.experiment:
        return []  # the failback at the end of an experiment is measured, and nothing is expected of it
    return [
        _judgement(judgement.expected, judgement.vantages, judgement.verdict, judgement.evidence, color)
        for judgement in verdict.judgements
        if judgement.experiment == event.experiment
    ]


def _judgement(expected: str, vantages: Sequence[str], verdict: Verdict, evidence: str, color: bool) -> str:
    sign, hue = _SIGNS[verdict]
    return f"  {_paint(sign, hue, color)} {' '.join(vantages)} {expected}: {evidence}"


def _captures(captures: Sequence[Comparison]) -> str:
    inside = sum(comparison.inside for comparison in captures)
    worst = [comparison for comparison in captures if not comparison.inside][:3]
    odd = "".join(f"; not inside: {c.vantage} slot {c.slot}" for c in worst)
    return f"packet captures on the vantages: {inside} of {len(captures)} true gaps lie inside their interval{odd}"


def _paint(text: str, hue: str, color: bool) -> str:
    return f"{hue}{text}{_RESET}" if color else text
