"""The commands `lab up | status | exec | down`."""

from __future__ import annotations

import json
import os
import sys

import click

from lab import client

_name = click.option("--name", default="lab", show_default=True, help="Which lab; several may be up at once.")


@click.group()
def lab() -> None:
    """The lab: routers, load balancers and servers of the design, on this machine, in namespaces.

    \b
    Examples:
      vipchaos lab up
      vipchaos lab status
      vipchaos lab exec r1 -- birdc -s /run/bird/r1.ctl show route
      vipchaos lab down
    """


@lab.command()
@_name
def up(name: str) -> None:
    """Bring the lab up; harmless when it is."""
    found = client.up(name, waiting=lambda waited_s: click.echo(f"waiting for the lab: {waited_s:.0f} s", err=True))
    click.echo(f"lab {found.name} is up")


@lab.command()
@_name
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def status(name: str, as_json: bool) -> None:
    """Ask the kernel and the daemons how the lab is. Exit code 5 when something is missing."""
    found = client.find(name).status()
    missing = found["missing"]
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        for key in ("masters", "announced_by", "neighbours_full", "pools", "next_hops", "answered_from"):
            click.echo(f"{key.replace('_', ' ')}: {_line(found[key])}")
        click.echo("ready" if not missing else "missing: " + "; ".join(missing) if isinstance(missing, list) else "")
    sys.exit(5 if missing else 0)


def _line(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_line(item)}" for key, item in value.items())
    return "+".join(str(item) for item in value) if isinstance(value, list) else str(value)


@lab.command(name="exec", context_settings={"ignore_unknown_options": True})
@_name
@click.argument("node")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def execute(name: str, node: str, command: tuple[str, ...]) -> None:
    """Run COMMAND at NODE (c1, a1, r1, sw1, ace1, s1, ...)."""
    argv = client.find(name).enter_argv(node, command)
    os.execvpe(argv[0], argv, client.environment())  # noqa: S606  no shell is wanted


@lab.command()
@_name
def down(name: str) -> None:
    """Take the lab down, whatever is left of it; harmless when nothing is."""
    click.echo(f"lab {name} is down" if client.forget(name) else f"lab {name} was not up")
