"""The slow path: sessions that are away from the arrays, each with its sans-IO machine, until they are steady again."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

import numpy as np

from core.outage import SHORT_LIFE_NS
from core.records import Drop, DropCause, Note, Opened, Record
from core.tcp.segments import Flag, Segment, add, distance
from core.tcp.session import Closed, Dropped, Established, Output, Received, Send, Session
from core.tcp.states import State
from probe import service as services
from probe.ring.held import Slots
from probe.ring.surroundings import Surroundings, Unusual
from probe.ring.traces import WINDOW
from probe.service import Dialogue, Seen, Wrong

AGAIN_NS = 50_000_000
SILENT_NS = 2_000_000_000
FIRST_ASKED = 8
NOTES = 8
ENDED_WHEN_ASKED = 3
LOOK_NS = 40_000_000
"""Sessions that are reset as soon as they are open are traced at most so often, all together."""


@dataclass
class Visit:
    """A session on the slow path, and the question that waits for its answer, if any."""

    session: Session
    dialogue: Dialogue | None = None
    asked_ns: int = 0


class Visits:
    """All that are on the slow path. What happens is appended to `records`."""

    def __init__(self, around: Surroundings, records: list[Record]) -> None:
        self._around = around
        self._held = around.held
        self._records = records
        self.open: dict[int, Visit] = {}
        self.opening = 0
        self._open_from_ns = np.zeros(self._held.count, np.int64)
        self.ignored: Counter[str] = Counter()
        self._noted: set[str] = set()
        self._ever_answered = False
        self._ended_when_asked = 0
        self._ended_unasked = 0
        self._asked_at_once = 0
        self._ever_open = False
        self._began_ns = 0
        self._refused = False
        self._short_lived: set[int] = set()
        self._looked_ns = 0

    # --- at a slot's turn -------------------------------------------------------------------------------------

    def to_open(self, closed: Slots, now_ns: int) -> Slots:
        """Return which of the closed slots are to be opened now: not again at once where it was refused."""
        return closed[self._open_from_ns[closed] <= now_ns]

    def admit(self, slot: int, now_ns: int) -> None:
        """Begin to open a session; its `turn` sends the SYN."""
        self._records += self._around.traces.end(slot, now_ns)  # its port is about to be another's
        self._around.renew(slot)
        self.open[slot] = Visit(Session(random.getrandbits(32)))
        self._held.closed[slot] = False
        self.opening += 1

    def turn(self, slot: int, revolution: int, now_ns: int) -> bool:
        """Do what a visiting slot does at its turn; tell whether that was an attempt."""
        visit = self.open.get(slot)
        if visit is None:
            return False
        session = visit.session
        if session.state is State.CLOSED:
            self._perform(slot, visit, session.connect(now_ns, revolution), now_ns)
            return True
        self._refresh(slot, session)
        woken = session.wake(now_ns, revolution) or session.again(now_ns, revolution)
        if woken:
            sends = any(isinstance(output, Send) for output in woken)
            self._perform(slot, visit, woken, now_ns)
            return sends
        if session.state is not State.ESTABLISHED:
            return False
        self._around.transmit(slot, session.heartbeat(revolution), 0, 0)
        self._look_silent(visit, now_ns)
        self._settle(slot, visit, now_ns)
        return True

    def _refresh(self, slot: int, session: Session) -> None:
        """Tell the machine what the fast path has heard meanwhile."""
        if self._held.live[slot]:
            heard_ns = self._heard_ns(slot)
            session.heard(heard_ns, int(self._held.ts_recent[slot]) if session.timestamps else None)

    def _heard_ns(self, slot: int) -> int:
        """Return since when a slot may have been silent: not before the probe itself was awake."""
        held = self._held
        return max(int(self._around.gaps.received_ns[slot]), int(held.opened_ns[slot]), held.awake_ns)

    def ask(self, slot: int, revolution: int, now_ns: int) -> bool:
        """Send the service's question in the place of a heartbeat; False where nothing is asked."""
        talk = services.dialogue(self._around.service)
        self._held.asked_ns[slot] = now_ns
        if talk is None:
            return False
        visit = self._visit(slot)
        visit.dialogue, visit.asked_ns = talk, now_ns
        self._perform(slot, visit, visit.session.send(talk.question(revolution), now_ns, revolution), now_ns)
        return True

    def _look_silent(self, visit: Visit, now_ns: int) -> None:
        if visit.dialogue is not None and visit.session.idle and now_ns - visit.asked_ns > SILENT_NS:
            silence = services.silent(self._around.service.mode, SILENT_NS / 1e9)
            self._note(now_ns, silence)
            visit.dialogue = None

    def check(self, now_ns: int) -> None:
        """Say what a service that does not answer, or a VIP that lets nobody in, leaves to be said."""
        if not self._ever_answered:
            for visit in list(self.open.values())[:FIRST_ASKED]:
                self._look_silent(visit, now_ns)
        self._began_ns = self._began_ns or now_ns
        if not self._ever_open and now_ns - self._began_ns > SILENT_NS:
            self._note(now_ns, services.closed(SILENT_NS / 1e9, refused=self._refused))

    # --- when something comes ---------------------------------------------------------------------------------

    def arrived(self, slot: int, segment: Segment, unusual: Unusual) -> None:
        """Take in a segment that the fast path left. Answers that came after it and were steady do not make it old."""
        r_ns, ts_recent = unusual.r_ns, unusual.ts_recent if unusual.slot == slot else None
        held = self._held
        if held.closed[slot]:
            self.ignored["closed"] += 1
            return
        visit = self._visit(slot)
        session = visit.session
        ignored = sum(session.ignored.values())
        sent = int(self._around.gaps.last_sent[slot])
        before = len(self._records)
        newest = int(held.ts_recent[slot]) if held.live[slot] and session.timestamps else None
        if newest is not None and ts_recent is not None:
            session.ts_recent = ts_recent
        outputs = session.receive(segment, r_ns, sent)
        if newest is not None and (session.ts_recent == ts_recent or distance(session.ts_recent or 0, newest) > 0):
            session.ts_recent = newest
        accepted = sum(session.ignored.values()) == ignored
        if accepted and not unusual.noted and not segment.flags & Flag.RST:
            attempt = segment.tsecr if session.timestamps else sent
            if attempt:
                answers = self._records[before:]
                del self._records[before:]
                self._around.answered(slot, attempt, r_ns)
                self._records += answers
        self._count_ignored(session)
        self._perform(slot, visit, outputs, r_ns)

    def _count_ignored(self, session: Session) -> None:
        self.ignored.update(session.ignored)
        session.forget_ignored()

    def unreachable(self, slot: int, seq: int, detail: str, now_ns: int) -> None:
        """Take in an ICMP error about a packet of the slot's that had the sequence number `seq`."""
        visit = self.open.get(slot)
        if visit is not None:
            self._refresh(slot, visit.session)
            outputs = visit.session.unreachable(seq, detail)
            self._count_ignored(visit.session)
            self._perform(slot, visit, outputs, now_ns)
        else:
            self.ignored["icmp"] += 1

    def dead(self, slot: int, now_ns: int) -> None:
        """A held session has been silent for long: let its machine decide."""
        visit = self._visit(slot)
        self._perform(slot, visit, visit.session.wake(now_ns, int(self._around.gaps.last_sent[slot])), now_ns)

    # --- in and out of the arrays -----------------------------------------------------------------------------

    def _visit(self, slot: int) -> Visit:
        visit = self.open.get(slot)
        if visit is None:
            held = self._held
            heard_ns = self._heard_ns(slot)
            ts_recent = int(held.ts_recent[slot]) if held.stamped[slot] else None
            session = Session.resumed(int(held.snd_una[slot]), int(held.rcv_nxt[slot]), ts_recent, heard_ns)
            visit = self.open[slot] = Visit(session)
            held.parked[slot] = True
        return visit

    def _settle(self, slot: int, visit: Visit, now_ns: int) -> None:
        """Give a session back to the arrays when there is nothing unusual about it any more."""
        session = visit.session
        if session.state is not State.ESTABLISHED:
            self._held.live[slot] = False
            return
        ts_recent = session.ts_recent if session.timestamps else None
        self._held.number(slot, (session.snd_una, session.rcv_nxt, ts_recent))
        if not session.idle or visit.dialogue is not None:
            return
        stamps = (0, 0) if session.timestamps else (None, None)
        beat = Segment(add(session.snd_una, -1), session.rcv_nxt, Flag.ACK, WINDOW, b"\0", *stamps)
        packet = self._around.packet(slot, beat)
        self._held.hold(slot, packet, (session.snd_una, session.rcv_nxt, ts_recent))
        del self.open[slot]
        if slot in self._short_lived and now_ns - self._looked_ns >= LOOK_NS:
            # The one before it was reset at once, and this one may be too: look now which way its packets go.
            self._looked_ns = now_ns
            self._around.traces.begin(slot, int(self._around.gaps.answered_revolution[slot]), now_ns, closer=True)
        self._short_lived.discard(slot)
        if not session.timestamps:
            self._note(
                now_ns, "the far end has no TCP timestamps: an answer counts for the attempt sent last before it"
            )

    def _perform(self, slot: int, visit: Visit, outputs: tuple[Output, ...], now_ns: int) -> None:
        for output in outputs:
            match output:
                case Send():
                    self._around.transmit(slot, output.segment, 0, 0)
                case Established():
                    self._established(slot, output.rtt_ns, now_ns)
                    self._ask_first(slot, now_ns)
                case Received():
                    self._heard(slot, visit, output.data, now_ns)
                case Dropped():
                    self._dropped(slot, visit, output, now_ns)
                case Closed():
                    self._end(slot)
        if self.open.get(slot) is visit:
            self._settle(slot, visit, now_ns)

    def _established(self, slot: int, rtt_ns: int, now_ns: int) -> None:
        held, around = self._held, self._around
        self.opening -= 1
        self._ever_open = True
        held.restarts[slot] += 1
        held.opened_ns[slot] = now_ns
        held.asked_ns[slot] = held.traced_ns[slot] = 0
        around.answers.forget(slot)
        name, port = around.answers.session_name(slot), int(held.port[slot])
        restarts = int(held.restarts[slot])
        self._records.append(Opened(now_ns, around.vantage, slot, name, around.source(slot), port, rtt_ns, restarts))

    def _ask_first(self, slot: int, now_ns: int) -> None:
        """Ask the first sessions at once, whatever the period: whether the service answers is to be told soon."""
        if self._asked_at_once < FIRST_ASKED and services.dialogue(self._around.service) is not None:
            self._asked_at_once += 1
            self.ask(slot, int(self._around.gaps.last_sent[slot]), now_ns)

    def _heard(self, slot: int, visit: Visit, data: bytes, now_ns: int) -> None:
        talk = visit.dialogue or services.dialogue(self._around.service)
        told = talk.take(data) if talk is not None else None
        if isinstance(told, Wrong):
            self._note(now_ns, told.words)
            visit.dialogue = None
        elif isinstance(told, Seen) and visit.dialogue is not None:
            self._ever_answered = True
            self._records += self._around.answers.seen(slot, told, now_ns)
            visit.dialogue = None

    def _dropped(self, slot: int, visit: Visit, dropped: Dropped, now_ns: int) -> None:
        held, around, session = self._held, self._around, visit.session
        if session.state is State.CLOSE_WAIT:
            self._perform(slot, visit, session.abort(int(around.gaps.last_sent[slot])), now_ns)
        opened_ns = int(held.opened_ns[slot])
        self._end(slot)
        if not opened_ns:
            self.opening -= 1
            self._open_from_ns[slot] = now_ns + AGAIN_NS
            if dropped.cause is DropCause.RESET:
                self.ignored["refused"] += 1
                self._refused = True
            return
        held.opened_ns[slot] = 0
        if visit.dialogue is not None and not self._ever_answered:
            self._ended_when_asked += 1
            self._open_from_ns[slot] = now_ns + SHORT_LIFE_NS
            if self._ended_when_asked == ENDED_WHEN_ASKED:
                self._note(now_ns, services.ended(around.service.mode, ENDED_WHEN_ASKED))
        around.gaps.session_changed(slot)
        name = around.answers.session_name(slot)
        age_ns = now_ns - opened_ns
        if age_ns < SHORT_LIFE_NS and dropped.cause is DropCause.RESET:
            self._short_lived.add(slot)
        elif age_ns < SHORT_LIFE_NS and dropped.cause is DropCause.FIN:
            self._not_kept(slot, now_ns, age_ns)
        self._records.append(Drop(now_ns, around.vantage, slot, name, dropped.cause, dropped.detail, age_ns))

    def _not_kept(self, slot: int, now_ns: int, age_ns: int) -> None:
        """A session was ended in order soon after it was open: say what that tells, and do not flood the service."""
        if self._ever_answered:
            self._note(now_ns, services.not_kept())
        elif services.dialogue(self._around.service) is None:
            self._ended_unasked += 1
            if self._ended_unasked == ENDED_WHEN_ASKED:
                self._note(now_ns, services.ended_unasked(self._around.service.mode, ENDED_WHEN_ASKED))
        self._open_from_ns[slot] = now_ns + SHORT_LIFE_NS - age_ns

    def _end(self, slot: int) -> None:
        self.open.pop(slot, None)
        self._held.close(slot)

    def _note(self, now_ns: int, text: str) -> None:
        """Say something once, and not without end."""
        if text not in self._noted and len(self._noted) < NOTES:
            self._noted.add(text)
            self._records.append(Note(now_ns, self._around.vantage, text))

    def close(self) -> None:
        """End every session by a reset: nothing of it is left at the far end."""
        for slot in np.flatnonzero(~self._held.closed).tolist():
            visit = self._visit(slot)
            if visit.session.state is not State.CLOSED:
                for output in visit.session.abort(int(self._around.gaps.last_sent[slot])):
                    if isinstance(output, Send):
                        self._around.transmit(slot, output.segment, 0, 0)
