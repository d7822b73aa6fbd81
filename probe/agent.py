"""The agent at a vantage: an engine, a kernel session and a journal, until the lifeline ends."""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.errors import CallError, PrivilegeError
from core.inventory import Inventory, Mode, Vantage
from core.records import Note, ProbeStarted, ProbeStopped, Record
from probe.engine import Engine
from probe.evidence_files import EvidenceFiles
from probe.kernel.beside import KernelSession
from probe.kernel.engine import LOST, SocketEngine
from probe.privileges import FILES, drop
from probe.ring.engine import RingEngine
from store.alone import alone
from store.journal import JournalError, JournalWriter

LIFELINE_NS = 100_000_000
SWITCH_S = 0.0001


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """What an agent is told: the checked inventory, its own name in it, the run, where to write, its lifeline, engine.

    `engine` is ring, socket or auto: the ring where raw packets are allowed and can do it.
    """

    inventory: Inventory
    vantage: str
    run: str
    journal: Path
    lifeline: int | None
    engine: str = "auto"


class Stop:
    """Whether and why the agent is to end: a signal, or the end of the lifeline."""

    def __init__(self, lifeline: int | None) -> None:
        self.reason = ""
        self._lifeline = lifeline
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda received, _frame: self._set(signal.Signals(received).name))

    def _set(self, reason: str) -> None:
        self.reason = self.reason or reason

    def look(self) -> None:
        """Look at the lifeline, without waiting."""
        if self._lifeline is not None and select.select([self._lifeline], [], [], 0)[0]:
            with contextlib.suppress(BlockingIOError):
                if not os.read(self._lifeline, 64):
                    self._set("lifeline ended")


def run_agent(config: AgentConfig) -> None:
    """Probe until told to stop. Raises PrivilegeError, JournalError or CallError; the rule goes in any case.

    Says on standard error when it chose the socket engine by itself.
    """
    stop = Stop(config.lifeline)
    vantage = config.inventory.vantages[config.vantage]
    with contextlib.suppress(OSError):
        os.nice(-10)  # only a wish: lateness is measured anyway
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(alone(config.journal.with_name(f"{config.journal.name}.lock")))
        except BlockingIOError:
            raise CallError(f"{config.journal}: another agent writes this journal; give each its own") from None
        except OSError as error:
            raise JournalError(f"{config.journal}: cannot be written: {error}") from error
        _run(config, stop, vantage)


def _run(config: AgentConfig, stop: Stop, vantage: Vantage) -> None:
    journal = JournalWriter(config.journal, config.vantage, lambda: drop(keep=FILES))
    engine, why, evidence = _engine(config, vantage, journal.append)
    if evidence is None:
        words = f"engine {engine.name}, {why}: {LOST}"
        journal.append(Note(time.monotonic_ns(), vantage.name, words))
        if config.engine == "auto":
            sys.stderr.write(f"{words}\n")
            sys.stderr.flush()
    journal.append(
        ProbeStarted(
            time.monotonic_ns(),
            time.time_ns(),
            vantage.name,
            engine.name,
            vantage.sessions,
            engine.period_ns,
            engine.syn_period_ns,
        )
    )
    if evidence is not None:
        evidence.start()
    drop()  # the sockets are open and the rule is in place
    # The socket engine's sessions are kernel sessions themselves.
    kernel = None if evidence is None else KernelSession(config.inventory, vantage, journal.append)
    if kernel is not None:
        kernel.start()
    try:
        _loop(engine, journal, stop)
    finally:
        for record in engine.close(time.monotonic_ns()):
            journal.append(record)
        if evidence is not None and kernel is not None:
            evidence.stop()
            kernel.stop()
        journal.append(ProbeStopped(time.monotonic_ns(), vantage.name, stop.reason or "failed"))
        journal.close()


def _engine(
    config: AgentConfig, vantage: Vantage, record: Callable[[Record], None]
) -> tuple[Engine, str, EvidenceFiles | None]:
    """Return the engine, in words why it is that one, and where its evidence goes: the socket engine has none."""
    tls = config.inventory.vip.service.mode is Mode.TLS
    if config.engine == "ring" and tls:
        raise CallError("service.mode tls needs the kernel's own TCP: use --engine socket, or auto")
    why = "as service.mode tls needs it" if tls else "as asked for"
    if config.engine != "socket" and not tls:
        try:
            evidence = EvidenceFiles(config.journal, vantage.name, record)
            return RingEngine(config.inventory, vantage, config.run, time.monotonic_ns(), evidence.put), why, evidence
        except PrivilegeError as error:
            if config.engine == "ring":
                raise
            why = f"as {error}"
    return SocketEngine(config.inventory, vantage, time.monotonic_ns()), why, None


def _loop(engine: Engine, journal: JournalWriter, stop: Stop) -> None:
    # The heap is small and lives long; a full collection in mid-run would be lateness of our own.
    gc.collect()
    gc.freeze()
    gc.disable()
    # A thread that writes evidence or the journal gives way at once: after every call that sends the loop asks again.
    sys.setswitchinterval(SWITCH_S)
    look_ns = time.monotonic_ns()
    due_ns = engine.first_tick_ns
    while not stop.reason:
        now_ns = time.monotonic_ns()
        for record in engine.tick(now_ns):
            journal.append(record)
            if isinstance(record, Note):
                sys.stderr.write(f"{record.source}: {record.text}\n")
                sys.stderr.flush()
        if now_ns >= look_ns:
            look_ns = now_ns + LIFELINE_NS
            stop.look()
            if journal.error is not None:
                return
        # Late, the next tick comes at once; the ones after it in step again.
        late_ns = time.monotonic_ns() - due_ns
        due_ns += max(1, late_ns // engine.tick_ns) * engine.tick_ns
        time.sleep(max(0, due_ns - time.monotonic_ns()) / 1e9)
