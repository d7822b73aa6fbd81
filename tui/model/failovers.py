"""The events of a run as rows: what each fault did, in the words and with the bounds that the report has too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from core.events import Event, VantageOutcome
from core.judge import Judgement, RunVerdict, Verdict
from tui.model.news import Level
from tui.model.view import View
from tui.model.words import NONE, NOT_KNOWN, bounds, causes, names, seconds, who, worst

COLUMNS = (
    "when",
    "event",
    "fault",
    "vantages",
    "from → to",
    "data plane",
    "new conns",
    "held kernel",
    "lived/dropped",
    "verdict",
)


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event; the cells are in the order of `COLUMNS`, without the first, which needs a time zone."""

    event: Event
    at_ns: int
    cells: tuple[str, ...]
    level: Level
    judgements: tuple[Judgement, ...]
    going_on: bool


def rows(events: Sequence[Event], verdict: RunVerdict | None, view: View) -> tuple[EventRow, ...]:
    """Return the rows, newest first. `verdict` is None while nothing has been judged yet."""
    return tuple(_row(event, verdict, view, event is events[-1]) for event in reversed(events))


def hit(event: Event) -> list[VantageOutcome]:
    """Return the vantages that noticed: an outage, a drop, or another answer."""
    return [
        outcome
        for outcome in event.vantages
        if outcome.data_plane or outcome.open_ns or outcome.drops or outcome.before != outcome.after
    ]


def _row(event: Event, verdict: RunVerdict | None, view: View, last: bool) -> EventRow:
    going_on = last and view.outcome is None and not _done(event, view)
    outcomes = hit(event)
    judgements = tuple(each for each in verdict.judgements if each.experiment == event.experiment) if verdict else ()
    if event.kind == "failback" and event.pair == event.experiment:
        judgements = ()
    level, word = _verdict(event, judgements, going_on)
    fault = names(tuple(dict.fromkeys(_label(name, view) for name in event.faults)), 3)
    since_ns = view.now_ns - event.until_ns if last else 0
    open_ns = max((outcome.open_ns + since_ns for outcome in outcomes if outcome.open_ns), default=0)
    open_new_ns = max((outcome.open_new_ns + since_ns for outcome in event.vantages if outcome.open_new_ns), default=0)
    dropped, lived = causes(event.vantages), sum(outcome.survived for outcome in outcomes)
    drops = sum(outcome.drops for outcome in outcomes)
    cells = (
        event.kind,
        fault,
        names([outcome.vantage for outcome in outcomes], 4) or "none",
        _moved(outcomes, going_on),
        f"> {seconds(open_ns)}" if open_ns else _bounds(event, "data", going_on),
        f"> {seconds(open_new_ns)}" if open_new_ns else _bounds(event, "new", going_on),
        _bounds(event, "kernel", going_on),
        f"{lived} / {drops}{f' {dropped}' if dropped else ''}" if outcomes else NONE,
        word,
    )
    return EventRow(event, event.at_ns, cells, level, judgements, going_on)


def _label(fault: str, view: View) -> str:
    return next((each.label for each in view.faults if each.fault == fault), fault)


def _done(event: Event, view: View) -> bool:
    ended = [
        t_ns
        for t_ns, experiment, phase in view.phases
        if experiment == event.experiment and phase in ("done", "aborted")
    ]
    return any(t_ns >= event.at_ns for t_ns in ended)


def _bounds(event: Event, clock: str, going_on: bool) -> str:
    found = worst(event, clock)
    return bounds(found) if found else NOT_KNOWN if going_on else NONE


def _moved(outcomes: Sequence[VantageOutcome], going_on: bool) -> str:
    """Return who answered before and after, where most vantages agree; what is not known yet is `…`."""
    pairs: Counter[tuple[str, str]] = Counter()
    for outcome in outcomes:
        silent = outcome.open_ns or (not outcome.alive_at_end and outcome.alive)
        pairs[who(outcome.before), NOT_KNOWN if silent or not outcome.after.counts else who(outcome.after)] += 1
    if not pairs:
        return NOT_KNOWN if going_on else "no change"
    (before, after), _ = pairs.most_common(1)[0]
    more = f" (+{len(pairs) - 1})" if len(pairs) > 1 else ""
    return f"{before} → {after}{more}"


def _verdict(event: Event, judgements: Sequence[Judgement], going_on: bool) -> tuple[Level, str]:
    if not event.proven and not going_on:
        return Level.ODD, "? not proven"
    if going_on or not judgements:
        return (
            Level.PLAIN,
            NOT_KNOWN if going_on or event.kind == "failover" or event.pair != event.experiment else "measured",
        )
    found = {judgement.verdict for judgement in judgements}
    if Verdict.BROKEN in found:
        broken = sum(judgement.verdict is Verdict.BROKEN for judgement in judgements)
        return Level.BAD, f"✖ broken {broken} of {len(judgements)}"
    if Verdict.UNKNOWN in found:
        return Level.ODD, "? unknown"
    return Level.GOOD, f"● held {len(judgements)}"
