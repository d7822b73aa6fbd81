"""The command `enrol`: keys for everybody on the bus, and what the server lets each of them do."""

from __future__ import annotations

import json
from pathlib import Path

import click

from core.enrolment import Member, Role, authorization, member_file, named, server
from core.errors import CallError

REGISTER = "keys.json"
FOLDERS = {Role.AGENT: "agents", Role.GUARD: "guards", Role.CONTROLLER: "controllers"}


@click.command()
@click.option("--inventory", type=click.Path(path_type=Path), required=True, help="Inventory file (YAML).")
@click.option("--directory", type=click.Path(path_type=Path), required=True, help="Where keys and configuration go.")
@click.option("--url", "urls", multiple=True, required=True, help="nats://HOST:PORT or tls://HOST:PORT; one or more.")
@click.option("--ca", default="", help="File of authorities that members trust, as it is called at the members.")
@click.option("--controller", "controllers", multiple=True, default=("main",), show_default=True, help="Its name.")
@click.option("--again", multiple=True, metavar="ROLE/NAME", help="Make a new key for this one, such as guards/dc1.")
def enrol(
    inventory: Path,
    directory: Path,
    urls: tuple[str, ...],
    ca: str,
    controllers: tuple[str, ...],
    again: tuple[str, ...],
) -> None:
    """Make the keys of all vantages, guards and controllers, and the configuration of nats-server.

    Each member gets a directory of its own, to be carried to its machine: member.yaml, and its secret in a file of mode
    0600. Called again, keys stay as they are, who is new gets one, and who has left is no more let in. No secret is
    ever printed.

    \b
    Examples:
      vipchaos enrol --inventory inventory.yaml --directory bus --url nats://bus.example.net:4222
      vipchaos enrol --inventory inventory.yaml --directory bus --url nats://bus.example.net:4222 --again guards/dc1
    """
    from core.loader import load_inventory
    from store.whole import write_whole

    for url in urls:
        if not url.startswith(("nats://", "tls://")):
            raise CallError(f"--url {url}: nats://HOST:PORT or tls://HOST:PORT is needed")
    if ca and not ca.startswith("/"):
        raise CallError(f"--ca {ca}: an absolute path is needed")
    wanted = named(load_inventory(inventory), controllers)
    unknown = set(again) - {f"{FOLDERS[role]}/{name}" for role, name in wanted}
    if unknown:
        raise CallError(f"--again {min(unknown)}: there is no such member")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    known = _register(directory / REGISTER)
    members = [_member(role, name, directory, known, again) for role, name in wanted]
    register = {f"{FOLDERS[each.role]}/{each.name}": [each.connects, each.signs] for each in members}
    write_whole(directory / REGISTER, json.dumps(register, indent=2) + "\n")
    trusted = {each.name: each.signs for each in members if each.role is Role.CONTROLLER}
    for member in members:
        place = directory / FOLDERS[member.role] / member.name / "member.yaml"
        write_whole(place, member_file(member, urls, ca, trusted))
    write_whole(directory / "authorization.conf", authorization(members))
    if not (directory / "nats-server.conf").exists():
        write_whole(directory / "nats-server.conf", server(_listen(urls[0]), str(directory.resolve() / "jetstream")))
    _say(directory, members, sorted(known.keys() - register.keys()))


def _member(role: Role, name: str, directory: Path, known: dict[str, list[str]], again: tuple[str, ...]) -> Member:
    """Return a member by its keys, which are made where there are none."""
    from cli.bus import CONNECT_SEED, ORDERS_SEED
    from store.keys import CONNECTS, SIGNS, make

    place = f"{FOLDERS[role]}/{name}"
    home = directory / place
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if place in known and place not in again:
        return Member(role, name, *known[place])
    signs = make(home / ORDERS_SEED, SIGNS) if role is Role.CONTROLLER else ""
    return Member(role, name, make(home / CONNECT_SEED, CONNECTS), signs)


def _register(path: Path) -> dict[str, list[str]]:
    """Return the public keys that were given out before. Raises CallError when the file says something else."""
    from store.keys import CONNECTS, SIGNS, is_public

    try:
        found = dict(json.loads(path.read_text()))
        for connects, signs in found.values():
            if not is_public(connects, CONNECTS) or (signs and not is_public(signs, SIGNS)):
                raise ValueError("a key in it is none")
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError) as error:
        raise CallError(f"{path}: is not the register of keys that `vipchaos enrol` wrote: {error}") from error
    return found


def _listen(url: str) -> str:
    """Return where the server is to listen: everywhere, at the port of the URL."""
    port = url.rpartition(":")[2]
    return f"0.0.0.0:{port if port.isdigit() else 4222}"


def _say(directory: Path, members: list[Member], gone: list[str]) -> None:
    for member in members:
        click.echo(f"{member.role:<10}  {member.name:<16}  {directory / FOLDERS[member.role] / member.name}")
    for place in gone:
        click.echo(f"{place}: no more in the inventory, and no more let in; its key may go", err=True)
    click.echo(
        f"server: nats-server -c {directory / 'nats-server.conf'}; told of changes by its --signal reload", err=True
    )
