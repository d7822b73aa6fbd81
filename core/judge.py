"""Verdicts: held, broken or unknown, per expectation, from the records of a run alone. Pure; may be done again."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from core import clock_bounds
from core.capture_records import CaptureGap
from core.changes import changes
from core.clock_records import ClockOffset
from core.events import Event, VantageOutcome, events
from core.evidence import EvidenceWritten
from core.experiment import Expectation, Experiment, Sessions
from core.inventory import Inventory
from core.kinds import Kinds
from core.names import NOTHING, Change
from core.outage import Interval
from core.records import Note, OutageEnded, Outcome, ProbeHealth, Record, RunEnded
from core.statistics import none_of, wilson
from core.timing import timing
from core.truth import Comparison, compare


class Verdict(enum.StrEnum):
    """What is said of one expectation."""

    HELD = "held"
    BROKEN = "broken"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Judgement:
    """One expectation of one experiment: in words, the verdict, and the figures it rests on."""

    experiment: str
    vantages: tuple[str, ...]
    expected: str
    verdict: Verdict
    evidence: str


@dataclass(frozen=True, slots=True)
class RunVerdict:
    """Everything that is said of a run. `changes`: those of who answers, whatever the experiments meant to do.

    `reason_code` is `reason` for programs: held, broken, unknown, interrupted, captures_contradict, or the runner's;
    goes_on is said by who judges a run that is not over.
    """

    outcome: Outcome
    reason: str
    events: tuple[Event, ...]
    judgements: tuple[Judgement, ...]
    captures: tuple[Comparison, ...]
    notes: tuple[str, ...]
    changes: tuple[Change, ...]
    reason_code: str = ""

    def seen_as(self, event: Event, vantage: str) -> tuple[Change, ...]:
        """Return what an event was seen as at a vantage."""
        return _inside(self.changes, event, vantage)

    @property
    def outside(self) -> tuple[Change, ...]:
        """The changes that belong to no event."""
        spans = [(event.at_ns, event.until_ns) for event in self.events]
        return tuple(c for c in self.changes if not any(low <= c.first_ns < high for low, high in spans))


Check = Callable[[Sequence[VantageOutcome]], tuple[bool | None, str]]
"""Whether what is expected held (None: cannot be known), and the figures."""
SEEN_AS = "seen as "
"""How what is expected of `seen_as` begins."""
NO_DATA_PLANE = "no data-plane clock: socket engine"
NO_NODE = "the node is not seen: socket engine"


def judge(records: Sequence[Record], inventory: Inventory, experiments: Sequence[Experiment]) -> RunVerdict:
    """Return the verdict of a run; `records` are sorted by time."""
    kinds = Kinds(records)
    found = events(records, inventory, experiments, kinds)
    within = clock_bounds.bounds(kinds.of(ClockOffset))
    recognised = changes(records, inventory, [event.at_ns for event in found], kinds)
    judgements = _judgements(experiments, found, recognised)
    if within:
        early, late = (_of_moved(moved, inventory, experiments) for moved in clock_bounds.otherwise(records, within))
        judgements = tuple(_within(within, *each) for each in zip(judgements, early, late, strict=True))
    ended = next(reversed(kinds.of(RunEnded)), None)
    captures = compare([*kinds.of(CaptureGap), *kinds.of(OutageEnded)])
    outcome, reason, code = _outcome(ended, judgements, sum(not comparison.inside for comparison in captures))
    notes = [f"{record.source}: {record.text}" for record in kinds.of(Note)]
    evidence = len(kinds.of(EvidenceWritten))
    if evidence:
        notes.append(f"packets around outages and drops: {evidence} files; `vipchaos evidence RUN` lists them")
    notes += [*timing(kinds.of(ProbeHealth)), *clock_bounds.wide(within)]
    return RunVerdict(outcome, reason, found, judgements, captures, tuple(notes), recognised, code)


def _outcome(ended: RunEnded | None, judgements: Sequence[Judgement], contradicted: int) -> tuple[Outcome, str, str]:
    """Return outcome, reason and the reason's code.

    What the runner says of itself comes first; then whether the intervals can be believed; broken; unknown.
    """
    if ended is not None and ended.outcome not in (Outcome.PASSED, Outcome.FAILED, Outcome.INCONCLUSIVE):
        return ended.outcome, ended.reason, ended.reason_code
    if contradicted:
        words = f"{contradicted} outage intervals are contradicted by the packet captures"
        return Outcome.INCONCLUSIVE, words, "captures_contradict"
    broken = sum(judgement.verdict is Verdict.BROKEN for judgement in judgements)
    unknown = sum(judgement.verdict is Verdict.UNKNOWN for judgement in judgements)
    if broken:
        return Outcome.FAILED, f"{broken} of {len(judgements)} expectations broken", "broken"
    if ended is None:
        return Outcome.INCONCLUSIVE, "the run was interrupted: its end was never written", "interrupted"
    if ended.outcome is Outcome.INCONCLUSIVE:
        return Outcome.INCONCLUSIVE, ended.reason, ended.reason_code
    if unknown or not judgements:
        return Outcome.INCONCLUSIVE, f"{unknown} of {len(judgements)} expectations unknown", "unknown"
    return Outcome.PASSED, f"{len(judgements)} of {len(judgements)} expectations held", "held"


def _of_moved(
    records: Sequence[Record], inventory: Inventory, experiments: Sequence[Experiment]
) -> tuple[Judgement, ...]:
    kinds = Kinds(records)
    found = events(records, inventory, experiments, kinds)
    return _judgements(experiments, found, changes(records, inventory, [event.at_ns for event in found], kinds))


def _judgements(
    experiments: Sequence[Experiment], found: Sequence[Event], recognised: Sequence[Change]
) -> tuple[Judgement, ...]:
    return tuple(
        judgement
        for experiment in experiments
        for expectation in experiment.expectations
        for judgement in _judge(experiment, expectation, found, recognised)
    )


def _within(within: Mapping[str, int], as_seen: Judgement, early: Judgement, late: Judgement) -> Judgement:
    """Return the judgement if it is the same with the agents' clocks as early and as late as they may be."""
    mine = [within[name] for name in as_seen.vantages if name in within]
    if clock_bounds.UNKNOWN in mine:
        why = "the clock of an agent has not been measured against the controller's"
    elif as_seen.verdict is early.verdict is late.verdict:
        return as_seen
    else:
        why = f"it depends on less than the {max(mine) / 1e6:.1f} ms to which the agents' clocks are known"
    return replace(as_seen, verdict=Verdict.UNKNOWN, evidence=f"{as_seen.evidence}; {why}")


def _inside(found: Sequence[Change], event: Event, vantage: str) -> tuple[Change, ...]:
    inside = (change for change in found if event.at_ns <= change.first_ns < event.until_ns)
    return tuple(change for change in inside if change.vantage == vantage)


def _judge(
    experiment: Experiment, expectation: Expectation, found: Sequence[Event], recognised: Sequence[Change]
) -> list[Judgement]:
    kind = "failback" if experiment.reverts else "failover"
    event = next((event for event in found if event.experiment == experiment.name and event.kind == kind), None)
    judgements = []
    checks = _checks(expectation)
    if expectation.seen_as:
        seen = {vantage: _inside(recognised, event, vantage) for vantage in expectation.vantages} if event else {}
        checks.append((f"{SEEN_AS}{' or '.join(expectation.seen_as)}", _seen_as(expectation.seen_as, seen)))
    for expected, check in checks:
        verdict, evidence = _verdict(event, expectation, check)
        judgements.append(Judgement(experiment.name, expectation.vantages, expected, verdict, evidence))
    return judgements


def _verdict(event: Event | None, expectation: Expectation, check: Check) -> tuple[Verdict, str]:
    if event is None:
        return Verdict.UNKNOWN, "the fault was never injected"
    if not event.proven:
        return Verdict.UNKNOWN, f"the fault is not proven {'reverted' if event.kind == 'failback' else 'injected'}"
    outcomes = [outcome for outcome in event.vantages if outcome.vantage in expectation.vantages]
    for outcome in outcomes:
        if outcome.unknown:
            return Verdict.UNKNOWN, f"{outcome.vantage}: {outcome.unknown}"
    held, evidence = check(outcomes)
    if held is None:
        return Verdict.UNKNOWN, evidence
    return Verdict.HELD if held else Verdict.BROKEN, evidence


def _checks(expectation: Expectation) -> list[tuple[str, Check]]:
    """Return each thing that is expected, in words, with what decides it."""
    checks: list[tuple[str, Check]] = []
    for index, (what, wanted) in enumerate(
        (("site", expectation.site), ("node", expectation.node), ("NAT pool", expectation.nat_pool))
    ):
        if wanted is not None:
            checks.append((f"answered by {what} {wanted}", _answered_by(index, wanted)))
    if expectation.sessions is not None:
        checks.append((f"sessions {expectation.sessions}", _SESSIONS[expectation.sessions]))
    if expectation.outage_upper_s is not None:
        checks.append(
            (
                f"data-plane outage below {expectation.outage_upper_s:g} s",
                _outage_below(expectation.outage_upper_s),
            )
        )
    if expectation.new_connections_upper_s is not None:
        checks.append(
            (
                f"new connections within {expectation.new_connections_upper_s:g} s",
                _new_connections_within(expectation.new_connections_upper_s),
            )
        )
    return checks


def _answered_by(index: int, wanted: str) -> Check:
    def check(outcomes: Sequence[VantageOutcome]) -> tuple[bool | None, str]:
        seen = {outcome.vantage: outcome.after.values(index) for outcome in outcomes}
        evidence = "; ".join(
            f"{name}: {', '.join(sorted(value or 'not known' for value in values)) or 'nobody'}"
            for name, values in seen.items()
        )
        # Where nodes cannot be seen, a node that is not known says nothing.
        blind = {outcome.vantage for outcome in outcomes if index == 1 and not outcome.measures_data_plane}
        unseen = {name for name in blind if seen[name] == {""}}
        if not all(values == {wanted} for name, values in seen.items() if name not in unseen):
            return False, evidence
        return (None, f"{evidence}; {NO_NODE}") if unseen else (True, evidence)

    return check


def _seen_as(wanted: Sequence[str], seen: Mapping[str, Sequence[Change]]) -> Check:
    """Hold what each vantage's records look like against all that it may look like."""

    def check(outcomes: Sequence[VantageOutcome]) -> tuple[bool | None, str]:
        held, parts = True, []
        for outcome in outcomes:
            found = seen[outcome.vantage]
            names = {str(name) for change in found for name in change.names} or {NOTHING}
            held = held and names <= set(wanted)
            words = "; ".join(" or ".join(change.names) for change in found) or NOTHING
            parts.append(f"{outcome.vantage}: {words}")
        return held, "; ".join(parts)

    return check


def _outage_below(limit_s: float) -> Check:
    def check(outcomes: Sequence[VantageOutcome]) -> tuple[bool | None, str]:
        measured = [outcome for outcome in outcomes if outcome.measures_data_plane]
        held, evidence = _below(
            limit_s, [(o.vantage, o.data_plane.worst if o.data_plane else None, o.open_ns) for o in measured]
        )
        missing = [f"{outcome.vantage}: {NO_DATA_PLANE}" for outcome in outcomes if not outcome.measures_data_plane]
        return (None if held and missing else held), "; ".join(filter(None, [evidence, *missing]))

    return check


def _new_connections_within(limit_s: float) -> Check:
    def check(outcomes: Sequence[VantageOutcome]) -> tuple[bool | None, str]:
        return _below(limit_s, [(o.vantage, o.new_connections, o.open_new_ns) for o in outcomes])

    return check


def _below(limit_s: float, found: Sequence[tuple[str, Interval | None, int]]) -> tuple[bool, str]:
    """Hold each vantage's interval, or how long one that is not over has lasted (ns), against the limit."""
    parts = []
    held = True
    for vantage, bounds, open_ns in found:
        if open_ns:
            held = held and open_ns / 1e9 < limit_s
            parts.append(f"{vantage}: > {open_ns / 1e9:.2f} s, not over yet")
        elif bounds:
            held = held and bounds.upper_ns / 1e9 < limit_s
            parts.append(f"{vantage}: {bounds.lower_ns / 1e9:.3f} to {bounds.upper_ns / 1e9:.3f} s")
        else:
            parts.append(f"{vantage}: none")
    return held, "; ".join(parts)


def _survive(outcomes: Sequence[VantageOutcome]) -> tuple[bool, str]:
    alive = sum(outcome.alive for outcome in outcomes)
    drops = sum(outcome.drops for outcome in outcomes)
    silent = sum(bool(outcome.open_ns) for outcome in outcomes)
    if drops:
        low, high = wilson(drops, alive)
        return False, f"{drops} of {alive} dropped (95 %: {low:.1%} to {high:.1%}){_causes(outcomes)}"
    return (
        not silent,
        f"0 of {alive} dropped (95 %: < {none_of(alive):.1%}){' but not all answer again' if silent else ''}",
    )


def _untouched(outcomes: Sequence[VantageOutcome]) -> tuple[bool | None, str]:
    held, evidence = _survive(outcomes)
    outages = [o.vantage for o in outcomes if o.measures_data_plane and (o.data_plane or o.open_ns)]
    stalls = [o.vantage for o in outcomes if not o.measures_data_plane and (o.held_kernel or o.open_ns)]
    moved = [outcome.vantage for outcome in outcomes if outcome.before.values(0) != outcome.after.values(0)]
    parts = [evidence, f"outage at {', '.join(outages)}" if outages else "" if stalls else "no outage"]
    if stalls:
        # One lost segment stalls a kernel session for 0.2 s and more: loss or outage, nobody can tell.
        parts.append(f"stall at {', '.join(stalls)}, {NO_DATA_PLANE}")
    if moved:
        parts.append(f"site changed at {', '.join(moved)}")
    sound = held and not outages and not moved
    return (None if sound and stalls else sound), "; ".join(filter(None, parts))


def _restart(outcomes: Sequence[VantageOutcome]) -> tuple[bool, str]:
    alive = sum(outcome.alive for outcome in outcomes)
    drops = sum(outcome.drops for outcome in outcomes)
    back = sum(outcome.alive_at_end for outcome in outcomes)
    return drops == alive and back == alive, f"{drops} of {alive} dropped{_causes(outcomes)}; {back} alive again"


def _causes(outcomes: Sequence[VantageOutcome]) -> str:
    causes: dict[str, int] = {}
    for outcome in outcomes:
        for cause, count in outcome.dropped.items():
            causes[cause] = causes.get(cause, 0) + count
    return f" by {', '.join(f'{cause} {count}' for cause, count in sorted(causes.items()))}" if causes else ""


_SESSIONS: dict[Sessions, Check] = {
    Sessions.SURVIVE: _survive,
    Sessions.RESTART: _restart,
    Sessions.UNTOUCHED: _untouched,
}
