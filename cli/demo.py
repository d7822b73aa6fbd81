"""The command `demo`: a lab of its own, the experiments of the story, a table, a report, and nothing left behind.

This is the outer half: it brings the lab up, runs the controller (`cli.controller`) inside the lab's
namespaces, and takes the lab down. The controller's standard input is its lifeline: when this process dies,
however it dies, the controller reverts and ends, and the lab goes once no lease is out.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click

from chaos.drivers import DECLARED
from cli.output import check_writable
from core.loader import load_experiments, load_inventory

EXPERIMENTS = Path(__file__).resolve().parent.parent / "experiments"
STORY = ("node-failover.yaml", "site-failover.yaml", "site-failback.yaml", "route-withdrawal.yaml")
END_WAIT_S = 45.0


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

    control = demo_screen.show if demo_screen.wanted(watched) else _control
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


def _control(lab: object, arguments: list[str]) -> int:
    """Run the controller inside `lab` and return its exit code; an interrupt is passed on, once and in order."""
    argv = lab.enter_argv(None, [sys.executable, "-m", "cli.controller", *arguments])  # type: ignore[attr-defined]
    child = subprocess.Popen(argv, stdin=subprocess.PIPE, start_new_session=True)
    assert child.stdin is not None

    def pass_on(_signal: int, _frame: object) -> None:
        # Closing the lifeline is the one order that reaches the controller through every namespace.
        assert child.stdin is not None
        child.stdin.close()

    previous = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        return child.wait()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        if not child.stdin.closed:
            child.stdin.close()
        try:
            child.wait(END_WAIT_S)
        except subprocess.TimeoutExpired:
            child.kill()
