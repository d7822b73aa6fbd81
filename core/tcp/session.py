"""The session machine: one client connection, driven by segments and instants that are handed in.

Rules of its own where RFC 9293 leaves room: outstanding data is sent again every `rto_ns`, without back-off,
because the probe wants to know when the path is back; data that comes out of order is not kept but answered
with an ACK, so that the peer sends it again; the session dies of silence after `dead_after_ns`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from core.records import DropCause
from core.tcp.segments import Flag, Segment, add, distance
from core.tcp.states import Event, IllegalMove, State, after


@dataclass(frozen=True, slots=True)
class Config:
    """What a session is told once: times in nanoseconds, the receive window and MSS in bytes."""

    rto_ns: int = 200_000_000
    syn_rto_ns: int = 50_000_000
    dead_after_ns: int = 10_000_000_000
    time_wait_ns: int = 1_000_000_000
    window: int = 65_535
    mss: int = 1_400


@dataclass(frozen=True, slots=True)
class Send:
    """Command: put this segment on the wire now."""

    segment: Segment


@dataclass(frozen=True, slots=True)
class Established:
    """Event: the handshake is complete.

    `rtt_ns` is since the SYN that was answered: the one whose time stamp is echoed (RFC 7323), or the only one. Where
    that is not known it is -1 (Karn's algorithm, RFC 6298 section 3).
    """

    rtt_ns: int


@dataclass(frozen=True, slots=True)
class Received:
    """Event: bytes that the peer's application sent, in order."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Dropped:
    """Event: the session ended though the probe did not end it."""

    cause: DropCause
    detail: str


@dataclass(frozen=True, slots=True)
class Closed:
    """Event: the session ended as the probe wished."""


Output = Send | Established | Received | Dropped | Closed
_SYNCHRONISED = frozenset(State) - {State.CLOSED, State.SYN_SENT}


class Session:
    """A client's TCP connection. Every method returns what to do and what happened, in order.

    Raises IllegalMove for calls that the state does not allow; never for anything that comes from the network.
    """

    def __init__(self, isn: int, config: Config | None = None) -> None:
        self.config = config or Config()
        self.state = State.CLOSED
        self.snd_una = isn
        self.snd_nxt = isn
        self.rcv_nxt = 0
        self.ts_recent: int | None = None
        self._outstanding = b""
        self._sent_ns = 0
        self._syns: dict[int, int] = {}  # time stamp of a SYN -> when it was sent
        self._heard_ns = 0
        self._fin_sent = False
        self._timestamps = True
        self._ignored: Counter[str] = Counter()

    @classmethod
    def resumed(
        cls, snd_una: int, rcv_nxt: int, ts_recent: int | None, heard_ns: int, config: Config | None = None
    ) -> Session:
        """Return an established session whose numbers were kept elsewhere; `ts_recent` None: without timestamps."""
        session = cls(snd_una, config)
        session.state = State.ESTABLISHED
        session.rcv_nxt = rcv_nxt
        session.ts_recent = ts_recent
        session._timestamps = ts_recent is not None
        session._heard_ns = heard_ns
        return session

    @property
    def timestamps(self) -> bool:
        """Whether both ends stamp their segments (RFC 7323 section 3.2)."""
        return self._timestamps

    @property
    def ignored(self) -> Mapping[str, int]:
        """How many segments were ignored, by reason: a snapshot."""
        return MappingProxyType(dict(self._ignored))

    def forget_ignored(self) -> None:
        """Begin to count anew what is ignored."""
        self._ignored.clear()

    def connect(self, now_ns: int, tsval: int) -> tuple[Output, ...]:
        """Open: send the SYN."""
        self._move(Event.OPEN)
        self.snd_nxt = add(self.snd_una, 1)
        self._heard_ns = now_ns
        return (self._syn(now_ns, tsval),)

    def send(self, data: bytes, now_ns: int, tsval: int) -> tuple[Output, ...]:
        """Send `data`. Raises IllegalMove outside ESTABLISHED, ValueError while other data is unacknowledged."""
        if self.state is not State.ESTABLISHED:
            raise IllegalMove(f"{self.state.value}: send")
        if self._outstanding or not 0 < len(data) <= self.config.mss:
            raise ValueError("one unacknowledged piece of data at a time, of at most one MSS")
        self._outstanding = data
        self.snd_nxt = add(self.snd_una, len(data))
        return (self._data(now_ns, tsval),)

    def again(self, now_ns: int, tsval: int) -> tuple[Output, ...]:
        """Send unacknowledged data again, if any: a heartbeat while it is on its way.

        (A peer that has the data answers a copy of it with an ACK that echoes the copy's stamp; to a keepalive from
        below the data it would echo an older one, RFC 7323 section 4.3.)
        """
        return (self._data(now_ns, tsval),) if self._outstanding and self.state is State.ESTABLISHED else ()

    @property
    def idle(self) -> bool:
        """Whether `send` may be called."""
        return self.state is State.ESTABLISHED and not self._outstanding

    def heartbeat(self, tsval: int) -> Segment:
        """Return a keepalive: one garbage byte just below what the peer has acknowledged (RFC 9293 section 3.8.4).

        The peer must answer it with an ACK at once, and takes no notice of the byte. Legal in ESTABLISHED only.
        """
        if self.state is not State.ESTABLISHED:
            raise IllegalMove(f"{self.state.value}: heartbeat")
        return self._segment(Flag.ACK, tsval, seq=add(self.snd_una, -1), payload=b"\0")

    def close(self, now_ns: int, tsval: int) -> tuple[Output, ...]:
        """Close in order: send a FIN."""
        self._move(Event.CLOSE)
        if self.state is State.CLOSED:
            return (Closed(),)
        fin = self._segment(Flag.FIN | Flag.ACK, tsval, seq=self.snd_nxt)
        self.snd_nxt = add(self.snd_nxt, 1)
        self._fin_sent = True
        self._sent_ns = now_ns
        return (Send(fin),)

    def abort(self, tsval: int) -> tuple[Output, ...]:
        """End at once: send a RST where the peer knows of us."""
        known = self.state in _SYNCHRONISED
        self._move(Event.ABORT)
        rst = (Send(self._segment(Flag.RST | Flag.ACK, tsval, seq=self.snd_nxt)),) if known else ()
        return (*rst, Closed())

    def unreachable(self, seq: int, detail: str) -> tuple[Output, ...]:
        """Take in an ICMP error that quotes sequence number `seq`.

        It ends an attempt to open, where it quotes what is under way (RFC 9293 section 3.9.2.2, RFC 5461 section
        4.1, RFC 5927 section 4.1). An established session outlives all of them: its silence is what is measured.
        """
        if self.state is not State.SYN_SENT or seq != self.snd_una:
            return self._ignore("icmp")
        self._move(Event.ABORT)
        return (Dropped(DropCause.ICMP, detail),)

    def wake(self, now_ns: int, tsval: int) -> tuple[Output, ...]:
        """Do what is due at `now_ns`: send again, or give up."""
        if self.state is State.CLOSED:
            return ()
        if self.state is State.TIME_WAIT:
            if now_ns - self._heard_ns < self.config.time_wait_ns:
                return ()
            self._move(Event.TIMEOUT)
            return (Closed(),)
        if now_ns - self._heard_ns >= self.config.dead_after_ns:
            silence = f"nothing heard for {(now_ns - self._heard_ns) / 1e9:.1f} s in {self.state.value}"
            self._move(Event.TIMEOUT)
            return (Dropped(DropCause.TIMEOUT, silence),)
        in_handshake = self.state is State.SYN_SENT
        if now_ns - self._sent_ns < (self.config.syn_rto_ns if in_handshake else self.config.rto_ns):
            return ()
        if in_handshake:
            return (self._syn(now_ns, tsval),)
        if self._outstanding:
            return (self._data(now_ns, tsval),)
        if self._fin_sent and self.snd_una != self.snd_nxt:
            self._sent_ns = now_ns
            return (Send(self._segment(Flag.FIN | Flag.ACK, tsval, seq=add(self.snd_nxt, -1))),)
        return ()

    def heard(self, now_ns: int, tsval: int | None) -> None:
        """Note an acceptable bare ACK that was checked elsewhere (the engine's fast path)."""
        self._heard_ns = now_ns
        if tsval is not None:
            self.ts_recent = tsval

    def receive(self, segment: Segment, now_ns: int, tsval: int) -> tuple[Output, ...]:
        """Take in one segment (RFC 9293 section 3.10.7); `tsval` stamps what is sent in reply."""
        if self.state is State.CLOSED:
            return self._ignore("closed")
        if self.state is State.SYN_SENT:
            return self._receive_in_syn_sent(segment, now_ns, tsval)
        refused = self._refuse(segment, tsval)
        if refused is not None:
            return refused
        self._heard_ns = now_ns
        if segment.tsval is not None and self._timestamps and distance(segment.seq, self.rcv_nxt) >= 0:
            self.ts_recent = segment.tsval  # RFC 7323 section 4.3
        return (*self._take_ack(segment), *self._take_data(segment, tsval))

    def _receive_in_syn_sent(self, segment: Segment, now_ns: int, tsval: int) -> tuple[Output, ...]:
        """RFC 9293 section 3.10.7.3: everything must acknowledge our SYN; what does not is of an older connection."""
        if not segment.flags & Flag.ACK or segment.ack != self.snd_nxt:
            if segment.flags & Flag.RST or not segment.flags & Flag.ACK:
                return self._ignore("not of our SYN")
            # A far end that still holds a connection of these ports ends it by our reset; then the SYN goes again.
            self._sent_ns = now_ns - self.config.syn_rto_ns
            return self._ignore("ack not of our SYN", Send(self._segment(Flag.RST, tsval, seq=segment.ack)))
        if segment.flags & Flag.RST:
            self._move(Event.RST)
            return (Dropped(DropCause.RESET, "connection refused by reset"),)
        if not segment.flags & Flag.SYN:
            return self._ignore("no SYN in SYN-SENT")
        self._move(Event.SYN_ACK)
        self.rcv_nxt = add(segment.seq, 1)
        self.snd_una = segment.ack
        self._timestamps = segment.tsval is not None
        self.ts_recent = segment.tsval
        self._heard_ns = now_ns
        return (self._ack(tsval), Established(self._handshake_ns(segment, now_ns)))

    def _handshake_ns(self, answer: Segment, now_ns: int) -> int:
        """Return the round trip of the handshake, -1 where it is not known which SYN was answered."""
        sent_ns = self._syns.get(answer.tsecr or 0)
        if sent_ns is None and len(self._syns) == 1:
            (sent_ns,) = self._syns.values()
        return -1 if sent_ns is None else now_ns - sent_ns

    def _refuse(self, segment: Segment, tsval: int) -> tuple[Output, ...] | None:
        """Return what to do with a segment that is not acceptable, or None for one that is."""
        offset = distance(self.rcv_nxt, segment.seq)
        in_window = -segment.length < offset < self.config.window or offset == 0
        if segment.flags & Flag.RST:
            if offset == 0:  # RFC 5961 section 3.2: exactly the next number expected
                state = self.state
                self._move(Event.RST)
                return (Dropped(DropCause.RESET, f"reset in {state.value}"),)
            if 0 < offset < self.config.window:
                return self._ignore("reset elsewhere in the window", self._ack(tsval))
            return self._ignore("reset outside the window")
        if segment.flags & Flag.SYN:  # RFC 5961 section 4.2
            return self._ignore("SYN in a synchronised state", self._ack(tsval))
        if self._old_timestamp(segment):  # RFC 7323 section 5: PAWS
            return self._ignore("old timestamp", self._ack(tsval))
        if not in_window:
            reply = (self._ack(tsval),) if segment.length else ()
            return self._ignore("outside the window", *reply)
        if not segment.flags & Flag.ACK:
            return self._ignore("no ACK")
        # RFC 5961 section 5.2: an ACK may be old by a window at most, and never of what was not sent.
        if distance(self.snd_nxt, segment.ack) > 0 or distance(self.snd_una, segment.ack) < -self.config.window:
            return self._ignore("ack of what was not sent", self._ack(tsval))
        return None

    def _old_timestamp(self, segment: Segment) -> bool:
        if not self._timestamps or self.ts_recent is None or segment.tsval is None:
            return False
        return distance(self.ts_recent, segment.tsval) < 0

    def _take_ack(self, segment: Segment) -> tuple[Output, ...]:
        advance = distance(self.snd_una, segment.ack)
        if advance <= 0:
            return ()
        self.snd_una = segment.ack
        self._outstanding = self._outstanding[advance:]
        if not (self._fin_sent and self.snd_una == self.snd_nxt):
            return ()
        if self.state in _AWAIT_FIN_ACK:
            self._move(Event.FIN_ACKED)
        return (Closed(),) if self.state is State.CLOSED else ()

    def _take_data(self, segment: Segment, tsval: int) -> tuple[Output, ...]:
        if not segment.length or self.state is State.CLOSED:
            return ()
        if distance(self.rcv_nxt, segment.seq) > 0:
            return self._ignore("out of order", self._ack(tsval))
        fresh = segment.payload[distance(segment.seq, self.rcv_nxt) :][: self.config.window]
        whole = add(segment.seq, len(segment.payload)) == add(self.rcv_nxt, len(fresh))
        fin = bool(segment.flags & Flag.FIN) and whole and self.state in _MAY_FIN
        self.rcv_nxt = add(self.rcv_nxt, len(fresh) + fin)
        events: list[Output] = [self._ack(tsval)]
        if fresh:
            events.append(Received(fresh))
        if fin:
            state = self.state
            self._move(Event.FIN)
            if state is State.ESTABLISHED:
                events.append(Dropped(DropCause.FIN, "closed by the far end"))
        return tuple(events)

    def _ignore(self, reason: str, *outputs: Output) -> tuple[Output, ...]:
        self._ignored[reason] += 1
        return outputs

    def _move(self, event: Event) -> None:
        self.state = after(self.state, event)

    def _segment(self, flags: Flag, tsval: int, seq: int, payload: bytes = b"") -> Segment:
        ack = self.rcv_nxt if flags & Flag.ACK else 0
        stamps = (tsval, self.ts_recent or 0) if self._timestamps else (None, None)
        return Segment(seq, ack, flags, self.config.window, payload, *stamps)

    def _syn(self, now_ns: int, tsval: int) -> Send:
        self._sent_ns = self._syns[tsval] = now_ns
        return Send(self._segment(Flag.SYN, tsval, seq=self.snd_una))

    def _data(self, now_ns: int, tsval: int) -> Send:
        self._sent_ns = now_ns
        return Send(self._segment(Flag.ACK | Flag.PSH, tsval, seq=self.snd_una, payload=self._outstanding))

    def _ack(self, tsval: int) -> Send:
        return Send(self._segment(Flag.ACK, tsval, seq=self.snd_nxt))


_AWAIT_FIN_ACK = frozenset({State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK})
_MAY_FIN = frozenset({State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2})
