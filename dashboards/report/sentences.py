"""What was expected and what happened, in one sentence each, for the top of the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from core.events import Event, VantageOutcome
from core.experiment import Experiment
from core.judge import RunVerdict, Verdict
from core.outage import Interval
from core.records import Outcome

MANY = 4


def expected(experiments: Sequence[Experiment], verdict: RunVerdict) -> str:
    """Return what the experiments expected."""
    titles = [experiment.title.rstrip(".") for experiment in experiments]
    more = f" and {len(titles) - MANY} more" if len(titles) > MANY else ""
    limits = [
        expectation.outage_upper_s
        for experiment in experiments
        for expectation in experiment.expectations
        if expectation.outage_upper_s is not None
    ]
    within = ""
    if limits:
        low, high = min(limits), max(limits)
        span = f"{low:g} s" if low == high else f"{low:g} to {high:g} s"
        within = f", data-plane outages below {span} among them"
    count = len(verdict.judgements)
    return f"{'; '.join(titles[:MANY])}{more}: {_count(count, 'expectation')}{within}."


def happened(verdict: RunVerdict) -> str:
    """Return what came of it."""
    judgements = verdict.judgements
    parts = []
    if verdict.outcome not in (Outcome.PASSED, Outcome.FAILED):
        parts.append(verdict.reason or "it was not brought to its end")
    for kind, word in ((Verdict.BROKEN, "broken"), (Verdict.UNKNOWN, "not known")):
        mine = [judgement for judgement in judgements if judgement.verdict is kind]
        if mine:
            first = mine[0]
            more = f" and {len(mine) - 1} more" if len(mine) > 1 else ""
            shown = f"{' '.join(first.vantages)} {first.expected} in {first.experiment} ({first.evidence})"
            parts.append(f"{len(mine)} of {_count(len(judgements), 'expectation')} {word}: {shown}{more}")
    if judgements and not parts:
        parts.append(f"all {_count(len(judgements), 'expectation')} held" if len(judgements) > 1 else "it held")
    parts += [_longest(verdict.events), _dropped(verdict.events)]
    sentence = "; ".join(part for part in parts if part)
    return f"{sentence[:1].upper()}{sentence[1:]}." if sentence else "Nothing was measured."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def seconds(found: Interval) -> str:
    """Return an interval as words."""
    return f"{found.lower_ns / 1e9:.3f} to {found.upper_ns / 1e9:.3f} s"


def _longest(events: Sequence[Event]) -> str:
    silent = [(outcome.open_ns, event, outcome) for event in events for outcome in event.vantages if outcome.open_ns]
    if silent:
        open_ns, event, outcome = max(silent, key=lambda each: each[0])
        return f"{outcome.vantage} was still silent after {open_ns / 1e9:.1f} s at the end of {event.experiment}"
    found = [
        (outcome.data_plane.worst, event, outcome)
        for event in events
        for outcome in event.vantages
        if outcome.data_plane
    ]
    if not found:
        measured = any(outcome.measures_data_plane and outcome.alive for event in events for outcome in event.vantages)
        return "no outage of the data plane was seen" if measured else ""
    worst, event, outcome = max(found, key=lambda each: each[0].upper_ns)
    return f"the longest data-plane outage was {seconds(worst)} ({outcome.vantage}, {event.experiment})"


def _dropped(events: Sequence[Event]) -> str:
    outcomes = [outcome for event in events for outcome in event.vantages if outcome.alive]
    if not outcomes:
        return ""
    causes = _causes(outcomes)
    if not causes:
        return "no session was dropped"
    by = ", ".join(f"{count} by {cause}" for cause, count in sorted(causes.items()))
    where = dict.fromkeys(event.experiment for event in events for outcome in event.vantages if outcome.drops)
    all_back = all(outcome.alive_at_end >= outcome.alive for outcome in outcomes)
    return f"sessions were dropped in {', '.join(where)} ({by}){' and all opened again' if all_back else ''}"


def _causes(outcomes: Sequence[VantageOutcome]) -> Counter[str]:
    causes: Counter[str] = Counter()
    for outcome in outcomes:
        causes.update(outcome.dropped)
    return causes


def story(event: Event) -> str:
    """Return one event in a sentence: who answered before and after, how long nobody did, what it cost."""
    hit = [outcome for outcome in event.vantages if outcome.before.counts != outcome.after.counts or outcome.drops]
    hit = hit or [outcome for outcome in event.vantages if outcome.data_plane]
    if not hit:
        return "Nothing changed at any vantage." if event.vantages else ""
    names = ", ".join(outcome.vantage for outcome in hit)
    before = _places(outcome.before.values(1) or outcome.before.values(0) for outcome in hit)
    after = _places(outcome.after.values(1) or outcome.after.values(0) for outcome in hit)
    moved = f"answered by {before} before and {after} after" if before != after else f"answered by {after} throughout"
    alive, lost = sum(outcome.alive for outcome in hit), sum(outcome.drops for outcome in hit)
    dropped = f"{lost} of {alive} sessions dropped" if lost else "no session dropped"
    silent = _longest([event]) if any(outcome.data_plane or outcome.open_ns for outcome in hit) else "no outage"
    return f"{names}: {moved}; {silent.replace(f', {event.experiment})', ')')}; {dropped}."


def _places(found: object) -> str:
    names = sorted({name or "a node not seen" for values in found for name in values})  # type: ignore[attr-defined]
    return ", ".join(names) or "nobody"
