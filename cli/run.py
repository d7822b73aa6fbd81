"""The command `run`: experiments against the network of an inventory, from this machine."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from core.errors import CallError


@click.command()
@click.option("--inventory", type=click.Path(path_type=Path), help="Inventory file (YAML).")
@click.option("--all", "everything", is_flag=True, help="Each on its own; without EXPERIMENTS the whole library.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the whole outcome to FILE.")
@click.option("--markdown", "markdown_file", type=click.Path(path_type=Path), help="Write the report to FILE as well.")
@click.option("--junit", "junit_file", type=click.Path(path_type=Path), help="Write JUnit XML, for CI, to FILE.")
@click.option("--plan", "plan_hash", default="", metavar="HASH", help="Refuse a plan that is not the one of HASH.")
@click.option("--trials", type=click.IntRange(1, 100), default=1, help="Do the whole list so many times.")
@click.option("--dry-run", is_flag=True, help="Go through every step and touch nothing.")
@click.option("--keep-captures", is_flag=True, help="Keep the packet captures in the run's directory.")
@click.option("--color/--no-color", default=None, help="Colour on or off; without it, on a terminal only.")
@click.option(
    "--member",
    type=click.Path(path_type=Path),
    help="This controller's directory of `vipchaos enrol`: guards elsewhere are asked over the bus.",
)
@click.option("--once", default="", metavar="KEY", help="With --member: refuse what any controller began by this key.")
@click.option("--name", default="run", help="What the directory of the run is called after.")
@click.option("--lifeline", is_flag=True, help="Revert and end when standard input ends; for `vipchaos serve`.")
@click.argument("experiments", nargs=-1, type=click.Path(path_type=Path))
def run(
    inventory: Path | None,
    everything: bool,
    json_file: Path | None,
    markdown_file: Path | None,
    junit_file: Path | None,
    plan_hash: str,
    trials: int,
    dry_run: bool,
    keep_captures: bool,
    color: bool | None,
    member: Path | None,
    once: str,
    name: str,
    lifeline: bool,
    experiments: tuple[Path, ...],
) -> None:
    """Run EXPERIMENTS one after another against the network that the inventory describes, and judge them.

    Needs root: raw packets at the vantages, and whatever the faults' targets ask for. Ctrl-C reverts and ends.

    With --trials each is a run of its own; the figures of all are printed, and --json writes those. A trial that is
    BLOCKED, ABORTED or REVERT_FAILED is the last. The exit code is the worst outcome's.

    With --all each is a run of its own, and one table says what each was seen as. Without --inventory they are run on
    labs of the flavours that they need, and without EXPERIMENTS it is the library of vipchaos itself.

    \b
    Examples:
      vipchaos check --inventory staging.yaml drain.yaml
      vipchaos run --inventory staging.yaml --json outcome.json drain.yaml
      vipchaos run --inventory staging.yaml --plan 0f5d1c2b9a77 --trials 20 drain.yaml
      vipchaos run --all --trials 5 --json library.json
    """
    from cli.controller import Lifeline, Request, control
    from cli.output import colored
    from cli.trials import run_trials

    _check_name(name)
    if everything:
        from cli.library import All, run_all

        if junit_file or plan_hash or dry_run or keep_captures or member or once or lifeline or name != "run":
            raise click.UsageError("--all goes with --inventory, --trials, --json, --markdown and EXPERIMENTS alone")
        sys.exit(run_all(All(inventory, experiments, trials, json_file, markdown_file)))
    if inventory is None or not experiments:
        raise click.UsageError("--inventory and EXPERIMENTS are needed, or --all")
    if trials > 1 and markdown_file:
        raise click.UsageError("--markdown is of one run: with --trials each has a report.md in its directory")
    if lifeline:
        Lifeline(sys.stdin.fileno()).start()
    request = Request(
        inventory.resolve(),
        experiments,
        json_file,
        markdown_file,
        keep_captures,
        colored(color),
        name,
        dry_run=dry_run,
        plan=plan_hash,
        junit_file=junit_file,
        member=member,
        once=once,
    )
    sys.exit(run_trials(request, trials) if trials > 1 else control(request))


def _check_name(name: str) -> None:
    from core.reader import NAME, NAME_ALLOWED

    if not NAME.match(name):
        raise CallError(f"--name {name!r}: {NAME_ALLOWED}")
