"""The command `agent`: probe from one vantage into a journal."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from core.errors import CallError
from core.loader import load_inventory


@click.command()
@click.option("--inventory", type=click.Path(path_type=Path), help="Inventory file (YAML).")
@click.option("--vantage", help="Which vantage of the inventory this is.")
@click.option("--journal", type=click.Path(path_type=Path), help="Journal to write (SQLite).")
@click.option(
    "--engine",
    type=click.Choice(["auto", "ring", "socket"]),
    default="auto",
    show_default=True,
    help="What holds the sessions.",
)
@click.option("--run", default="standalone", show_default=True, help="Name of the run, for the rule's comment.")
@click.option("--lifeline", is_flag=True, help="End when standard input ends.")
@click.option(
    "--member",
    type=click.Path(path_type=Path),
    help="This agent's directory of `vipchaos enrol`: what to do comes over the bus.",
)
@click.option("--keep-mb", type=click.IntRange(1), default=1024, show_default=True, help="With --member: most on disk.")
def agent(
    inventory: Path | None,
    vantage: str | None,
    journal: Path | None,
    engine: str,
    run: str,
    lifeline: bool,
    member: Path | None,
    keep_mb: int,
) -> None:
    """Hold sessions to the VIP from this machine and record what happens to them.

    The engine ring sends raw packets, which needs root. The engine socket uses ordinary sockets and needs no privilege;
    it has no data-plane clock (a stall includes the kernel's retransmission), sees no node in a flow and no ICMP error,
    and holds fewer sessions. auto takes the ring where raw packets are allowed, and says so where they are not; a
    service of mode tls is always held by the socket engine.

    With --member the inventory and the run come from the controller over the bus, and what is recorded goes there.
    While the bus is away the agent goes on, and keeps its journals; of more than --keep-mb the oldest summaries go.

    \b
    Examples:
      vipchaos agent --inventory inventory.yaml --vantage c1 --journal c1.db
      vipchaos agent --inventory inventory.yaml --vantage c1 --journal c1.db --engine socket
      vipchaos agent --member /etc/vipchaos/c1
    """
    # The engine needs no linear algebra, and threads begun before privileges are dropped would keep them.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    if member is not None:
        if inventory or vantage or journal:
            raise click.UsageError("--inventory, --vantage and --journal come over the bus with --member")
        from cli.far_agent import run_far_agent
        from store.spool import Bounds

        run_far_agent(member, engine, Bounds(keep_mb << 20))
        return
    if inventory is None or vantage is None or journal is None:
        raise click.UsageError("needs --inventory, --vantage and --journal, or --member")
    from probe.agent import AgentConfig, run_agent

    loaded = load_inventory(inventory)
    if vantage not in loaded.vantages:
        raise CallError(f"vantage {vantage!r} is not in {inventory}; it has {', '.join(sorted(loaded.vantages))}")
    run_agent(AgentConfig(loaded, vantage, run, journal, sys.stdin.fileno() if lifeline else None, engine))
