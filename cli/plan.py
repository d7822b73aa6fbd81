"""The command `plan`: what a run would do, when and where, and a hash to hold it to."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

import click

from chaos.drivers import DECLARED, DRIVERS
from chaos.planned import planned
from core.experiment import Experiment, Fault
from core.inventory import Host, Inventory
from core.loader import load_experiments, load_inventory
from core.plan import Step, StepKind, begins_s, longest_s, timeline


@click.command()
@click.option("--inventory", type=click.Path(path_type=Path), required=True, help="Inventory file (YAML).")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
@click.argument("experiments", nargs=-1, required=True, type=click.Path(path_type=Path))
def plan(inventory: Path, experiments: tuple[Path, ...], as_json: bool) -> None:
    """Print what a run of EXPERIMENTS would do: targets, commands, timeline. Nothing is asked and nothing touched.

    The hash is over all of it, but not over comments and the order of keys: `vipchaos run --plan HASH` refuses
    what has changed since. In commands `<...>` is known at run time only. Instants are the earliest.

    \b
    Examples:
      vipchaos plan --inventory staging.yaml drain.yaml
      vipchaos run --inventory staging.yaml --plan 0f5d1c2b9a77 drain.yaml
    """
    network = load_inventory(inventory)
    loaded = load_experiments(experiments, network, DECLARED)
    document = planned(network, loaded)
    if as_json:
        click.echo(json.dumps(document, indent=2))
        return
    for line in _lines(network, loaded):
        click.echo(line)
    click.echo(f"\nhash: {document['hash']}")


def _lines(inventory: Inventory, experiments: Sequence[Experiment]) -> Iterator[str]:
    steps = timeline(experiments)
    for number, (experiment, begin_s) in enumerate(zip(experiments, begins_s(experiments), strict=True), 1):
        gate = experiment.steady_state
        yield f"{number}. {experiment.name}: {experiment.title}"
        who = ", ".join(f"{vantage} by {site}" for vantage, site in gate.answered_by.items())
        yield f"  gate: {who}; for {gate.for_s:g} s, within {gate.timeout_s:g} s"
        if experiment.reverts is None:
            lease = f"lease {experiment.lease_s:g} s, hold {experiment.hold_s:g} s"
        else:
            lease = f"reverts {experiment.reverts}, watches {experiment.hold_s:g} s"
        yield f"  {lease}, settle {experiment.settle_s:g} s{', together with other runs' * experiment.together}"
        for fault in experiment.faults:
            yield from _fault(fault, inventory.hosts[fault.target])
        yield f"  timeline (seconds after the method began, which is {begin_s:g} s after the run's gate or later)"
        yield from _timeline(step for step in steps if step.experiment == experiment.name)
        yield ""
    yield f"the whole run: {longest_s(experiments):g} s at most, after its vantages have started"


def _fault(fault: Fault, host: Host) -> Iterator[str]:
    where = " ".join(filter(None, [host.transport, host.target]))
    takes = f"takes {', '.join(fault.takes)}" if fault.takes else "takes nothing"
    own = f", held {fault.hold_s:g} s" if fault.hold_s is not None else ""
    yield f"  {fault.name}: {fault.driver} at {host.name} ({where}), {takes}{own}"
    commands = DRIVERS[fault.driver].commands(fault.arguments)
    each: Mapping[str, Sequence[Sequence[str]]] = {
        "inject": commands.inject,
        "prove": commands.prove,
        "revert": commands.revert,
    }
    for step, argvs in each.items():
        shown = [shlex.join(argv) for argv in argvs] or ["nothing: over as it is injected"]
        for number, argv in enumerate(shown):
            yield f"    {'' if number else step:<7} {argv}"


def _timeline(steps: Iterable[Step]) -> Iterator[str]:
    """Yield a line for each instant and kind of step, with its faults in their order."""
    for (at_s, kind), together in groupby(steps, key=lambda step: (step.at_s, step.kind)):
        what = {StepKind.GATE: "gate: the steady state", StepKind.SETTLE: "settle: the steady state again"}.get(kind)
        faults = ", ".join(step.fault for step in together if step.fault)
        yield f"  {at_s:8.1f}  {what or ' '.join(filter(None, [kind.value, faults]))}"
