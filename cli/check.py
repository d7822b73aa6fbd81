"""The command `check`: is an inventory sound, and are experiments, against it."""

from __future__ import annotations

import json
from pathlib import Path

import click

from chaos.drivers import DECLARED
from core.loader import load_all

LAB_INVENTORY = Path(__file__).resolve().parent.parent / "experiments" / "lab.yaml"


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option(
    "--inventory", type=click.Path(path_type=Path), default=LAB_INVENTORY, help="Inventory; without it, the lab's."
)
@click.argument("experiments", nargs=-1, type=click.Path(path_type=Path))
def check(inventory: Path, experiments: tuple[Path, ...], as_json: bool) -> None:
    """Check an inventory and EXPERIMENTS, in the order in which they would run. Nothing is touched.

    All problems of all files are printed, as `file:line: key path: what is wrong, allowed: what is allowed`;
    exit code 4.

    \b
    Examples:
      vipchaos check --inventory my-network.yaml
      vipchaos check experiments/site-failover.yaml experiments/site-failback.yaml
    """
    found, loaded = load_all(inventory, experiments, DECLARED)
    if as_json:
        click.echo(json.dumps({"inventory": str(inventory), "experiments": [item.name for item in loaded]}))
        return
    click.echo(f"ok: {inventory}: {len(found.sites)} sites, {len(found.vantages)} vantages")
    for experiment in loaded:
        click.echo(f"ok: {experiment.source}: {experiment.title}")
