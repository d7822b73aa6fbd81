"""The guard's two processes: one guards, its keeper starts it anew when it dies, and the other way round.

`python -m chaos.guard.keeper DIRECTORY [--caps FILE] [--stays] [--ready FD]`. One pair for each directory of leases;
a second one ends at once. Without --stays it goes when nothing is out and nobody is connected.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from chaos.guard.admission import Admission
from chaos.guard.door import Door, listen
from chaos.guard.sweeper import Sweeper
from core.errors import ConfigError
from core.lease_rules import Caps
from core.loader import load_caps
from store.alone import take
from store.audit import Audit, audit_file

SOCKET = "guard.sock"
LOCK = "guard.lock"
ANOTHER_GUARDS = 3
IDLE_S = 2.0
LOOK_EVERY_S = 0.02
AGAIN_AFTER_S = 0.05
STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def guard(arguments: argparse.Namespace, door: socket.socket, keeper: int, told: list[str]) -> None:
    """Guard until told to stop (a guard that stays) or until there is nothing to guard (one that does not).

    `keeper` is a pidfd of the keeper, which is replaced when it dies.
    """
    audit = Audit(audit_file())
    sweeper = Sweeper(arguments.directory, audit)
    sweeper.look()
    opened = Door(door, Admission(arguments.directory, arguments.caps, audit))
    opened.open()
    _say_ready(arguments)
    since_s = time.monotonic()
    while True:
        sweeper.look("the guard is being stopped" if told else "")
        if told and sweeper.idle:
            return
        if opened.callers or not sweeper.idle:
            since_s = time.monotonic()
        if not arguments.stays and time.monotonic() - since_s > IDLE_S:
            return
        if select.select([keeper], [], [], LOOK_EVERY_S)[0]:
            os.close(keeper)
            keeper = _new_keeper(arguments, door)


def _say_ready(arguments: argparse.Namespace) -> None:
    if arguments.ready is not None:
        with contextlib.suppress(OSError):
            os.write(arguments.ready, b"ready")
        with contextlib.suppress(OSError):
            os.close(arguments.ready)
        arguments.ready = None


def _new_keeper(arguments: argparse.Namespace, door: socket.socket) -> int:
    """Start another keeper, that keeps this process, and return its pidfd."""
    argv = [sys.executable, "-m", "chaos.guard.keeper", str(arguments.directory), "--door", str(door.fileno())]
    argv += ["--lock", str(arguments.lock), "--keep", str(os.getpid())]
    argv += ["--caps", str(arguments.caps_file)] if arguments.caps_file else []
    argv += ["--stays"] if arguments.stays else []
    descriptors = [door.fileno(), arguments.lock]
    process = subprocess.Popen(argv, pass_fds=descriptors, stdin=subprocess.DEVNULL, start_new_session=True)
    return os.pidfd_open(process.pid)


def keep(arguments: argparse.Namespace, door: socket.socket) -> int:
    """Start the guard, and start it anew as often as it dies; return when it has ended in order."""
    if arguments.keep is not None:
        # Not our child, so how it ends cannot be told: a new one will see whether there is anything to guard.
        _pass_on(arguments, arguments.keep)
        with contextlib.suppress(ProcessLookupError):
            select.select([os.pidfd_open(arguments.keep)], [], [])
    while True:
        mine = os.pidfd_open(os.getpid())
        child = os.fork()
        if not child:
            return _guard_here(arguments, door, mine)
        os.close(mine)
        _pass_on(arguments, child)
        if arguments.ready is not None:
            os.close(arguments.ready)
            arguments.ready = None
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
            return 0
        time.sleep(AGAIN_AFTER_S)


def _pass_on(arguments: argparse.Namespace, pid: int) -> None:
    """Let the guard have the signals that stop one that stays; the others are ignored."""

    def pass_on(number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)

    if arguments.stays:
        for number in STOPS:
            signal.signal(number, pass_on)


def _guard_here(arguments: argparse.Namespace, door: socket.socket, keeper: int) -> int:
    told: list[str] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        told.append(signal.Signals(number).name)

    # One that does not stay belongs to a run, and goes on when that is stopped.
    for number in STOPS:
        signal.signal(number, stop if arguments.stays else signal.SIG_IGN)
    guard(arguments, door, keeper, told)
    return 0


def _parsed(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="chaos.guard.keeper")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--caps", dest="caps_file", type=Path)
    parser.add_argument("--stays", action="store_true")
    parser.add_argument("--ready", type=int, help="descriptor that is told when it guards")
    parser.add_argument("--door", type=int, help="descriptor of the socket that is listening already")
    parser.add_argument("--lock", type=int, help="descriptor of the lock that is held already")
    parser.add_argument("--keep", type=int, help="pid of the guard that is there already")
    return parser.parse_args(argv)


def run(argv: Sequence[str]) -> int:
    """Guard the leases of one directory; return the exit code: 3 when another guards it, 4 for caps that are wrong."""
    arguments = _parsed(argv)
    arguments.directory.mkdir(parents=True, exist_ok=True)
    base = arguments.directory.parent
    if arguments.lock is None:
        try:
            arguments.lock = take(base / LOCK)
        except BlockingIOError:
            print(f"guard: another guards {arguments.directory} already", file=sys.stderr)  # noqa: T201
            return ANOTHER_GUARDS
        os.set_inheritable(arguments.lock, True)
    try:
        arguments.caps = load_caps(arguments.caps_file) if arguments.caps_file else Caps()
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return error.exit_code
    for number in STOPS:
        signal.signal(number, signal.SIG_IGN)
    door = listen(base / SOCKET) if arguments.door is None else socket.socket(fileno=arguments.door)
    return keep(arguments, door)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
