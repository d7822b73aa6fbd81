"""A bus of a test's own: enrolled members, nats-server, and the door of a guard there."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from chaos.guard.bus_door import LOOK_EVERY_S, BusDoor
from chaos.guard.client import GuardClient
from chaos.guard.far import FarGuard, Signer
from cli.bus import ORDERS_SEED, access, membership
from core.bus import Access
from core.enrolment import Role, order_subject
from core.inventory import Host
from store.audit import Audit, audit_file
from store.bus import Bus as Connection
from store.keys import SIGNS, SigningKey, verify
from tests.store.servers import Nats, nats
from tests.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Bus:
    """What `vipchaos enrol` made in `directory`, with its server."""

    directory: Path
    server: Nats
    open: list[Connection] = field(default_factory=list)

    def place(self, role: Role, name: str) -> Path:
        return self.directory / f"{role}s" / name

    def access(self, role: Role, name: str) -> Access:
        place = self.place(role, name)
        return replace(access(membership(place, role), place), servers=(self.server.bus,))

    def member(self, role: Role, name: str) -> Connection:
        """A connection as this member, closed with the bus."""
        found = Connection(self.access(role, name))
        self.open.append(found)
        found.wait()
        return found

    def reload(self) -> None:
        """Have the server read its configuration anew."""
        assert self.server.process is not None
        self.server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "Reloaded" in self.server.log.read_text())

    def signer(self, run: str = "run", plan: str = "", controller: str = "main") -> Signer:
        key = SigningKey(self.place(Role.CONTROLLER, controller) / ORDERS_SEED, SIGNS)
        return Signer(key.public, key.sign, run, plan)

    def far(self, guard: str, bus: Connection, run: str = "run", controller: str = "main") -> FarGuard:
        return FarGuard(guard, bus, self.signer(run, "", controller))


def enrol(directory: Path, url: str, *more: str) -> subprocess.CompletedProcess[str]:
    """`vipchaos enrol` with the guard `site1` at the hosts of the lab's inventory."""
    inventory = directory.parent / "inventory.yaml"
    text = (ROOT / "experiments" / "lab.yaml").read_text()
    inventory.write_text(text.replace("netns, target: r", "netns, guard: site1, target: r"))
    argv = [sys.executable, "-m", "cli", "enrol", "--inventory", str(inventory), "--directory", str(directory)]
    return subprocess.run([*argv, "--url", url, *more], capture_output=True, text=True, check=False, cwd=ROOT)


@contextlib.contextmanager
def bus(directory: Path, *more: str) -> Iterator[Bus]:
    """An enrolled bus, its server running."""
    done = enrol(directory, "nats://127.0.0.1:4222", *more)
    assert done.returncode == 0, done.stderr
    with nats(directory, "include authorization.conf") as server:
        made = Bus(directory, server)
        try:
            yield made
        finally:
            for member in made.open:
                member.close()


@contextlib.contextmanager
def taking_orders(bus: Bus, guard: str, leases: Path) -> Iterator[BusDoor]:
    """The door of a guard on the bus, in this process, over the leases of a directory."""
    place = bus.place(Role.GUARD, guard)
    member = membership(place, Role.GUARD)
    leases.mkdir(parents=True, exist_ok=True)
    door = BusDoor(
        member, leases, lambda: GuardClient(leases, leases.parent / "no-caps.yaml"), Audit(audit_file()), verify
    )
    connection = bus.member(Role.GUARD, guard)
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(LOOK_EVERY_S):
            door.look()

    looking = threading.Thread(target=look)
    looking.start()
    connection.serve(order_subject(guard), lambda _subject, message: door.answer(message))
    try:
        yield door
    finally:
        ended.set()
        looking.join()
        connection.close()
        door.close()


def at_guard(host: Host, guard: str) -> Host:
    """The same host, as one that a guard reaches."""
    return Host(host.name, host.transport, host.target, guard=guard)
