"""What a member of the bus has in its directory, and the guards that a run asks over the bus."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from chaos.guard.client import GuardClient, Guarding
from core.bus import Access, BusAwayError, BusForbiddenError
from core.enrolment import Role, called
from core.errors import BlockedError, CallError
from core.inventory import Inventory
from core.lease import Lease
from core.loader import load_member
from core.member_reader import Membership
from store.private import read_private

MEMBER = "member.yaml"
CONNECT_SEED = "connect.seed"
ORDERS_SEED = "orders.seed"


def membership(directory: Path, role: Role) -> Membership:
    """Return what a member's directory says. Raises ConfigError, and CallError where it is another role's."""
    found = load_member(directory / MEMBER)
    if found.role is not role:
        raise CallError(f"{directory}: is {found.role} {found.name}'s, needed is one of a {role}")
    return found


def access(member: Membership, directory: Path) -> Access:
    """Return how a member enters the bus. Raises ConfigError for a secret that others may read."""
    seed = directory / CONNECT_SEED
    read_private(seed)
    ca_file = Path(member.ca_file) if member.ca_file else None
    return Access(member.urls, called(member.role, member.name), seed, ca_file=ca_file)


@contextlib.contextmanager
def over_bus(inventory: Inventory, directory: Path | None, run: str, plan: str) -> Iterator[Callable[[], Guarding]]:
    """Yield what makes a run's connection to its guards: this machine's, where the inventory names no others.

    Raises BlockedError when the bus cannot be reached, or others are named and the controller has no `directory`.
    """
    from chaos.guard.several import Guards, names

    far = names(inventory)
    if not far:
        yield GuardClient
        return
    if directory is None:
        raise BlockedError(
            f"guards {', '.join(far)} are reached over the bus: name this controller's directory (--member)"
        )
    from chaos.guard.far import FarGuard, Signer
    from store.bus import Bus
    from store.keys import SIGNS, SigningKey

    member = membership(directory, Role.CONTROLLER)
    key = SigningKey(directory / ORDERS_SEED, SIGNS)
    with Bus(access(member, directory)) as bus:
        try:
            bus.wait()
        except (BusAwayError, BusForbiddenError) as error:
            raise BlockedError(str(error)) from error
        signer = Signer(key.public, key.sign, run, plan)
        guards: dict[str, Guarding] = {name: FarGuard(name, bus, signer) for name in far}
        given: dict[str, dict[str, Lease]] = {}
        yield lambda: Guards(GuardClient, guards, given)
