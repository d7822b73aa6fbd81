"""The receive side by itself: what it takes for whose, what it counts, and that a flood does not make it grow."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from core.tcp.segments import Flag, Segment
from core.tcp.states import State
from probe.ring import intake
from probe.ring.rings import RX_FRAME, RX_NETWORK, Batch
from probe.wire import Template
from tests.fuzz.world import PORT, World


def batch(*packets: bytes) -> Batch:
    rows = np.zeros((len(packets), RX_FRAME), np.uint8)
    rows[:, 14] = RX_NETWORK
    for row, packet in zip(rows, packets, strict=True):
        row[4:8].view(np.uint32)[:] = row[8:12].view(np.uint32)[:] = len(packet)
        row[RX_NETWORK : RX_NETWORK + len(packet)] = np.frombuffer(packet, np.uint8)
    return Batch(rows, np.arange(1, len(packets) + 1), np.zeros(len(packets), np.bool_))


def segment_to(world: World, slot: int, segment: Segment) -> bytes:
    source = world.sources[slot % len(world.sources)]
    port = int(world.held.port[slot])
    return Template(world.vip, source, port, syn=bool(segment.flags & Flag.SYN)).packet(PORT, segment)


def opened(count: int = 4) -> World:
    """Sessions that are established; their far ends' first number is 1000 and their stamps are 50 and more."""
    world = World(4, 1, count)
    rng = np.random.default_rng(1)
    while not (world.held.live & ~world.held.parked).all():
        world.turn(rng)
        for slot, visit in list(world.visits.open.items()):
            if visit.session.state is State.SYN_SENT:
                answer = Segment(999, visit.session.snd_nxt, Flag.SYN | Flag.ACK, 1000, b"", 50 + slot, 1)
                world.receive(batch(segment_to(world, slot, answer)), [])
    return world


def answer_to(world: World, slot: int, tsval: int, flags: Flag = Flag.ACK, payload: bytes = b"") -> bytes:
    una, rcv = int(world.held.snd_una[slot]), int(world.held.rcv_nxt[slot])
    return segment_to(world, slot, Segment(rcv, una, flags, 1000, payload, tsval, 1))


def test_options_of_ip_do_not_lend_a_packet_another_sessions_stamp() -> None:
    world = opened()
    world.held.ts_recent[3] = 70
    plain = answer_to(world, 0, 60, payload=b"x")
    # Four bytes of options; where the batch parser looks for a port they name slot 3's.
    options = bytes(2) + int(world.held.port[3]).to_bytes(2, "big")
    packet = bytearray(plain[:20] + options + plain[20:])
    packet[0], packet[3] = 0x46, len(packet)
    world.receive(batch(bytes(packet)), [])
    assert (world.held.rcv_nxt[0], world.held.ts_recent[0]) == (1001, 60)
    assert not world.visits.ignored["old timestamp"]


@pytest.mark.parametrize("changed", ["seq", "to", "to_port", "nothing"])
def test_an_icmp_error_ends_an_attempt_to_open_whose_syn_it_quotes(changed: str) -> None:
    world = World(4, 1, 1)
    rng = np.random.default_rng(1)
    while 0 not in world.visits.open or world.visits.open[0].session.state is not State.SYN_SENT:
        world.turn(rng)
    seq = world.visits.open[0].session.snd_una + (changed == "seq")
    to = world.sources[0] if changed == "to" else world.vip
    tcp = struct.pack("!HHI", int(world.held.port[0]), PORT + (changed == "to_port"), seq & 0xFFFFFFFF)
    quoted = struct.pack("!BBHHHBBH", 0x45, 0, 60, 0, 0, 1, 6, 0) + world.sources[0].packed + to.packed + tcp
    head = struct.pack("!BBHHHBBH", 0x45, 0, 56, 0, 0, 64, 1, 0) + bytes([10, 77, 1, 1]) + world.sources[0].packed
    world.receive(batch(head + bytes([3, 1, 0, 0, 0, 0, 0, 0]) + quoted), [])
    assert (0 in world.visits.open) == (changed != "nothing")
    assert world.visits.ignored["icmp"] == (changed != "nothing")


def test_an_icmp_error_never_ends_an_established_session() -> None:
    world = opened(1)
    una = int(world.held.snd_una[0])
    world.visits.unreachable(0, una, "port unreachable", 1)
    rng = np.random.default_rng(1)
    while 0 not in world.visits.open:  # it asks something: then it is on the slow path
        world.turn(rng)
    world.visits.unreachable(0, una, "port unreachable", 1)
    assert world.visits.open[0].session.state is State.ESTABLISHED
    assert world.visits.ignored["icmp"] == 2


def test_an_icmp_error_does_not_take_back_the_stamp_of_an_answer_meanwhile() -> None:
    world = opened(1)
    rng = np.random.default_rng(1)
    while 0 not in world.visits.open:
        world.turn(rng)
    world.receive(batch(answer_to(world, 0, 70)), [])
    world.visits.unreachable(0, int(world.held.snd_una[0]), "host unreachable", 1)
    assert world.held.ts_recent[0] == 70


def test_what_waits_is_bounded_and_what_is_too_much_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "MOST_WAITING", 5)
    world = opened(1)
    forged = answer_to(world, 0, 60, Flag.SYN | Flag.ACK)
    for _ in range(3):
        world.intake.received(batch(*[forged] * 4), lambda: b"")
    assert world.intake.waiting == 5
    world.intake.handle_unusual(1_000_000_000)
    assert world.visits.ignored["too many at once"] == 7
    assert world.visits.ignored["SYN in a synchronised state"] == 5


def test_a_reset_that_is_exact_and_nothing_else_ends_a_session() -> None:
    world = opened()
    for slot, ahead in enumerate((1, 70_000, -1, 0)):
        reset = Segment(int(world.held.rcv_nxt[slot]) + ahead, 0, Flag.RST, 0, b"", 60, 1)
        world.receive(batch(segment_to(world, slot, reset)), [])
    assert world.held.closed.tolist() == [False, False, False, True]
    assert world.visits.ignored["reset elsewhere in the window"] == 1
    assert world.visits.ignored["reset outside the window"] == 2
