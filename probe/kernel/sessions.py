"""Held sessions on one non-blocking loop: opens, asks in turn, takes in answers, and tells what became of each."""

from __future__ import annotations

import random
import select
import ssl
import time
from collections import Counter
from dataclasses import replace

import numpy as np

from core.inventory import Inventory, Mode, Vantage
from core.outage import SHORT_LIFE_NS
from core.records import Drop, DropCause, Note, Opened, OutageEnded, Record
from probe import service as services
from probe.kernel.certificates import Certificates
from probe.kernel.held import PROBES_NS, Held, rhythm
from probe.kernel.lateness import Lateness
from probe.kernel.link import Link, cause_of
from probe.kernel.slots import Happened, Phase, Slot
from probe.kernel.tls import Secure, Trust
from probe.kernel.turns import OPENS_A_SECOND, SECURE_OPENS_A_SECOND, Openings, Turns
from probe.service import Wrong

BESIDE = -2
"""The slot of the one session that runs beside the ring engine."""
CONNECT_NS = 1_000_000_000
HANDSHAKE_NS = 5_000_000_000
SILENT_NS = 2_500_000_000
AGAIN_NS = 50_000_000
WRONG_AGAIN_NS = 1_000_000_000
LOOK_NS = 100_000_000
NOTES = 8
ENDED_WHEN_ASKED = 3
MOST_EVENTS = 4_096


class Sessions:
    """`count` sessions, one question outstanding in each at a time, every `period_ns`, spread evenly over it.

    `step` is to be called every `looks_ns`. With `beside` it is the one session that the ring engine has beside it.
    """

    def __init__(
        self, inventory: Inventory, vantage: Vantage, period_ns: int, looks_ns: int, *, beside: bool = False
    ) -> None:
        self._vip, self._service = inventory.vip, inventory.vip.service
        self._vantage, self._beside = vantage.name, beside
        self.count = 1 if beside else vantage.sessions
        self._sources = () if beside else vantage.sources
        self.asks = services.dialogue(self._service) is not None
        self._trust = Trust(self._service) if self._service.mode is Mode.TLS else None
        self._certificates = Certificates(vantage.name)
        self.lateness = Lateness(looks_ns)
        rhythm_ = rhythm(period_ns, asks=self.asks)
        self._slots = [
            Slot(index, Held(vantage.name, self._number(index), rhythm_, self.lateness.own_ns))
            for index in range(self.count)
        ]
        self.answer = np.zeros(self.count, np.uint16)
        self.restarts = np.full(self.count, -1, np.int32)
        self.traced_ns = np.zeros(self.count, np.int64)  # no path ever is
        self._poll = select.epoll()
        self._by_descriptor: dict[int, Slot] = {}
        now_ns = self._look_ns = time.monotonic_ns()
        rate = OPENS_A_SECOND if self._trust is None else SECURE_OPENS_A_SECOND
        self._openings = Openings(now_ns, self.count, rate)
        self.turns = Turns(now_ns + period_ns, period_ns, self.count)
        self._token = random.getrandbits(31)
        self._records: list[Record] = []
        self._noted: set[str] = set()
        self._ever_right = False
        self._ever_connected = False
        self._ended_when_asked = 0
        self._began_ns = now_ns
        self._refused = False
        self.ignored: Counter[str] = Counter()
        self.happened = Happened([], [], [])

    def _number(self, index: int) -> int:
        return BESIDE if self._beside else index

    def name(self, index: int) -> str:
        """Name of a slot's session in records."""
        place = "kernel" if self._beside else index
        return f"{self._vantage}-{place}-{max(0, int(self.restarts[index]))}"

    def open_slots(self) -> list[int]:
        """Return the slots whose session is open."""
        return [slot.index for slot in self._slots if slot.phase is Phase.OPEN]

    # --- a step -----------------------------------------------------------------------------------------------

    def step(self, wait_s: float = 0) -> list[Record]:
        """Wait at most `wait_s` for something to come, take in what has, do what is due; return the records."""
        self.happened = Happened([], [], [])
        events = self._poll.poll(wait_s, MOST_EVENTS)
        now_ns = time.monotonic_ns()
        self.lateness.look(now_ns)
        for descriptor, _ in events:
            slot = self._by_descriptor.get(descriptor)
            if slot is not None:
                self._ready(slot)
        for index in self._openings.due(now_ns):
            self._connect(self._slots[index])
        self._take_turns(now_ns)
        if now_ns >= self._look_ns:
            self._look_ns = now_ns + LOOK_NS
            if not self._ever_connected and now_ns - self._began_ns > SILENT_NS:
                self._note(services.closed(SILENT_NS / 1e9, refused=self._refused))
            for slot in self._slots:
                self._look(slot, now_ns)
        records, self._records = self._records, []
        return records

    def _take_turns(self, now_ns: int) -> None:
        for index, due_ns in self.turns.due(now_ns):
            slot = self._slots[index]
            if slot.phase is Phase.OPEN and self.asks and not slot.asked_ns:
                self._ask(slot, due_ns)

    # --- opening ----------------------------------------------------------------------------------------------

    def _connect(self, slot: Slot) -> None:
        slot.began_ns = time.monotonic_ns()
        slot.held.asked(slot.began_ns)
        source = self._sources[slot.index % len(self._sources)] if self._sources else None
        try:
            slot.link = Link(self._vip, source, keepalive=not self.asks)
        except OSError as error:
            self._note(f"a connection to the VIP cannot be begun: {error.strerror}")
            self._reopen(slot, AGAIN_NS)
            return
        slot.phase = Phase.CONNECTING
        self._by_descriptor[slot.link.socket.fileno()] = slot
        self._poll.register(slot.link.socket, select.EPOLLOUT)

    def _connected(self, slot: Slot, link: Link) -> None:
        link.connected()
        self._ever_connected = True
        info = link.info()
        slot.rtt_ns = time.monotonic_ns() - slot.began_ns if info.retransmitted else info.rtt_ns
        self._poll.modify(link.socket, select.EPOLLIN)
        if self._trust is None:
            self._opened(slot, link)
            return
        slot.phase = Phase.SHAKING_HANDS
        slot.secure = self._trust.secure()
        self._shake_hands(slot, link, slot.secure)

    def _shake_hands(self, slot: Slot, link: Link, secure: Secure) -> None:
        assert self._trust is not None
        try:
            done = secure.shake_hands()
        except ssl.SSLCertVerificationError as error:
            self._trust.refused(error.verify_message)
            self._end(slot, 0)
            return
        except ssl.SSLError as error:
            self._note(services.no_tls(error.reason or str(error)))
            self._end(slot, WRONG_AGAIN_NS)
            return
        link.send(secure.outgoing())
        if not done:
            return
        untrusted = self._trust.untrusted(secure)
        if untrusted is None:
            self._end(slot, 0)
            return
        self._opened(slot, link)
        at = (self._number(slot.index), self.name(slot.index), slot.opened_ns)
        self._records += self._certificates.shown(secure, untrusted, *at)

    def _opened(self, slot: Slot, link: Link) -> None:
        now_ns = slot.opened_ns = time.monotonic_ns()
        slot.phase, slot.right = Phase.OPEN, False
        self.restarts[slot.index] += 1
        self.answer[slot.index] = 0
        where = (self._vantage, self._number(slot.index), self.name(slot.index), *link.local())
        restart = int(self.restarts[slot.index])
        self._records.append(Opened(now_ns, *where, slot.rtt_ns, restart, held_kernel=self._beside))
        if self.asks:
            self._ask(slot, now_ns)
        else:
            self._acknowledged(slot, now_ns)

    # --- asking and answers -----------------------------------------------------------------------------------

    def _ask(self, slot: Slot, due_ns: int) -> None:
        slot.dialogue = services.dialogue(self._service)
        assert slot.dialogue is not None
        assert slot.link is not None
        self._token = (self._token + 1) & 0x7FFFFFFF
        question = slot.dialogue.question(self._token)
        now_ns = slot.asked_ns = time.monotonic_ns()
        slot.held.asked(now_ns)
        self.happened.sent.append((slot.index, max(0, now_ns - due_ns)))
        try:
            slot.link.send(slot.secure.write(question) if slot.secure else question)
        except OSError as error:
            self._failed(slot, *cause_of(error))

    def _ready(self, slot: Slot) -> None:
        """Something has come, or has become of the connection."""
        link = slot.link
        assert link is not None
        try:
            if slot.phase is Phase.CONNECTING:
                self._connected(slot, link)
                return
            found = link.receive()
        except OSError as error:
            self._failed(slot, *cause_of(error))
            return
        if found is None:
            return
        data, r_ns = found
        if not data:
            self._failed(slot, DropCause.FIN, "closed by the far end")
        elif slot.secure is None:
            self._heard(slot, data, r_ns)
        else:
            self._heard_securely(slot, link, slot.secure, data, r_ns)

    def _heard_securely(self, slot: Slot, link: Link, secure: Secure, data: bytes, r_ns: int) -> None:
        secure.take(data)
        try:
            if slot.phase is Phase.SHAKING_HANDS:
                self._shake_hands(slot, link, secure)
            if slot.secure is not secure:
                return
            said = secure.read() if slot.phase is Phase.OPEN else b""
            link.send(secure.outgoing())
        except OSError as error:
            self._failed(slot, *cause_of(error))
            return
        if said:
            self._heard(slot, said, r_ns)
        if secure.ended and slot.secure is secure:
            self._failed(slot, DropCause.FIN, "closed by the far end, with TLS's close_notify")

    def _heard(self, slot: Slot, data: bytes, r_ns: int) -> None:
        told = slot.dialogue.take(data) if slot.dialogue is not None else None
        if told is None:
            return
        slot.dialogue = None
        rtt_ns, slot.asked_ns = max(0, r_ns - slot.asked_ns), 0
        if isinstance(told, Wrong):
            self._note(told.words)
        else:
            slot.right = self._ever_right = True
            self.happened.seen.append((slot.index, told, r_ns))
        self._answered(slot, r_ns, rtt_ns)

    def _answered(self, slot: Slot, r_ns: int, rtt_ns: int) -> None:
        self.happened.answered.append((slot.index, rtt_ns))
        ended: OutageEnded | None = slot.held.answered(r_ns, max(0, rtt_ns))
        if ended is not None:
            self._records.append(replace(ended, t_ns=max(ended.t_ns, slot.opened_ns)))

    def _acknowledged(self, slot: Slot, now_ns: int) -> None:
        """Ask the kernel what became of its keepalives. Any acknowledgement is an answer, the handshake's the first."""
        assert slot.link is not None
        info = slot.link.info()
        for _ in range(info.probes - slot.probes):
            self.happened.sent.append((slot.index, 0))
        acked_ns = now_ns - info.ack_age_ns
        if acked_ns - slot.acked_ns > PROBES_NS // 2:
            if not slot.probes:
                self.happened.sent.append((slot.index, 0))
            slot.acked_ns = acked_ns
            slot.right = self._ever_right = True
            self._answered(slot, acked_ns, -1)
        slot.probes = info.probes

    # --- now and then, and ends -------------------------------------------------------------------------------

    def _look(self, slot: Slot, now_ns: int) -> None:
        began = slot.held.check(now_ns)
        if began is not None:
            self._records.append(began)
        if slot.phase is Phase.CONNECTING and now_ns - slot.began_ns > CONNECT_NS:
            self._end(slot, 0)
        elif slot.phase is Phase.SHAKING_HANDS:
            if not self._ever_right and now_ns - slot.began_ns > SILENT_NS and self._lives(slot):
                self._note(services.no_tls(f"its handshake has no answer for {SILENT_NS / 1e9:.1f} s"))
            if now_ns - slot.began_ns > HANDSHAKE_NS:
                self._end(slot, AGAIN_NS)
        elif slot.phase is Phase.OPEN and not self.asks:
            self._acknowledged(slot, now_ns)
        elif slot.asked_ns and now_ns - slot.asked_ns > SILENT_NS and self._lives(slot):
            self._note(services.silent(self._service.mode, SILENT_NS / 1e9))

    @staticmethod
    def _lives(slot: Slot) -> bool:
        """Tell whether the far end's kernel has acknowledged all that was sent: only its application is silent."""
        return slot.link is not None and not slot.link.info().unacked

    def _failed(self, slot: Slot, cause: DropCause, detail: str) -> None:
        """The session ended, and not by us."""
        now_ns, phase = time.monotonic_ns(), slot.phase
        if phase is Phase.SHAKING_HANDS and not self._ever_right and cause in (DropCause.FIN, DropCause.RESET):
            self._note(services.no_tls("it ends the connection in the handshake"))
        if phase is not Phase.OPEN:
            self.ignored["refused"] += cause is DropCause.RESET
            self._refused |= cause is DropCause.RESET
            self._end(slot, AGAIN_NS)
            return
        if slot.asked_ns and not self._ever_right:
            self._ended_when_asked += 1
            if self._ended_when_asked == ENDED_WHEN_ASKED:
                self._note(services.ended(self._service.mode, ENDED_WHEN_ASKED))
        where = (self._vantage, self._number(slot.index), self.name(slot.index))
        age_ns = now_ns - slot.opened_ns
        self._records.append(Drop(now_ns, *where, cause, detail, age_ns, held_kernel=self._beside))
        slot.held.session_ended()
        if slot.right and cause is DropCause.FIN and age_ns < SHORT_LIFE_NS:
            self._note(services.not_kept())
            self._end(slot, SHORT_LIFE_NS - age_ns)
            return
        self._end(slot, 0 if slot.right else WRONG_AGAIN_NS)

    def _end(self, slot: Slot, again_ns: int) -> None:
        if slot.link is not None:
            self._by_descriptor.pop(slot.link.socket.fileno(), None)
            self._poll.unregister(slot.link.socket)
            slot.link.close()
        slot.link = slot.secure = slot.dialogue = None
        slot.phase, slot.asked_ns, slot.acked_ns, slot.probes = Phase.CLOSED, 0, 0, 0
        self._reopen(slot, again_ns)

    def _reopen(self, slot: Slot, again_ns: int) -> None:
        self._openings.again(slot.index, time.monotonic_ns() + again_ns)

    def _note(self, text: str) -> None:
        """Say something once, and not without end."""
        if text not in self._noted and len(self._noted) < NOTES:
            self._noted.add(text)
            self._records.append(Note(time.monotonic_ns(), self._vantage, text))

    def close(self) -> None:
        """Reset every session."""
        for slot in self._slots:
            if slot.link is not None:
                slot.link.close()
        self._poll.close()
