"""Asks the guard of a directory of leases, and starts one where none is."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from chaos import lease as leases
from chaos.guard.injected import Injected
from chaos.guard.keeper import ANOTHER_GUARDS, SOCKET
from core.errors import BlockedError
from core.lease import Lease
from core.refusals import Refusal

CAPS_FILE = Path("/etc/vipchaos/guard.yaml")
LOG = "guard.log"
READY_WITHIN_S = 10.0
POLL_S = 0.05
ANSWER_WITHIN_S = 60.0
TRIES = 3


class RefusedByGuardError(BlockedError):
    """The guard refused; `refusal` says why, in a code as well."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"{refusal.words} [{refusal.reason}]")
        self.refusal = refusal


class Guarding(Protocol):
    """What is asked of a guard."""

    def arm(self, asked: Lease, lease_s: float, answering: Collection[str]) -> Lease:
        """Return the lease that is given for `asked`. `answering`: the sites that answer probes now."""
        ...

    def inject(self, lease: str, fault: str, at_ns: int, answering: Collection[str]) -> Injected:
        """Have a fault of a lease injected at `at_ns` of the monotonic clock."""
        ...

    def prove(self, lease: str, fault: str) -> tuple[bool | None, str]:
        """Return whether a fault is seen to be out (None: it cannot be told), and what was seen."""
        ...

    def standing(self, lease: str, answering: Collection[str]) -> None:
        """Return when enough sites still announce beside a lease's faults."""
        ...

    def release(self, lease: str, record: leases.Recorder, give_up_s: float, faults: Collection[str]) -> bool:
        """Revert these faults of a lease now; tell whether they are proven reverted."""
        ...

    def close(self) -> None:
        """Say that nothing more is asked."""
        ...


class GuardClient:
    """A connection to the guard of one directory of leases, that raises RefusedByGuardError, or BlockedError for none.

    A guard that dies is there again within a second; what was asked meanwhile is asked again. `starts`: see `connect`.
    """

    def __init__(self, directory: Path = leases.DIRECTORY, caps_file: Path = CAPS_FILE, *, starts: bool = True) -> None:
        self._directory = directory
        self._caps_file = caps_file
        self._starts = starts
        self._connection: socket.socket | None = None

    def arm(self, asked: Lease, lease_s: float, answering: Collection[str]) -> Lease:
        """Return the lease that the guard gives."""
        check_here(asked)
        ask = {"do": "arm", "lease": asdict(asked), "lease_s": lease_s, "answering": list(answering)}
        return leases.from_body(dict(self.ask(ask)))

    def inject(self, lease: str, fault: str, at_ns: int, answering: Collection[str]) -> Injected:
        """Have a fault of a lease injected at `at_ns` of the monotonic clock."""
        ask = {"do": "inject", "lease": lease, "fault": fault, "at_ns": at_ns, "answering": list(answering)}
        return Injected(**self.ask(ask))

    def prove(self, lease: str, fault: str) -> tuple[bool | None, str]:
        """Return whether a fault is seen to be out, and what was seen."""
        out, seen = self.ask({"do": "prove", "lease": lease, "fault": fault})
        return out, seen

    def standing(self, lease: str, answering: Collection[str]) -> None:
        """Return when enough sites still announce beside a lease's faults."""
        self.ask({"do": "standing", "lease": lease, "answering": list(answering)})

    def release(self, lease: str, record: leases.Recorder, give_up_s: float, faults: Collection[str]) -> bool:
        """See `chaos.lease.release`, which needs no guard."""
        return leases.release(self._directory / f"{lease}.json", record, give_up_s, faults)

    def close(self) -> None:
        """Let the guard go when nothing is out."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def ask(self, ask: Mapping[str, object]) -> Any:  # noqa: ANN401  JSON
        """Return what the guard answers to one ask in the words of its door (`chaos.guard.door`)."""
        line = json.dumps(ask).encode() + b"\n"
        for _ in range(TRIES):
            try:
                connection = self._connected()
                connection.sendall(line)
                said = _line(connection)
                if said:
                    return _answer(said)
            except OSError:
                pass
            self.close()
        raise BlockedError("the guard does not answer: nothing more is injected")

    def _connected(self) -> socket.socket:
        if self._connection is None:
            self._connection = connect(self._directory, self._caps_file, starts=self._starts)
        return self._connection


def check_here(asked: Lease) -> None:
    """Raise BlockedError for a fault whose host another machine's guard reaches: by what name would be chance here."""
    far = sorted({f"{fault.host.name} (guard {fault.host.guard})" for fault in asked.faults if fault.host.guard})
    if far:
        raise BlockedError(f"{', '.join(far)}: reached over the bus only; name this controller's directory (--member)")


def until_proven(guard: Guarding, lease: str, fault: str, within_s: float) -> tuple[bool, str]:
    """Look at a fault again and again until it is seen to be out; return whether it was in time, and what was seen.

    Raises as `Guarding.prove`.
    """
    until_s = time.monotonic() + within_s
    while True:
        out, seen = guard.prove(lease, fault)
        if out or time.monotonic() > until_s:
            return bool(out), seen
        time.sleep(POLL_S)


def connect(directory: Path, caps_file: Path = CAPS_FILE, *, starts: bool = True) -> socket.socket:
    """Return a connection to the guard of a directory, which is started when there is none. Raises BlockedError.

    Not `starts`: whoever asks has not the privileges that a guard needs; one that is being started is waited for.
    """
    until_s = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < until_s:
        found = _try(directory.parent / SOCKET)
        if found is not None:
            return found
        if starts:
            _start(directory, caps_file)
        else:
            time.sleep(POLL_S)
    raise BlockedError(f"the guard of {directory} does not answer; nothing was injected")


def _try(path: Path) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(ANSWER_WITHIN_S)
    try:
        connection.connect(str(path))
        connection.sendall(b'{"do": "hello"}\n')
        if _line(connection):
            return connection
    except OSError:
        pass
    connection.close()
    return None


def _start(directory: Path, caps_file: Path) -> None:
    """Start a guard and return when it guards, or another does. Raises BlockedError with its words when it cannot."""
    directory.mkdir(parents=True, exist_ok=True)
    read_end, write_end = os.pipe()
    argv = [sys.executable, "-m", "chaos.guard.keeper", str(directory), "--ready", str(write_end)]
    argv += ["--caps", str(caps_file)] if caps_file.exists() else []
    log = directory.parent / LOG
    try:
        with log.open("ab") as words:
            process = subprocess.Popen(
                argv, pass_fds=[write_end], stdin=subprocess.DEVNULL, stdout=words, stderr=words, start_new_session=True
            )
        os.close(write_end)
        ready = select.select([read_end], [], [], READY_WITHIN_S)[0] and os.read(read_end, 16) == b"ready"
    finally:
        os.close(read_end)
    # It outlives us or we outlive it; in the second case it must not stay behind as a zombie.
    waiting = threading.Thread(target=process.wait, daemon=True)
    waiting.start()
    if not ready:
        waiting.join(1)
        # One that was killed as it started is started again.
        if (process.returncode or 0) >= 0 and process.returncode != ANOTHER_GUARDS:
            said = log.read_text(errors="replace").strip().splitlines() or ["it did not start"]
            raise BlockedError(f"no guard for {directory}: {said[-1]}; nothing was injected")


def _line(connection: socket.socket) -> bytes:
    """Return the next line, b'' when the guard has gone."""
    said = b""
    while not said.endswith(b"\n"):
        part = connection.recv(65536)
        if not part:
            return b""
        said += part
    return said


def _answer(said: bytes) -> Any:  # noqa: ANN401  JSON
    answer = json.loads(said)
    if "refused" in answer:
        raise RefusedByGuardError(Refusal(**answer["refused"]))
    if "error" in answer:
        raise BlockedError(f"the guard: {answer['error']}")
    return answer["ok"]
