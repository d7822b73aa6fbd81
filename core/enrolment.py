"""Who is on the bus, by which keys, and what the server lets each do: the permissions as one table, written for it.

An agent publishes its own records and reads its own commands; a guard takes its own orders and answers them, and
publishes nothing else; controllers do the rest. Each has its own inbox for answers, which nobody else may read.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from core.bus import CLOCK_SUBJECT, agent_publishes, token
from core.inventory import Inventory

ORDERS = "vipchaos.order"
ANSWER_WITHIN_S = 70
"""So long may the answer to an order take: a revert is tried for 15 s, an injection waits for its instant."""


class Role(enum.StrEnum):
    """What a member of the bus is."""

    AGENT = "agent"
    GUARD = "guard"
    CONTROLLER = "controller"


@dataclass(frozen=True, slots=True)
class Member:
    """One member: `connects` is the public key that the server knows it by, `signs` that of a controller's orders."""

    role: Role
    name: str
    connects: str
    signs: str = ""


@dataclass(frozen=True, slots=True)
class Rights:
    """The subjects that a member may publish and subscribe to. `responds`: it may answer what it was asked, besides."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    responds: bool = False


def order_subject(guard: str) -> str:
    """Return where a guard listens for orders."""
    return f"{ORDERS}.{token(guard)}"


def called(role: Role, name: str) -> str:
    """Return what a member is called on the bus (`core.bus.Access.name`): a guard may have a vantage's name."""
    return name if role is Role.AGENT else f"{role}/{name}"


def rights(role: Role, name: str) -> Rights:
    """Return what the server lets a member do."""
    own = f"_INBOX_{token(called(role, name))}.>"
    match role:
        case Role.AGENT:
            return Rights(agent_publishes(name), (f"vipchaos.cmd.{token(name)}.>", own), responds=True)
        case Role.GUARD:
            return Rights((), (order_subject(name), own), responds=True)
        case Role.CONTROLLER:
            publish = (f"{ORDERS}.*", "vipchaos.cmd.>", "$JS.API.>", "$JS.ACK.>", "$KV.>")
            return Rights(publish, ("vipchaos.events.>", CLOCK_SUBJECT, own), responds=True)


def named(inventory: Inventory, controllers: Sequence[str]) -> list[tuple[Role, str]]:
    """Return who is to be on the bus: the vantages, the guards of the hosts, and the controllers."""
    guards = sorted({host.guard for host in inventory.hosts.values() if host.guard})
    found = [(Role.AGENT, name) for name in sorted(inventory.vantages)]
    found += [(Role.GUARD, name) for name in guards]
    found += [(Role.CONTROLLER, name) for name in sorted(set(controllers))]
    return found


def authorization(members: Iterable[Member]) -> str:
    """Return the part of the server's configuration that says who may do what; there is no secret in it."""
    users = "".join(_user(member) for member in members)
    return (
        "# Written by `vipchaos enrol`, which writes it anew; who is not in it is refused. Public keys only.\n"
        f"authorization {{\n  timeout: 5\n  users: [\n{users}  ]\n}}\n"
    )


def _user(member: Member) -> str:
    may = rights(member.role, member.name)
    lines = [
        f"    # {member.role} {member.name}",
        "    {",
        f"      nkey: {member.connects}",
        "      permissions: {",
        f"        publish: {{ allow: {_subjects(may.publish)} }}" if may.publish else '        publish: { deny: ">" }',
        f"        subscribe: {{ allow: {_subjects(may.subscribe)} }}",
    ]
    if may.responds:
        lines.append(f'        allow_responses: {{ max: 1, expires: "{ANSWER_WITHIN_S}s" }}')
    return "\n".join([*lines, "      }", "    },", ""])


def _subjects(subjects: Iterable[str]) -> str:
    return "[" + ", ".join(f'"{subject}"' for subject in subjects) + "]"


def server(listen: str, store: str) -> str:
    """Return a configuration for nats-server that takes in the one of `authorization`; the operator's to change."""
    return (
        "# Written by `vipchaos enrol` where there was none; yours to change: TLS, clusters, leaf nodes, limits.\n"
        f'server_name: vipchaos\nlisten: "{listen}"\n'
        f'jetstream {{\n  store_dir: "{store}"\n}}\n'
        "include authorization.conf\n"
    )


def member_file(member: Member, urls: Sequence[str], ca_file: str, trusted: Mapping[str, str]) -> str:
    """Return the file that a member is told by who it is, where the bus is, and (a guard) whose orders it takes."""
    lines = [
        "# Written by `vipchaos enrol`. No secret is in here: those are in the .seed files beside it.",
        f'role: "{member.role}"',
        f'name: "{member.name}"',
        "urls: [" + ", ".join(f'"{url}"' for url in urls) + "]",
    ]
    if ca_file:
        lines.append(f'ca_file: "{ca_file}"')
    if member.role is Role.GUARD:
        lines += ["trusted:", *(f'  "{name}": "{key}"' for name, key in sorted(trusted.items()))]
    return "\n".join(lines) + "\n"
