"""The commands `lab up | flavours | inventory | status | exec | down`."""

from __future__ import annotations

import json
import os
import sys

import click

from core.errors import CallError
from lab import client
from lab.flavours import FLAVOURS, planned
from lab.inventory import inventory

_name = click.option("--name", default="lab", show_default=True, help="Which lab; several may be up at once.")


_flavour = click.option(
    "--flavour",
    "flavours",
    metavar="NAME[,NAME]",
    default="",
    callback=lambda _context, _option, text: tuple(filter(None, text.split(","))),
    help="How the lab differs from that of the demo; `vipchaos lab flavours` lists them.",
)


@click.group()
def lab() -> None:
    """The lab: routers, load balancers and servers of the design, on this machine, in namespaces.

    \b
    Examples:
      vipchaos lab up
      vipchaos lab up --name bgp --flavour rhi-bgp,no-replication
      vipchaos lab status
      vipchaos lab exec r1 -- birdc -s /run/bird/r1.ctl show route
      vipchaos lab down
    """


@lab.command()
@_name
@_flavour
def up(name: str, flavours: tuple[str, ...]) -> None:
    """Bring the lab up; harmless when it is. One with flavours has an inventory of its own, which is named."""
    found = client.up(
        name,
        waiting=lambda waited_s: click.echo(f"waiting for the lab: {waited_s:.0f} s", err=True),
        flavours=flavours,
    )
    click.echo(f"lab {found.name} is up" + (f"; its inventory: {found.inventory_file}" if flavours else ""))


@lab.command(name="flavours")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def list_flavours(as_json: bool) -> None:
    """List how a lab may differ from that of the demo. Two that settle the same question do not go together."""
    if as_json:
        rows = [{"name": flavour.name, "says": flavour.says, "settles": flavour.settles} for flavour in FLAVOURS]
        click.echo(json.dumps(rows, indent=2))
        return
    for flavour in FLAVOURS:
        click.echo(f"{flavour.name:<17} {flavour.says}")


@lab.command(name="inventory")
@_flavour
@click.option("--vip", "vip_name", default="vip", show_default=True, help="Which of the lab's VIPs it is about.")
def print_inventory(flavours: tuple[str, ...], vip_name: str) -> None:
    """Print the inventory of a lab with these flavours; no lab need be up."""
    plan = planned(flavours)
    vips = {vip.name: vip for vip in plan.vips}
    if vip_name not in vips:
        raise CallError(f"--vip {vip_name}: the lab has none of that name, allowed: {', '.join(vips)}")
    click.echo(inventory(plan, vips[vip_name]), nl=False)


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
        for key in (
            *(("flavours",) if found["flavours"] else ()),
            "masters",
            "announced_by",
            "neighbours_full",
            "pools",
            "next_hops",
            "answered_from",
        ):
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
