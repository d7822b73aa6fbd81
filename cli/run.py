"""The command `run`: experiments against the network of an inventory, from this machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from core.errors import CallError


@click.command()
@click.option("--inventory", type=click.Path(path_type=Path), required=True, help="Inventory file (YAML).")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the whole outcome to FILE.")
@click.option("--markdown", "markdown_file", type=click.Path(path_type=Path), help="Write the report to FILE as well.")
@click.option("--keep-captures", is_flag=True, help="Keep the packet captures in the run's directory.")
@click.option("--color/--no-color", default=None, help="Colour on or off; without it, on a terminal only.")
@click.option("--name", default="run", help="What the directory of the run is called after.")
@click.option("--lifeline", is_flag=True, help="Revert and end when standard input ends; for `vipchaos serve`.")
@click.argument("experiments", nargs=-1, required=True, type=click.Path(path_type=Path))
def run(
    inventory: Path,
    json_file: Path | None,
    markdown_file: Path | None,
    keep_captures: bool,
    color: bool | None,
    name: str,
    lifeline: bool,
    experiments: tuple[Path, ...],
) -> None:
    """Run EXPERIMENTS one after another against the network that the inventory describes, and judge them.

    Needs root: raw packets at the vantages, and whatever the faults' targets ask for. Ctrl-C reverts and ends.

    \b
    Examples:
      vipchaos check --inventory staging.yaml drain.yaml
      vipchaos run --inventory staging.yaml --json outcome.json drain.yaml
    """
    from cli.controller import Lifeline, Request, control
    from core.reader import NAME, NAME_ALLOWED

    if not NAME.match(name):
        raise CallError(f"--name {name!r}: {NAME_ALLOWED}")
    if lifeline:
        Lifeline(sys.stdin.fileno()).start()
    chosen = sys.stdout.isatty() and "NO_COLOR" not in os.environ if color is None else color
    sys.exit(control(Request(inventory.resolve(), experiments, json_file, markdown_file, keep_captures, chosen, name)))
