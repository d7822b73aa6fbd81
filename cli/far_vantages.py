"""The vantages of a run whose agents are elsewhere: told over the bus what to do; what they see comes over it."""

from __future__ import annotations

import contextlib
import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from chaos.lease import boot_id
from cli.bus import controlling
from core.bus import AGENTS, PLAN, BusAwayError
from core.errors import BlockedError, VipchaosError
from core.inventory import Inventory, agents_elsewhere
from core.loader import read_text
from core.records import ProbeStopped
from store.alone import alone
from store.bus import Bus
from store.journal import JournalError, read_kind
from store.receiver import Receiver
from store.runs import RunDirectory, home
from store.ship_ledger import ShipLedger
from store.shipper import Clocks

KEY = "plan"
STOP_WITHIN_S = 15.0


@dataclass
class Receiving:
    """The receiver on a thread; `failed` says why it has ended though nobody told it to, or ''."""

    bus: Bus
    told: Callable[[str], None]
    failed: str = ""
    _stop: threading.Event = field(default_factory=threading.Event)

    def start(self) -> threading.Thread:
        """Begin, on a thread that is returned."""
        thread = threading.Thread(target=self._run, name="receiver", daemon=True)
        thread.start()
        return thread

    def stop(self) -> None:
        """Have it end."""
        self._stop.set()

    def _run(self) -> None:
        try:
            ledger = ShipLedger(home() / "receive.db", "bus")
            try:
                Receiver(self.bus, home() / "runs", ledger, boot_id(), self.told).run(Clocks(self._stop, random.random))
            finally:
                ledger.close()
        except (VipchaosError, OSError) as error:
            self.failed = f"nothing is received from the bus any more: {error}"


@contextlib.contextmanager
def far_vantages(
    inventory: Inventory, inventory_file: Path, directory: Path | None, run: RunDirectory, told: Callable[[str], None]
) -> Iterator[Callable[[], str]]:
    """Have all agents that are elsewhere probe for a run meanwhile; yield what says why that has failed, or ''.

    Returns when each has told that it stopped, or after 15 s. Raises BlockedError without a bus.
    """
    far = agents_elsewhere(inventory)
    if not far:
        yield lambda: ""
        return
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(alone(home() / "receive.lock"))
        except BlockingIOError:
            raise BlockedError("another run of this user receives from the bus: let it end first") from None
        bus, _, _ = held.enter_context(controlling(directory, f"agents {', '.join(far)}"))
        try:
            bus.need_bucket(PLAN)
            bus.need_bucket(AGENTS)
            receiving = Receiving(bus, told)
            thread = receiving.start()
            held.callback(thread.join)
            held.callback(receiving.stop)
            bus.put(PLAN.name, KEY, plan_text(run.run, far, read_text(inventory_file)))
        except BusAwayError as error:
            raise BlockedError(str(error)) from error
        try:
            yield lambda: receiving.failed
        finally:
            with contextlib.suppress(BusAwayError):
                bus.put(PLAN.name, KEY, plan_text("", (), ""))
                _await_stopped(run, far)


def plan_text(run: str, agents: tuple[str, ...], inventory: str) -> bytes:
    """Return what agents are told: to probe for `run` as the inventory says; '': to rest."""
    return json.dumps({"run": run, "agents": agents, "inventory": inventory}).encode()


def _await_stopped(run: RunDirectory, agents: tuple[str, ...]) -> None:
    until_s = time.monotonic() + STOP_WITHIN_S
    while time.monotonic() < until_s and not all(_stopped(run, agent) for agent in agents):
        time.sleep(0.1)


def _stopped(run: RunDirectory, agent: str) -> bool:
    paths = sorted(run.path.glob(f"{agent}+*.db"), key=lambda path: path.stat().st_mtime)
    try:
        return bool(paths) and bool(read_kind(paths[-1], ProbeStopped))
    except JournalError:
        return False
