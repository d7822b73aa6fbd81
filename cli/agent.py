"""The command `agent`: probe from one vantage into a journal."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from core.errors import CallError
from core.loader import load_inventory


@click.command()
@click.option("--inventory", type=click.Path(path_type=Path), required=True, help="Inventory file (YAML).")
@click.option("--vantage", required=True, help="Which vantage of the inventory this is.")
@click.option("--journal", type=click.Path(path_type=Path), required=True, help="Journal to write (SQLite).")
@click.option(
    "--engine",
    type=click.Choice(["auto", "ring", "socket"]),
    default="auto",
    show_default=True,
    help="What holds the sessions.",
)
@click.option("--run", default="standalone", show_default=True, help="Name of the run, for the rule's comment.")
@click.option("--lifeline", is_flag=True, help="End when standard input ends.")
def agent(inventory: Path, vantage: str, journal: Path, engine: str, run: str, lifeline: bool) -> None:
    """Hold sessions to the VIP from this machine and record what happens to them.

    The engine ring sends raw packets, which needs root. The engine socket uses ordinary sockets and needs no privilege;
    it has no data-plane clock (a stall includes the kernel's retransmission), sees no node in a flow and no ICMP error,
    and holds fewer sessions. auto takes the ring where raw packets are allowed, and says so where they are not; a
    service of mode tls is always held by the socket engine.

    \b
    Examples:
      vipchaos agent --inventory inventory.yaml --vantage c1 --journal c1.db
      vipchaos agent --inventory inventory.yaml --vantage c1 --journal c1.db --engine socket
    """
    # The engine needs no linear algebra, and threads begun before privileges are dropped would keep them.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    from probe.agent import AgentConfig, run_agent

    loaded = load_inventory(inventory)
    if vantage not in loaded.vantages:
        raise CallError(f"vantage {vantage!r} is not in {inventory}; it has {', '.join(sorted(loaded.vantages))}")
    run_agent(AgentConfig(loaded, vantage, run, journal, sys.stdin.fileno() if lifeline else None, engine))
