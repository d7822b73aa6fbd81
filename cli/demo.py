"""The command `demo`: a lab of its own, the experiments of the story, a table, a report, and nothing left behind.

This is the outer half: it brings the lab up, runs the controller (`cli.controller`) inside the lab's
namespaces, and takes the lab down. The controller's standard input is its lifeline: when this process dies,
however it dies, the controller reverts and ends, and the lab goes once no lease is out.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from chaos.drivers import DECLARED
from cli import EXPERIMENTS
from cli.inside import controlled, controller_argv
from cli.output import check_writable
from core.loader import load_experiments, load_inventory

if TYPE_CHECKING:
    from lab.client import Lab

STORY = ("node-failover.yaml", "site-failover.yaml", "site-failback.yaml", "route-withdrawal.yaml")


@click.command()
@click.option("--json", "json_file", type=click.Path(dir_okay=False), help="Write the whole outcome to FILE.")
@click.option("--markdown", "markdown_file", type=click.Path(dir_okay=False), help="Write the report to FILE as well.")
@click.option("--lab", "lab_name", help="Use the lab NAME that is up, and leave it up.")
@click.option("--inventory", type=click.Path(path_type=Path), default=EXPERIMENTS / "lab.yaml", help="Inventory file.")
@click.option("--keep-captures", is_flag=True, help="Keep the packet captures in the run's directory.")
@click.option("--color/--no-color", default=None, help="Colour on or off; without it, on a terminal only.")
@click.option("--watch/--no-watch", "watched", default=None, help="Open the screens or not; without it, on a terminal.")
@click.argument("experiments", nargs=-1, type=click.Path(path_type=Path))
def demo(
    json_file: str | None,
    markdown_file: str | None,
    lab_name: str | None,
    inventory: Path,
    keep_captures: bool,
    color: bool | None,
    watched: bool | None,
    experiments: tuple[Path, ...],
) -> None:
    """Show the failover story on a network of real daemons, on this machine.

    Without EXPERIMENTS: node failover, site failover, its failback, route withdrawal. On a terminal the screens of
    `vipchaos watch` open on it, and the table is printed when they are left (q); elsewhere plain lines are printed.

    \b
    Examples:
      vipchaos demo
      vipchaos demo --json outcome.json
      vipchaos demo --lab lab experiments/node-failover.yaml
    """
    from cli import demo_screen
    from lab import client

    control = demo_screen.show if demo_screen.wanted(watched) else _plainly
    files = experiments or tuple(EXPERIMENTS / name for name in STORY)
    load_experiments(files, load_inventory(inventory), DECLARED)  # refuse bad files before anything is touched
    check_writable(*(Path(value).resolve() for value in (json_file, markdown_file) if value))
    arguments = ["--inventory", str(inventory.resolve())]
    for option, value in (("--json", json_file), ("--markdown", markdown_file)):
        if value:
            arguments += [option, str(Path(value).resolve())]
    if keep_captures:
        arguments.append("--keep-captures")
    if color is not None:
        arguments.append("--color" if color else "--no-color")
    arguments += [str(path.resolve()) for path in files]
    started = time.monotonic()
    if lab_name:
        sys.exit(control(client.find(lab_name), arguments))
    click.echo("lab: bringing up routers, load balancers and servers", err=True)
    read_end, write_end = os.pipe()
    lab = client.up(f"demo-{os.getpid()}", lifeline=read_end)
    os.close(read_end)
    try:
        click.echo(f"lab: ready after {time.monotonic() - started:.1f} s", err=True)
        code = control(lab, arguments)
    finally:
        lab.down()
        os.close(write_end)
    sys.exit(code)


def _plainly(lab: Lab, arguments: list[str]) -> int:
    """Run the controller inside `lab`, its lines on this terminal; return its exit code."""
    return controlled(lab.enter_argv(None, controller_argv(arguments)))
