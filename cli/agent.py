"""The command `agent`: probe from one vantage into a journal."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from core.errors import CallError
from core.loader import load_inventory


@click.command()
@click.option("--inventory", type=click.Path(path_type=Path), required=True, help="Inventory file (YAML).")
@click.option("--vantage", required=True, help="Which vantage of the inventory this is.")
@click.option("--journal", type=click.Path(path_type=Path), required=True, help="Journal to write (SQLite).")
@click.option("--run", default="standalone", show_default=True, help="Name of the run, for the rule's comment.")
@click.option("--lifeline", is_flag=True, help="End when standard input ends.")
def agent(inventory: Path, vantage: str, journal: Path, run: str, lifeline: bool) -> None:
    """Hold sessions to the VIP from this machine and record what happens to them. Needs root.

    \b
    Example:
      vipchaos agent --inventory inventory.yaml --vantage c1 --journal c1.db
    """
    from probe.agent import AgentConfig, run_agent

    loaded = load_inventory(inventory)
    if vantage not in loaded.vantages:
        raise CallError(f"vantage {vantage!r} is not in {inventory}; it has {', '.join(sorted(loaded.vantages))}")
    run_agent(AgentConfig(loaded, vantage, run, journal, sys.stdin.fileno() if lifeline else None))
