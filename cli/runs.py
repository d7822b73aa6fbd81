"""The command `runs`: what has been run, oldest first."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import click

from store.runs import list_runs


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def runs(as_json: bool) -> None:
    """List the runs with their outcome as the runner saw it; `vipchaos report RUN` judges one.

    \b
    Example:
      vipchaos runs --json
    """
    entries = list(list_runs())
    if as_json:
        click.echo(
            json.dumps(
                [
                    {
                        "run": entry.run,
                        "started_wall_ns": entry.started_wall_ns,
                        "experiments": entry.experiments,
                        "outcome": entry.outcome,
                    }
                    for entry in entries
                ],
                indent=2,
            )
        )
        return
    for entry in entries:
        if not entry.started_wall_ns:
            click.echo(f"{entry.run:<36} {'-':<23}  - experiments  {entry.outcome}")
            continue
        when = datetime.fromtimestamp(entry.started_wall_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        click.echo(f"{entry.run:<36} {when}  {entry.experiments} experiments  {entry.outcome}")
    if not entries:
        click.echo("no runs yet: `vipchaos demo` makes one", err=True)
