"""How long a run may take at the most, from what its experiments say."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from core.experiment import Experiment

FIRST_ANSWER_S = 15.0
PROVE_S = 3.0
REVERT_S = 15.0


def longest(experiments: Sequence[Experiment]) -> timedelta:
    """Return the bound: first answers, then for each experiment gate, method, hold, revert and settling."""
    seconds = FIRST_ANSWER_S
    for experiment in experiments:
        steady = experiment.steady_state
        method_s = max((fault.at_s for fault in experiment.faults), default=0.0)
        gate_s, settle_s = steady.for_s + steady.timeout_s, experiment.settle_s + steady.timeout_s
        seconds += gate_s + method_s + PROVE_S * len(experiment.faults) + experiment.hold_s + REVERT_S + settle_s
    return timedelta(seconds=seconds)
