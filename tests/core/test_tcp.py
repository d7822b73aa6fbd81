"""The session machine: its whole table, transcripts of it, and what no packet may do to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.records import DropCause
from core.tcp.segments import MODULUS, Flag, Segment, add, distance
from core.tcp.session import Closed, Config, Dropped, Established, Output, Received, Send, Session
from core.tcp.states import TRANSITIONS, Event, IllegalMove, State, after, as_markdown

PAGE = Path(__file__).resolve().parents[2] / "docs" / "session-machine.md"


def sent(outputs: tuple[Output, ...]) -> list[Segment]:
    return [output.segment for output in outputs if isinstance(output, Send)]


@dataclass
class Peer:
    """A far end that acknowledges, echoes what it is sent, and counts what it got."""

    isn: int
    rcv_nxt: int = 0
    got: bytes = b""
    snd_nxt: int = 0
    stamps: bool = True
    seen: list[Segment] = field(default_factory=list)

    def answer(self, segment: Segment) -> list[Segment]:
        self.seen.append(segment)
        if segment.flags & Flag.SYN:
            self.rcv_nxt, self.snd_nxt = add(segment.seq, 1), add(self.isn, 1)
            return [self._make(Flag.SYN | Flag.ACK, self.isn, segment)]
        offset = distance(segment.seq, self.rcv_nxt)
        fresh = segment.payload[offset:] if offset >= 0 else b""
        if segment.length and not fresh and not segment.flags & Flag.FIN:
            return [self._make(Flag.ACK, self.snd_nxt, segment)]
        self.rcv_nxt = add(self.rcv_nxt, len(fresh) + bool(segment.flags & Flag.FIN))
        self.got += fresh
        if not segment.length:
            return []
        reply = self._make(Flag.ACK, self.snd_nxt, segment, fresh)
        self.snd_nxt = add(self.snd_nxt, len(fresh))
        return [reply]

    def _make(self, flags: Flag, seq: int, to: Segment, payload: bytes = b"") -> Segment:
        return Segment(seq, self.rcv_nxt, flags, 1000, payload, *((9_000, to.tsval) if self.stamps else (None, None)))


def opened(isn: int = 100, peer_isn: int = 5_000, config: Config | None = None) -> tuple[Session, Peer]:
    session, peer = Session(isn, config), Peer(peer_isn)
    (syn,) = sent(session.connect(0, 1))
    outputs = session.receive(peer.answer(syn)[0], 2_000, 1)
    assert any(isinstance(output, Established) for output in outputs)
    return session, peer


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", Event)
def test_every_pair_of_the_table(state: State, event: Event) -> None:
    session = Session(1)
    session.state = state
    if (state, event) in TRANSITIONS:
        session._move(event)
        assert session.state is TRANSITIONS[state, event] is after(state, event)
    else:
        with pytest.raises(IllegalMove, match=state.value):
            session._move(event)
        assert session.state is state


def test_every_state_is_reached_and_ends() -> None:
    reached = {State.CLOSED} | set(TRANSITIONS.values())
    assert reached == set(State)
    for state in set(State) - {State.CLOSED}:
        assert TRANSITIONS[state, Event.RST] is TRANSITIONS[state, Event.TIMEOUT] is State.CLOSED


def test_the_page_shows_the_table() -> None:
    assert as_markdown() in PAGE.read_text(), "run `make docs`"


def test_handshake_then_question_and_answer() -> None:
    session, peer = opened()
    (question,) = sent(session.send(b"W 1\n", 3_000, 2))
    assert (question.payload, question.seq, question.tsval) == (b"W 1\n", 101, 2)
    assert not session.idle
    outputs = session.receive(peer.answer(question)[0], 4_000, 2)
    assert Received(b"W 1\n") in outputs
    assert peer.got == b"W 1\n"
    assert session.idle
    assert sent(outputs)[0].ack == session.rcv_nxt == 5_005


@pytest.mark.parametrize("isn", [0, 1, MODULUS - 1, MODULUS - 2, MODULUS // 2])
def test_sequence_numbers_wrap(isn: int) -> None:
    session, peer = opened(isn, MODULUS - 2)
    for number in range(5):
        (question,) = sent(session.send(b"abc", 10 + number, number + 2))
        assert Received(b"abc") in session.receive(peer.answer(question)[0], 20 + number, number + 2)
    assert session.snd_una == session.snd_nxt == add(isn, 16)


def test_heartbeat_is_a_keepalive() -> None:
    session, peer = opened()
    beat = session.heartbeat(7)
    assert (beat.seq, beat.payload, beat.flags, beat.tsval) == (add(session.snd_nxt, -1), b"\0", Flag.ACK, 7)
    before = (session.snd_una, session.snd_nxt, session.rcv_nxt)
    (reply,) = peer.answer(beat)
    assert reply.tsecr == 7
    assert session.receive(reply, 9_000, 7) == ()
    assert (session.snd_una, session.snd_nxt, session.rcv_nxt) == before
    assert peer.got == b""


def test_heartbeat_only_when_established() -> None:
    with pytest.raises(IllegalMove):
        Session(1).heartbeat(1)


def test_only_the_exact_reset_kills() -> None:  # RFC 5961 section 3.2
    session, _ = opened()
    inside = Segment(add(session.rcv_nxt, 10), 0, Flag.RST, 0)
    assert [segment.flags for segment in sent(session.receive(inside, 5, 2))] == [Flag.ACK]
    assert session.receive(Segment(add(session.rcv_nxt, -1), 0, Flag.RST, 0), 5, 2) == ()
    assert session.receive(Segment(add(session.rcv_nxt, 70_000), 0, Flag.RST, 0), 5, 2) == ()
    assert session.state is State.ESTABLISHED
    assert sum(session.ignored.values()) == 3
    (dropped,) = session.receive(Segment(session.rcv_nxt, 0, Flag.RST, 0), 5, 2)
    assert isinstance(dropped, Dropped)
    assert dropped.cause is DropCause.RESET
    assert session.state.value == "CLOSED"


def test_syn_in_the_window_is_challenged() -> None:  # RFC 5961 section 4.2
    session, _ = opened()
    outputs = session.receive(Segment(session.rcv_nxt, session.snd_nxt, Flag.SYN | Flag.ACK, 0), 5, 2)
    assert [segment.flags for segment in sent(outputs)] == [Flag.ACK]
    assert session.state is State.ESTABLISHED


def test_old_timestamps_are_refused() -> None:  # RFC 7323 section 5
    session, _ = opened()
    old = Segment(session.rcv_nxt, session.snd_nxt, Flag.ACK, 0, b"x", 8_999, 1)
    assert not any(isinstance(output, Received) for output in session.receive(old, 5, 2))
    assert session.ignored["old timestamp"] == 1


def test_works_without_timestamps() -> None:
    session, peer = Session(100), Peer(1, stamps=False)
    (syn,) = sent(session.connect(0, 1))
    session.receive(peer.answer(syn)[0], 1, 1)
    assert session.state is State.ESTABLISHED
    assert session.heartbeat(5).tsval is None


def test_refused_and_stray_segments_in_the_handshake() -> None:
    session = Session(100)
    session.connect(0, 1)
    assert session.receive(Segment(1, 999, Flag.RST | Flag.ACK, 0), 1, 1) == ()
    assert session.receive(Segment(1, 101, Flag.ACK, 0), 1, 1) == ()
    (dropped,) = session.receive(Segment(0, 101, Flag.RST | Flag.ACK, 0), 1, 1)
    assert isinstance(dropped, Dropped)
    assert session.state is State.CLOSED


def test_lost_segments_are_sent_again_then_given_up() -> None:
    config = Config(rto_ns=100, syn_rto_ns=10, dead_after_ns=5_000)
    session, _ = opened(config=config)
    session.send(b"W 1\n", 3_000, 2)
    assert session.wake(3_099, 3) == ()
    (again,) = sent(session.wake(3_100, 3))
    assert (again.payload, again.seq, again.tsval) == (b"W 1\n", 101, 3)
    (dropped,) = session.wake(2_000 + 5_000, 4)
    assert isinstance(dropped, Dropped)
    assert dropped.cause is DropCause.TIMEOUT
    handshake = Session(1, config)
    handshake.connect(0, 1)
    assert sent(handshake.wake(10, 2))[0].flags == Flag.SYN


def test_fin_of_the_far_end_is_a_drop_with_its_cause() -> None:
    session, _ = opened()
    outputs = session.receive(Segment(session.rcv_nxt, session.snd_nxt, Flag.FIN | Flag.ACK, 0, b"", 9_001, 1), 5, 2)
    assert [output.cause for output in outputs if isinstance(output, Dropped)] == [DropCause.FIN]
    assert session.state is State.CLOSE_WAIT


@pytest.mark.parametrize("fin_first", [True, False])
def test_close_in_order(fin_first: bool) -> None:
    session, _ = opened()
    session.close(10, 2)
    fin = Segment(session.rcv_nxt, add(session.snd_nxt, -1), Flag.FIN | Flag.ACK, 0, b"", 9_001, 2)
    ack = Segment(add(session.rcv_nxt, fin_first), session.snd_nxt, Flag.ACK, 0, b"", 9_001, 2)
    for segment in (fin, ack) if fin_first else (ack, fin):
        session.receive(segment, 20, 3)
    assert session.state is State.TIME_WAIT
    assert session.wake(20 + session.config.time_wait_ns, 4) == (Closed(),)
    assert session.state.value == "CLOSED"


def test_out_of_order_data_is_not_kept_and_overlap_is_trimmed() -> None:
    session, _ = opened()
    start = session.rcv_nxt
    ahead = session.receive(Segment(add(start, 3), session.snd_nxt, Flag.ACK, 0, b"def", 9_001, 1), 5, 2)
    assert [segment.ack for segment in sent(ahead)] == [start]
    session.receive(Segment(start, session.snd_nxt, Flag.ACK, 0, b"abc", 9_001, 1), 6, 2)
    overlap = session.receive(Segment(add(start, 1), session.snd_nxt, Flag.ACK, 0, b"bcde", 9_001, 1), 7, 2)
    assert Received(b"de") in overlap


segments = st.builds(
    Segment,
    seq=st.integers(0, MODULUS - 1) | st.integers(4_990, 5_020),
    ack=st.integers(0, MODULUS - 1) | st.integers(95, 110),
    flags=st.integers(0, 31).map(Flag),
    window=st.integers(0, 65_535),
    payload=st.binary(max_size=20),
    tsval=st.none() | st.integers(0, MODULUS - 1),
    tsecr=st.none() | st.integers(0, MODULUS - 1),
)


@given(st.lists(segments, max_size=30), st.booleans())
def test_no_segment_moves_it_where_the_table_does_not_allow(received: list[Segment], close: bool) -> None:
    session, _ = opened()
    if close:
        session.close(1, 2)
    for number, segment in enumerate(received):
        before, expected = session.state, session.rcv_nxt
        session.receive(segment, 3_000 + number, 2)
        reachable = {before}
        for _ in range(2):  # one segment may carry an ACK of our FIN and a FIN
            reachable |= {
                after(state, event) for state in reachable for event in Event if (state, event) in TRANSITIONS
            }
        assert session.state in reachable
        if segment.flags & Flag.RST and segment.seq != expected:
            assert session.state is before


@given(st.lists(st.booleans(), max_size=40), st.lists(st.binary(min_size=1, max_size=30), min_size=1, max_size=5))
def test_everything_arrives_once_in_spite_of_losses(losses: list[bool], pieces: list[bytes]) -> None:
    config = Config(rto_ns=10, dead_after_ns=10**9)
    session, peer = opened(config=config)
    lost = iter(losses)
    now_ns = 3_000
    for piece in pieces:
        waiting = sent(session.send(piece, now_ns, now_ns))
        while not session.idle:
            now_ns += 10
            for segment in waiting:
                for reply in peer.answer(segment) if not next(lost, False) else []:
                    if not next(lost, False):
                        session.receive(reply, now_ns, now_ns)
            waiting = sent(session.wake(now_ns, now_ns))
    assert peer.got == b"".join(pieces)


@pytest.mark.parametrize(("stamps", "answered", "rtt_ns"), [(True, 0, 1_500), (True, 1, 500), (False, 0, -1)])
def test_the_round_trip_is_that_of_the_syn_that_was_answered(*, stamps: bool, answered: int, rtt_ns: int) -> None:
    """The SYN goes twice, and the answer to the first may come after the second (or be read only then)."""
    config = Config(syn_rto_ns=1_000)
    session, peer = Session(100, config), Peer(5_000, stamps=stamps)
    syns = sent(session.connect(0, 1)) + sent(session.wake(1_000, 2))
    assert len(syns) == 2
    outputs = session.receive(peer.answer(syns[answered])[0], 1_500, 3)
    assert [output.rtt_ns for output in outputs if isinstance(output, Established)] == [rtt_ns]


def test_an_answer_that_is_older_than_the_second_syn_has_the_first_ones_round_trip() -> None:
    """Kernel stamps: it came at 900, before the second SYN went at 1000, and is read after that."""
    session, peer = Session(100, Config(syn_rto_ns=1_000)), Peer(5_000)
    (first,) = sent(session.connect(0, 1))
    session.wake(1_000, 2)
    outputs = session.receive(peer.answer(first)[0], 900, 3)
    assert [output.rtt_ns for output in outputs if isinstance(output, Established)] == [900]
