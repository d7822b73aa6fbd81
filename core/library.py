"""What the runs of many experiments gave, side by side: what each was seen as, and whether that is right. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.experiment import Experiment
from core.judge import SEEN_AS, RunVerdict, Verdict
from core.names import NOTHING
from core.records import Outcome


@dataclass(frozen=True, slots=True)
class Trial:
    """One run of one experiment.

    `seen`: for each change at the vantages of whom something is expected, the names that the facts allow, joined by
    `or`; `nothing` where there was none. `named` is None where that cannot be told. `failover_s`: the worst data-plane
    outage's upper bound, 0 without one, None where it is not known or not over.
    """

    run: str
    outcome: Outcome
    reason: str
    seen: tuple[str, ...]
    named: bool | None
    failover_s: float | None


@dataclass(frozen=True, slots=True)
class Row:
    """One experiment and its trials, in the order in which they were done."""

    experiment: str
    title: str
    flavours: tuple[str, ...]
    expected: tuple[str, ...]
    trials: tuple[Trial, ...]

    @property
    def named(self) -> int:
        """How many trials were named rightly."""
        return sum(trial.named is True for trial in self.trials)

    @property
    def seen(self) -> Counter[str]:
        """How many trials were seen as what; of one that was seen as several, all in one text."""
        return Counter("; ".join(trial.seen) for trial in self.trials)


def expected(experiment: Experiment) -> tuple[str, ...]:
    """Return what an experiment may be seen as where it hits, in the order of the file."""
    found = dict.fromkeys(name for each in _hit(experiment).values() for name in each)
    return tuple(found)


def _hit(experiment: Experiment) -> Mapping[str, tuple[str, ...]]:
    """Return what is expected of each vantage; those that must see nothing are left out, unless that is all."""
    found = {vantage: each.seen_as for each in experiment.expectations for vantage in each.vantages if each.seen_as}
    return {vantage: names for vantage, names in found.items() if names != (NOTHING,)} or found


def trial(run: str, verdict: RunVerdict, experiment: Experiment) -> Trial:
    """Return what a run gave of one of its experiments."""
    kind = "failback" if experiment.reverts else "failover"
    mine = (each for each in verdict.events if (each.experiment, each.kind) == (experiment.name, kind))
    event = next(mine, None)
    seen: dict[str, None] = {}
    for vantage in _hit(experiment) if event else ():
        assert event is not None
        changes = verdict.seen_as(event, vantage)
        seen.update(dict.fromkeys(" or ".join(change.names) for change in changes) if changes else {NOTHING: None})
    judged = [
        each.verdict
        for each in verdict.judgements
        if each.experiment == experiment.name and each.expected.startswith(SEEN_AS)
    ]
    named = None if not judged or Verdict.UNKNOWN in judged else Verdict.BROKEN not in judged
    failover_s: float | None = None
    if event and not any(outcome.unknown or outcome.open_ns for outcome in event.vantages):
        planes = [outcome.data_plane.worst.upper_ns for outcome in event.vantages if outcome.data_plane]
        failover_s = max(planes, default=0) / 1e9
    return Trial(run, verdict.outcome, verdict.reason, tuple(sorted(seen)), named, failover_s)


def named_rightly(rows: Sequence[Row]) -> tuple[int, int]:
    """Return how many trials were named rightly, of how many."""
    return sum(row.named for row in rows), sum(len(row.trials) for row in rows)
