"""How long a run may take at the most, its probes included."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from core.experiment import Experiment
from core.plan import longest_s

FIRST_ANSWER_S = 30.0
"""So long are the first answers of the probes waited for."""


def longest(experiments: Sequence[Experiment]) -> timedelta:
    """Return the bound: first answers, then every step with its wait used up. Judging comes after it."""
    return timedelta(seconds=FIRST_ANSWER_S + longest_s(experiments))
