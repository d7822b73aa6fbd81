"""One held session on an ordinary kernel socket: what an application sees of an outage, retransmission included."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections.abc import Callable

from core.inventory import Inventory
from core.records import Clock, Drop, DropCause, Opened, OutageEnded, Record

ASK_EVERY_NS = 20_000_000
STALL_NS = 60_000_000
CONNECT_TIMEOUT_S = 1.0
RECONNECT_S = 0.05
LOOK_EVERY_S = 0.02
LOOK_EVERY_NS = 20_000_000


class KernelSession(threading.Thread):
    """Asks the reflector every 20 ms, one question at a time, and reports stalls, drops and new sessions.

    A stall is [time from question to answer, time from the answer before to that answer]. It is what the
    application suffers, never the convergence time: retransmission back-off makes it 1.35 to 1.94 times the outage.
    """

    def __init__(self, inventory: Inventory, vantage: str, record: Callable[[Record], None]) -> None:
        super().__init__(name="kernel session", daemon=True)
        self._vip = (str(inventory.vip.address), inventory.vip.port)
        self._vantage = vantage
        self._record = record
        self._ended = threading.Event()
        self._answered_ns = 0
        self._asked_ns = 0
        self._slip_ns = 0
        self._same_session = True
        self._restart = 0

    def stop(self) -> None:
        """End the session and the thread."""
        self._ended.set()
        self.join(CONNECT_TIMEOUT_S + 1)

    def run(self) -> None:
        """Hold one session after another until stopped."""
        while not self._ended.is_set():
            began_ns = time.monotonic_ns()
            self._asked_ns = self._asked_ns or began_ns
            try:
                connection = socket.create_connection(self._vip, CONNECT_TIMEOUT_S)
            except OSError:
                self._ended.wait(RECONNECT_S)
                continue
            with connection:
                self._hold(connection, began_ns)
            self._restart += 1

    def _hold(self, connection: socket.socket, began_ns: int) -> None:
        opened_ns = time.monotonic_ns()
        source, port = connection.getsockname()[:2]
        name = f"{self._vantage}-kernel-{self._restart}"
        self._record(
            Opened(
                opened_ns, self._vantage, -2, name, source, port, opened_ns - began_ns, self._restart, held_kernel=True
            )
        )
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setblocking(False)
        try:
            cause, detail = self._talk(connection)
        except ConnectionResetError as error:
            cause, detail = DropCause.RESET, str(error)
        except TimeoutError as error:
            cause, detail = DropCause.TIMEOUT, str(error)
        except OSError as error:
            cause, detail = DropCause.ICMP, str(error)
        if cause is None:
            return
        now_ns = time.monotonic_ns()
        self._same_session = False
        self._record(Drop(now_ns, self._vantage, -2, name, cause, detail, now_ns - opened_ns, held_kernel=True))

    def _talk(self, connection: socket.socket) -> tuple[DropCause | None, str]:
        """Ask and wait for the answer, in turn; return why it ended. Raises OSError as the kernel tells it."""
        with selectors.DefaultSelector() as selector:
            selector.register(connection, selectors.EVENT_READ)
            number = 0
            while not self._ended.is_set():
                number += 1
                asked_ns = time.monotonic_ns()
                # A question that a dead session left unanswered is still the one being waited for.
                self._asked_ns = self._asked_ns or asked_ns
                connection.send(b"W k%x\n" % number)
                line = b""
                while not line.endswith(b"\n"):
                    if self._ended.is_set():
                        return None, ""
                    if not self._ready(selector):
                        continue
                    data = connection.recv(256)
                    if not data:
                        return DropCause.FIN, "closed by the far end"
                    line += data
                self._answer(time.monotonic_ns())
                self._rest(asked_ns)
        return None, ""

    def _ready(self, selector: selectors.BaseSelector) -> bool:
        """Wait a little for the answer; what the wait took beyond that is lateness of our own."""
        began_ns = time.monotonic_ns()
        ready = bool(selector.select(LOOK_EVERY_S))
        self._slip_ns += max(0, time.monotonic_ns() - began_ns - LOOK_EVERY_NS)
        return ready

    def _rest(self, asked_ns: int) -> None:
        """Wait until the next question is due."""
        due_ns = asked_ns + ASK_EVERY_NS
        self._ended.wait(max(0, due_ns - time.monotonic_ns()) / 1e9)
        self._slip_ns += max(0, time.monotonic_ns() - due_ns)

    def _answer(self, now_ns: int) -> None:
        before_ns, asked_ns = self._answered_ns, self._asked_ns
        self._answered_ns, self._asked_ns = now_ns, 0
        slip_ns, self._slip_ns = self._slip_ns, 0
        if before_ns and now_ns - before_ns > STALL_NS:
            self._record(
                OutageEnded(
                    t_ns=now_ns,
                    vantage=self._vantage,
                    slot=-2,
                    clock=Clock.HELD_KERNEL,
                    s_a_ns=before_ns,
                    r_a_ns=before_ns,
                    s_a1_ns=asked_ns,
                    s_b1_ns=now_ns,
                    s_b_ns=now_ns,
                    r_b_ns=now_ns,
                    lost=1,
                    skipped=0,
                    slip_ns=slip_ns,
                    self_inflicted=now_ns - before_ns - slip_ns <= STALL_NS,
                    same_session=self._same_session,
                )
            )
        self._same_session = True
