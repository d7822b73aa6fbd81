"""What each fault did to each vantage: the records between two faults, brought together. Judges nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from core.accounts import SOCKET_ENGINE, Account, State, fold
from core.experiment import Experiment
from core.inventory import Inventory
from core.kinds import Kinds
from core.outage import Interval, Merged, interval, merge
from core.records import (
    Answer,
    Clock,
    Drop,
    ExperimentPhase,
    FaultPhase,
    FaultStep,
    Opened,
    OutageBegan,
    OutageEnded,
    ProbeHealth,
    ProbeStarted,
    ProbeStopped,
    Record,
    Summary,
)
from core.ring_drops import Loss, doubtful, gaps, losses

FRESH_NS = 2_500_000_000


@dataclass(frozen=True, slots=True)
class Who:
    """Who answers a vantage: counts of its slots by (site, node, NAT pool); '' for what is not known."""

    counts: tuple[tuple[tuple[str, str, str], int], ...]

    @property
    def only(self) -> tuple[str, str, str] | None:
        """The one answer that all slots have, or None where they differ or there is none."""
        return self.counts[0][0] if len(self.counts) == 1 else None

    def values(self, index: int) -> frozenset[str]:
        """Return the distinct sites (0), nodes (1) or NAT pools (2)."""
        return frozenset(key[index] for key, _ in self.counts)


@dataclass(frozen=True, slots=True)
class VantageOutcome:
    """What one event was to one vantage. Times in nanoseconds; the outage of a clock is None when there was none.

    `open_ns` is how long the worst slot has been silent at the end of the event, 0 when all are answered.
    `self_inflicted` counts gaps that the probe itself caused, `ring_dropped` packets that found its receive ring full.
    `unknown` says why the figures cannot be relied on, or ''.
    `stall` is the worst data-plane outage of a session that survived it.
    `open_new_ns` is how long new connections have failed at the end, 0 when they are answered.
    """

    vantage: str
    before: Who
    after: Who
    data_plane: Merged | None
    new_connections: Interval | None
    held_kernel: Interval | None
    alive: int
    survived: int
    dropped: Mapping[str, int]
    restarted: int
    alive_at_end: int
    kernel_dropped: int
    open_ns: int
    self_inflicted: int
    unknown: str
    ring_dropped: int = 0
    open_new_ns: int = 0
    engine: str = ""
    stall: Interval | None = None

    @property
    def measures_data_plane(self) -> bool:
        """Whether the vantage's engine has a data-plane clock; without it, no outage seen is not none."""
        return self.engine != SOCKET_ENGINE

    @property
    def drops(self) -> int:
        """Sessions alive at the event that were dropped after it."""
        return sum(self.dropped.values())


@dataclass(frozen=True, slots=True)
class Event:
    """One failover or failback: from its instant to `until_ns`, at every vantage.

    `kind` is failover or failback, `pair` the experiment of the other half. First and full convergence are
    RFC 6412's: from the injection to the first and to the last slot's recovery.
    """

    experiment: str
    title: str
    kind: str
    pair: str
    faults: tuple[str, ...]
    at_ns: int
    until_ns: int
    proven: bool
    vantages: tuple[VantageOutcome, ...]
    first_convergence_ns: int | None
    full_convergence_ns: int | None


def _injected(steps: Sequence[FaultStep]) -> list[int]:
    """Return when faults were injected: when their command was started; where only the order for it is known, that."""
    began = {step.fault: step.began_ns for step in steps if step.phase is FaultPhase.INJECTED and step.began_ns}
    asked = [step for step in steps if step.phase is FaultPhase.INJECTING]
    return [began.get(step.fault) or step.planned_ns or step.t_ns for step in asked]


def events(
    records: Sequence[Record], inventory: Inventory, experiments: Sequence[Experiment], kinds: Kinds | None = None
) -> tuple[Event, ...]:
    """Return the events of a run, in order of time; `records` are sorted by time. `kinds`: of them, where at hand."""
    kinds = kinds or Kinds(records)
    steps = kinds.of(FaultStep)
    starts: list[tuple[int, Experiment, str, str, bool]] = []
    for experiment in experiments:
        mine = [step for step in steps if step.experiment == (experiment.reverts or experiment.name)]
        injected = _injected(mine)
        owner = next((other for other in experiments if other.name == experiment.reverts), experiment)
        reverting_ns = _reverting_ns(mine, owner)
        if experiment.faults and injected:
            seen = {step.fault for step in mine if step.phase is FaultPhase.PROVEN}
            later = next((other.name for other in experiments if other.reverts == experiment.name), "")
            starts.append(
                (min(injected), experiment, "failover", later, seen >= {fault.name for fault in experiment.faults})
            )
        own_failback = experiment.faults and not any(other.reverts == experiment.name for other in experiments)
        if reverting_ns and (own_failback or experiment.reverts):
            seen = {step.fault for step in mine if step.phase is FaultPhase.REVERT_PROVEN}
            wanted = {step.fault for step in mine if step.phase is FaultPhase.ARMED}
            pair = experiment.reverts or experiment.name
            starts.append((reverting_ns, experiment, "failback", pair, seen >= wanted))
    starts.sort(key=lambda start: start[0])
    if not starts:
        return ()
    instants = [start[0] for start in starts]
    spans = list(pairwise([*instants, _end(kinds, records)]))
    by_vantage = _by_vantage(records)
    seen_by = [_vantage(name, by_vantage[name], spans) for name in inventory.vantages]
    found = []
    for number, (at_ns, experiment, kind, pair, proven) in enumerate(starts):
        until_ns = spans[number][1]
        faults = tuple(dict.fromkeys(s.fault for s in steps if s.experiment == (experiment.reverts or experiment.name)))
        outcomes = tuple(outcomes[number] for outcomes in seen_by)
        recoveries = [outcome.data_plane for outcome in outcomes if outcome.data_plane]
        first_ns = min((merged.first_recovery_ns - at_ns for merged in recoveries), default=None)
        full_ns = max((merged.last_recovery_ns - at_ns for merged in recoveries), default=None)
        found.append(
            Event(
                experiment.name,
                experiment.title,
                kind,
                pair,
                faults,
                at_ns,
                until_ns,
                proven,
                outcomes,
                first_ns,
                full_ns,
            )
        )
    return tuple(found)


def _reverting_ns(steps: Sequence[FaultStep], experiment: Experiment) -> int:
    """Return when the faults of `experiment` began to be reverted for good, or 0.

    What is reverted at the end of its own hold, while others stay, is part of the method; unless there is nothing else.
    """
    alone = {fault.name for fault in experiment.faults if fault.hold_s is not None}
    found = [step for step in steps if step.phase is FaultPhase.REVERTING]
    together = [step.t_ns for step in found if step.fault not in alone]
    return min(together) if together else max((step.t_ns for step in found), default=0)


def _end(kinds: Kinds, records: Sequence[Record]) -> int:
    """Return when observation ended: when a probe stopped, or else the end of the runner's last phase, or the last."""
    stops = [record.t_ns for record in kinds.of(ProbeStopped)]
    phases = [record.t_ns for record in kinds.of(ExperimentPhase)]
    return min(stops) if stops else max(phases) if phases else max((record.t_ns for record in records), default=0)


_FOLDED = frozenset({Opened, Answer, Drop, OutageBegan, OutageEnded, Summary, ProbeStarted, ProbeHealth})


def _by_vantage(records: Sequence[Record]) -> defaultdict[str, list[Record]]:
    """Return each vantage's records that an event is made of, in order; one pass, however many events there are."""
    found: defaultdict[str, list[Record]] = defaultdict(list)
    for record in records:
        if type(record) in _FOLDED:
            found[record.vantage].append(record)  # type: ignore[union-attr]
    return found


def _vantage(name: str, records: Sequence[Record], spans: Sequence[tuple[int, int]]) -> list[VantageOutcome]:
    """Return what each event, from an instant to the next one's, was to a vantage; `records` are its own, in order."""
    health = losses([record for record in records if isinstance(record, ProbeHealth)])
    return [_outcome(name, account, state, span, health) for span, account, state in fold(records, spans)]


def _outcome(
    name: str, account: Account | None, state: State, span: tuple[int, int], health: Sequence[Loss]
) -> VantageOutcome:
    """Return what an event was to a vantage; no account where nothing was written in its time."""
    at_ns, until_ns = span
    if account is None:
        account = Account(at_ns, State())
        account.engine = state.engine
    slots, outages = state.slots.values(), account.outages
    silent_since = [slot.silent_since_ns for slot in slots if slot.silent_since_ns]
    lost = [loss for loss in health if at_ns < loss.until_ns and loss.from_ns < until_ns]
    doubts = doubtful(lost, gaps(outages, silent_since, until_ns)) if lost else 0
    return VantageOutcome(
        vantage=name,
        before=_who(account.before),
        after=_who(slot.answer for slot in slots if slot.alive),
        data_plane=merge(outage for outage in outages if outage.clock is Clock.DATA_PLANE),
        new_connections=_worst(outages, Clock.NEW_CONNECTIONS),
        held_kernel=_worst(outages, Clock.HELD_KERNEL),
        alive=len(account.alive),
        survived=len(account.alive) - len(account.drops),
        dropped=dict(sorted(account.causes.items())),
        restarted=account.restarted,
        alive_at_end=sum(slot.alive for slot in slots),
        kernel_dropped=account.kernel_dropped,
        open_ns=max((until_ns - since_ns for since_ns in silent_since), default=0),
        self_inflicted=sum(outage.self_inflicted for outage in outages),
        unknown=_unknown(account.summaries, account.alive, at_ns, until_ns) or _doubt(doubts),
        ring_dropped=sum(loss.packets for loss in lost),
        open_new_ns=until_ns - state.no_new_since_ns if state.no_new_since_ns else 0,
        engine=account.engine,
        stall=_worst([outage for outage in outages if outage.same_session], Clock.DATA_PLANE),
    )


def _who(answers: Iterable[tuple[str, str, str]]) -> Who:
    counts = Counter(answers)
    return Who(tuple(sorted(counts.items())))


def _worst(outages: Sequence[OutageEnded], clock: Clock) -> Interval | None:
    bounds = [interval(outage) for outage in outages if outage.clock is clock and not outage.self_inflicted]
    return max(bounds, key=lambda found: found.upper_ns, default=None)


def _unknown(summaries: Sequence[int], alive: set[str], at_ns: int, until_ns: int) -> str:
    """Return why what this vantage saw cannot be relied on, or ''."""
    if not alive:
        return "no session was alive at the event"
    inside = [at_ns, *(t_ns for t_ns in summaries if at_ns <= t_ns <= until_ns), until_ns]
    gap_ns = max(later - earlier for earlier, later in pairwise(inside))
    return f"telemetry is missing for {gap_ns / 1e9:.1f} s" if gap_ns > FRESH_NS else ""


def _doubt(packets: int) -> str:
    return f"{packets} packets found the receive ring full in an outage: it may be the probe's own" if packets else ""
