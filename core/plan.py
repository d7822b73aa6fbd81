"""What a run does when, on a virtual clock. Pure: the runner does these steps, and `vipchaos plan` prints them."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from core.experiment import Experiment, Fault, SteadyState

ARM_WITHIN_S = 5.0
"""So long may it take to arm one fault."""
PROVE_WITHIN_S = 10.0
"""So long is the proof of one fault waited for: a device that is logged in to each time, a route that goes round."""
REVERT_WITHIN_S = 15.0
"""So long is the proven revert of one fault waited for."""


class StepKind(enum.StrEnum):
    """What is done in a step. Those from ARM to REVERT are about one fault, but for HOLD."""

    GATE = "gate"  # wait for the steady state
    ARM = "arm"
    INJECT = "inject"
    PROVE = "prove"
    HOLD = "hold"  # nothing but watching
    REVERT = "revert"  # and prove it
    SETTLE = "settle"  # wait for the steady state again
    DONE = "done"


_AT_ONE_INSTANT = (StepKind.REVERT, StepKind.INJECT, StepKind.PROVE, StepKind.HOLD)
"""The order of what is due at one instant: first what ends, so that no more faults are out than were asked for."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of `experiment`, at the earliest `at_s` seconds after its method began.

    The method begins when every fault is armed; `at_s` is below 0 for what comes before. `fault` is '' where the
    step is about none. Injections and single reverts are due at `at_s`; a proof may take until `PROVE_WITHIN_S` later,
    and nothing that is due may wait for it. The REVERT steps of an experiment that `reverts` an earlier one name the
    earlier one's faults.
    """

    at_s: float
    kind: StepKind
    experiment: str
    fault: str = ""


def timeline(experiments: Sequence[Experiment]) -> tuple[Step, ...]:
    """Return the steps of a run, in the order in which they are done; each experiment has its own zero.

    Of one experiment all faults are armed before anything is injected, and what is still out at its end is reverted
    in the reverse order of injection. Faults that a later experiment reverts stay, and nothing settles then.
    """
    return tuple(step for experiment in experiments for step in _steps(experiment, experiments))


def _steps(experiment: Experiment, experiments: Sequence[Experiment]) -> list[Step]:
    name = experiment.name
    steps = [Step(-experiment.steady_state.for_s, StepKind.GATE, name)]
    end_s = experiment.method_s
    stays = reverted_later(experiment, experiments)
    if experiment.reverts is None:
        steps += [Step(0.0, StepKind.ARM, name, fault.name) for fault in experiment.faults]
        steps += _method(experiment, stays)
    else:
        earlier = _of_name(experiment.reverts, experiments)
        out = [fault for fault in _last_first(earlier) if fault.hold_s is None]
        steps += [Step(0.0, StepKind.REVERT, name, fault.name) for fault in out]
        steps.append(Step(0.0, StepKind.HOLD, name))
    if not stays:
        steps.append(Step(end_s, StepKind.SETTLE, name))
        end_s += experiment.settle_s
    return [*steps, Step(end_s, StepKind.DONE, name)]


def _method(experiment: Experiment, stays: bool) -> list[Step]:
    name = experiment.name
    steps = []
    for fault in experiment.faults:
        steps.append(Step(fault.at_s, StepKind.INJECT, name, fault.name))
        steps.append(Step(fault.at_s, StepKind.PROVE, name, fault.name))
    for fault in _last_first(experiment):
        if fault.hold_s is not None:
            steps.append(Step(fault.at_s + fault.hold_s, StepKind.REVERT, name, fault.name))
        elif not stays:
            steps.append(Step(experiment.method_s, StepKind.REVERT, name, fault.name))
    steps.append(Step(experiment.method_s - experiment.hold_s, StepKind.HOLD, name))
    return sorted(steps, key=lambda step: (step.at_s, _AT_ONE_INSTANT.index(step.kind)))


def _last_first(experiment: Experiment) -> list[Fault]:
    """Return the faults in the reverse order of their injection."""
    return sorted(experiment.faults, key=lambda fault: fault.at_s)[::-1]


def reverted_later(experiment: Experiment, experiments: Sequence[Experiment]) -> bool:
    """Whether a later experiment of the list reverts this one, so that its faults stay out at its end."""
    return any(other.reverts == experiment.name for other in experiments)


def settles_to(experiment: Experiment, experiments: Sequence[Experiment]) -> SteadyState:
    """Return the steady state that must be there at the end: after a failback, that of before the failover."""
    return (_of_name(experiment.reverts, experiments) if experiment.reverts else experiment).steady_state


def begins_s(experiments: Sequence[Experiment]) -> tuple[float, ...]:
    """Return when the method of each experiment begins at the earliest, in seconds after the first gate began."""
    begins: list[float] = []
    now_s = 0.0
    for experiment in experiments:
        steps = _steps(experiment, experiments)
        begins.append(now_s - steps[0].at_s)
        now_s = begins[-1] + steps[-1].at_s
    return tuple(begins)


def longest_s(experiments: Sequence[Experiment]) -> float:
    """Return how many seconds a run may take at most from its first gate on, with every wait used up."""
    within_s = {StepKind.ARM: ARM_WITHIN_S, StepKind.PROVE: PROVE_WITHIN_S, StepKind.REVERT: REVERT_WITHIN_S}
    total_s = 0.0
    for experiment in experiments:
        steps = _steps(experiment, experiments)
        gate = experiment.steady_state
        total_s += gate.for_s + gate.timeout_s + experiment.method_s
        total_s += sum(within_s.get(step.kind, 0.0) for step in steps)
        if any(step.kind is StepKind.SETTLE for step in steps):
            total_s += experiment.settle_s + settles_to(experiment, experiments).timeout_s
    return total_s


def _of_name(name: str, experiments: Sequence[Experiment]) -> Experiment:
    return next(experiment for experiment in experiments if experiment.name == name)
