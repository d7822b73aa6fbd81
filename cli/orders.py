"""The command `orders`: takes signed orders from the bus for the guard of this machine."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from pathlib import Path

import click


@click.command()
@click.option(
    "--member", type=click.Path(path_type=Path), required=True, help="This guard's directory of `vipchaos enrol`."
)
@click.option("--leases", type=click.Path(path_type=Path), help="Directory of leases; without it /run/vipchaos/leases.")
def orders(member: Path, leases: Path | None) -> None:
    """Take signed orders for this machine's guard from the bus, until told to stop (SIGTERM).

    The guard is another process, `vipchaos guard`, which has the privileges; this one needs none.

    Only orders that a trusted controller has signed for this guard are taken, each once and in time; every other one
    is refused and put into the audit. Faults that were ordered here are reverted when this ends, however it ends.

    \b
    Examples:
      vipchaos orders --member /etc/vipchaos/bus
      vipchaos audit --last 5
    """
    from chaos.guard.bus_door import LOOK_EVERY_S, BusDoor
    from chaos.guard.client import GuardClient
    from chaos.lease import DIRECTORY
    from cli.bus import access, membership
    from core.bus import BusAwayError, BusForbiddenError
    from core.enrolment import Role, order_subject
    from store.audit import Audit, audit_file
    from store.bus import Bus
    from store.keys import verify

    found = membership(member, Role.GUARD)
    directory = leases or DIRECTORY
    directory.mkdir(parents=True, exist_ok=True)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: ended.set())
    door = BusDoor(found, directory, lambda: GuardClient(directory, starts=False), Audit(audit_file()), verify)
    listening = False
    try:
        with Bus(access(found, member), lambda words: click.echo(words, err=True)) as bus:
            while not ended.wait(LOOK_EVERY_S):
                door.look()
                if not listening and bus.connected:
                    with contextlib.suppress(BusAwayError):
                        bus.serve(order_subject(found.name), lambda _subject, message: door.answer(message))
                        listening = True
                        takes = ", ".join(sorted(found.trusted.values()))
                        click.echo(f"guard {found.name}: taking orders of {takes}", err=True)
                if bus.refused:
                    raise BusForbiddenError(bus.refused)
    finally:
        door.close()
    sys.exit(0)
