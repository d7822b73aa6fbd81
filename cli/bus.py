"""What a member of the bus has in its directory, and the guards that a run asks over the bus."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from chaos.guard.client import GuardClient, Guarding
from chaos.guard.far import FarGuard, Signer
from chaos.guard.several import Guards, names
from chaos.leading import Leadership, claim
from core.bus import Access, BusAwayError, BusForbiddenError
from core.enrolment import Role, called
from core.errors import BlockedError, CallError
from core.inventory import Inventory
from core.lease import Lease
from core.loader import load_member
from core.member_reader import Membership
from store.bus import Bus
from store.keys import SIGNS, SigningKey
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


@dataclass(frozen=True, slots=True)
class Ordered:
    """How a run asks its guards, and why it must end although nothing is wrong with it ('': it need not)."""

    guard: Callable[[], Guarding] = GuardClient
    lost: Callable[[], str] = lambda: ""


@contextlib.contextmanager
def over_bus(inventory: Inventory, directory: Path | None, run: str, plan: str, once: str = "") -> Iterator[Ordered]:
    """Yield how a run asks its guards: this machine's, where the inventory names no others.

    Otherwise this controller leads meanwhile, and ends at the guards what is left of the run afterwards. `once`: refuse
    what any controller has begun by this name. Raises BlockedError when another leads, when the bus cannot be reached,
    or when the controller has no `directory`.
    """
    far = names(inventory)
    if not far:
        yield Ordered()
        return
    with controlling(directory, f"guards {', '.join(far)}") as (bus, name, signer):
        leadership = Leadership(bus, name, signer)
        leadership.take(run, tuple(far))
        signed = replace(signer(run, leadership.term), plan=plan)
        guards = {guard: FarGuard(guard, bus, signed) for guard in far}
        given: dict[str, dict[str, Lease]] = {}
        try:
            if once:
                claim(bus, once, name)
            yield Ordered(lambda: Guards(GuardClient, guards, given), lambda: leadership.lost)
        finally:
            with contextlib.suppress(BlockedError):  # who leads next sees to what cannot be ended now
                if not any(guard.abandon()[1] for guard in guards.values()):
                    leadership.done()
            leadership.resign()


@contextlib.contextmanager
def controlling(
    directory: Path | None, wanted: str = ""
) -> Iterator[tuple[Bus, str, Callable[[str, Callable[[], int]], Signer]]]:
    """Yield a controller's connection, its name, and what signs a run's orders. Raises BlockedError without a bus.

    So it does without a `directory`, in words about those who are `wanted` by it.
    """
    if directory is None:
        raise BlockedError(f"{wanted} are reached over the bus: name this controller's directory (--member)")
    member = membership(directory, Role.CONTROLLER)
    key = SigningKey(directory / ORDERS_SEED, SIGNS)
    with Bus(access(member, directory)) as bus:
        try:
            bus.wait()
        except (BusAwayError, BusForbiddenError) as error:
            raise BlockedError(str(error)) from error
        yield bus, member.name, lambda run, term: Signer(key.public, key.sign, run, "", term)
