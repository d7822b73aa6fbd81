"""The command `baseline`: the trials that later ones are held against."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from statistics import median

import click

from cli.output import write_whole
from core.errors import CallError


@click.group()
def baseline() -> None:
    """Keep how long failovers take today, to hold later trials against it by `vipchaos compare`.

    \b
    Examples:
      vipchaos baseline set last
      vipchaos baseline list
    """


@baseline.command("set")
@click.argument("name", metavar="RUN|EXPERIMENT")
def set_baseline(name: str) -> None:
    """Make RUN, with the runs of its series, or all runs of EXPERIMENT the baseline of what they tried.

    A run without a series stands for the runs like it (the same experiments, VIP and vantages) up to it. A baseline
    that is there already is replaced.

    \b
    Examples:
      vipchaos baseline set last
      vipchaos baseline set node-failover
    """
    from cli.trial_sets import find, known_runs, trials, widened
    from store.baselines import Baseline, path_of, to_text

    runs = known_runs()
    found = widened(find(name, runs), runs)
    experiments = [name] if name in found[-1].experiments else list(found[-1].experiments)
    for experiment, mine in trials(found, experiments).items():
        if not any(value is not None for trial in mine for value in trial.values.values()):
            raise CallError(f"{experiment}: none of {len(found)} runs has a figure that is known; no baseline was set")
        made = Baseline(experiment, time.time_ns(), found[-1].settings, mine)
        path = path_of(experiment)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, to_text(made))
        click.echo(f"{experiment}: {len(mine)} trials are the baseline ({path})")


@baseline.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def list_baselines(as_json: bool) -> None:
    """List the baselines.

    \b
    Example:
      vipchaos baseline list --json
    """
    from store.baselines import all_of_them, to_text

    found = all_of_them()
    if as_json:
        click.echo(json.dumps([json.loads(to_text(each)) for each in found], indent=2))
        return
    for each in found:
        when = datetime.fromtimestamp(each.set_wall_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M UTC")
        click.echo(f"{each.experiment}: {len(each.trials)} trials, set {when}")
        for name in dict.fromkeys(name for trial in each.trials for name in trial.values):
            known = [value for trial in each.trials if (value := trial.values.get(name)) is not None]
            if known:
                click.echo(f"  {name:<28} median {median(known):.3f} s of {len(known)}")
    if not found:
        click.echo("no baselines yet: `vipchaos baseline set RUN` makes one", err=True)
