"""Heartbeats in the ring are the packets that Scapy would make, and only steady answers pass the batch parser."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6

from core.inventory import Address
from core.tcp.segments import Flag, Segment
from probe.ring.held import ETHERNET, Held, Layout
from probe.ring.parse import Answers, Parser, rounds
from probe.wire import HEADER, Template

FAMILIES: list[tuple[Address, Address, Address]] = [
    (IPv4Address("10.0.0.2"), IPv4Address("10.0.0.3"), IPv4Address("203.0.113.10")),
    (IPv6Address("2001:db8::2"), IPv6Address("2001:db8::3"), IPv6Address("2001:db8:1::10")),
]
words = st.integers(0, 0xFFFFFFFF)
ROW, NETWORK = 256, 80


def held_of(family: int, numbers: tuple[int, int, int], stamps: bool = True) -> Held:
    """Four slots, the third with a session from the second address."""
    here, second, vip = FAMILIES[family]
    held = Held(4, 2, Layout(HEADER[here.version]))
    held.take_port(2, 1, 20_002)
    snd_una, rcv_nxt, ts_recent = numbers
    zero = 0 if stamps else None
    beat = Segment((snd_una - 1) & 0xFFFFFFFF, rcv_nxt, Flag.ACK, 65_535, b"\0", zero, zero)
    packet = Template(second, vip, 7000, syn=False, stamps=stamps).packet(20_002, beat)
    held.hold(2, packet, (snd_una, rcv_nxt, ts_recent if stamps else None))
    held.ethernet(bytes(range(14)))
    return held


@pytest.mark.parametrize("family", [0, 1])
@given(words, words, words, st.integers(1, 0xFFFFFFFF), st.booleans())
def test_a_heartbeat_in_the_ring_is_a_whole_packet(
    family: int, snd_una: int, rcv_nxt: int, ts_recent: int, revolution: int, stamps: bool
) -> None:
    held = held_of(family, (snd_una, rcv_nxt, ts_recent), stamps)
    rows = np.full((3, 128), 0xEE, np.uint8)
    fields = rows.reshape(-1).view(held.layout.fields(32, 128))
    held.fill(rows[1:2, 32:], fields[1:2], slice(2, 3), revolution)
    assert bytes(rows[1, 32:46]) == bytes(range(14))
    packet = bytes(rows[1, 32 + ETHERNET : 32 + held.layout.length])
    dissected = IP(packet) if family == 0 else IPv6(packet)
    assert dissected[TCP].seq == (snd_una - 1) & 0xFFFFFFFF
    assert dissected[TCP].ack == rcv_nxt
    options = [("NOP", None), ("NOP", None), ("Timestamp", (revolution, ts_recent))]
    assert dissected[TCP].options == (options if stamps else [("NOP", None)] * 12)
    del dissected[TCP].chksum
    assert bytes(dissected) == packet
    assert (rows[0] == 0xEE).all()
    assert (rows[2] == 0xEE).all()


def answer(family: int, **changed: int | bytes) -> bytes:
    """The packet that answers a heartbeat of `held_of`, with some fields changed."""
    _, second, vip = FAMILIES[family]
    fields = {"seq": 500, "ack": 900, "tsval": 70, "tsecr": 5, "flags": 0x10, "payload": b"", "port": 20_002, **changed}
    segment = Segment(
        int(fields["seq"]),
        int(fields["ack"]),
        Flag(int(fields["flags"])),
        1000,
        bytes(fields["payload"]),
        int(fields["tsval"]),
        int(fields["tsecr"]),
    )
    return Template(vip, second, int(fields["port"]), syn=False).packet(7000, segment)


def rows_of(packets: list[bytes]) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    rows = np.zeros((len(packets), ROW), np.uint8)
    rows[:, 14] = NETWORK
    for row, packet in zip(rows, packets, strict=True):
        row[4:8].view(np.uint32)[:] = row[8:12].view(np.uint32)[:] = len(packet)
        row[NETWORK : NETWORK + len(packet)] = np.frombuffer(packet, np.uint8)
    return rows


UNUSUAL: list[dict[str, int | bytes]] = [
    {"seq": 501},
    {"seq": 499},
    {"ack": 901},
    {"ack": 899},
    {"flags": 0x14},
    {"flags": 0x11},
    {"flags": 0x12},
    {"payload": b"x"},
    {"tsval": 59},
    {"port": 20_003},
]


@pytest.mark.parametrize("family", [0, 1])
def test_only_steady_answers_pass(family: int) -> None:
    held = held_of(family, (900, 500, 60))
    parser = Parser(held, FAMILIES[family][:2], NETWORK, ROW)
    packets = [answer(family), *(answer(family, **changed) for changed in UNUSUAL), answer(family, tsecr=6)]
    rows = rows_of(packets)
    found = parser.split(rows, np.arange(len(packets)) * 10, np.zeros(len(packets), np.bool_))
    assert found.slots.tolist() == [2, 2]
    assert found.others.tolist() == list(range(1, len(packets) - 1))
    assert found.noted.tolist() == [True] * 4 + [False] * 3 + [True] * 2 + [False]
    assert found.answers.revolutions.tolist() == [5] * 7 + [6]
    assert set(found.answers.slots.tolist()) == {2}
    assert found.answers.r_ns[[0, -1]].tolist() == [0, 10 * (len(packets) - 1)]
    assert found.stamps.tolist() == [70, 70]
    assert found.other_slots.tolist() == [2] * 9 + [-1]
    assert parser.source_of(FAMILIES[family][0].packed) == 0
    assert parser.source_of(FAMILIES[family][1].packed) == 1
    assert parser.source_of(FAMILIES[family][2].packed) == -1


@pytest.mark.parametrize("family", [0, 1])
def test_what_came_by_a_copy_or_to_another_address_or_to_a_visitor_does_not_pass(family: int) -> None:
    held = held_of(family, (900, 500, 60))
    parser = Parser(held, FAMILIES[family][:2], NETWORK, ROW)
    rows = rows_of([answer(family)] * 2)
    destination = NETWORK + (19 if family == 0 else 39)
    rows[1, destination] -= 1  # the first address: the session is the second's
    found = parser.split(rows, np.zeros(2, np.int64), np.array([True, False]))
    assert not len(found.slots)
    assert (found.others.tolist(), found.other_slots.tolist(), found.noted.tolist()) == ([0, 1], [2, -1], [True, False])
    one = rows_of([answer(family)]), np.zeros(1, np.int64), np.zeros(1, np.bool_)
    held.parked[2] = True  # a visitor's numbers are good
    assert parser.split(*one).slots.tolist() == [2]
    held.live[2] = False
    found = parser.split(*one)
    assert not len(found.answers.slots)
    assert found.others.tolist() == [0]


@pytest.mark.parametrize("family", [0, 1])
@pytest.mark.parametrize(
    "changed",
    [{"seq": 500 + 65_535}, {"ack": 900 + 65_535}, {"seq": 1 << 31}, {"seq": 500 + (1 << 31)}, {"ack": 0xFFFF0000}],
)
def test_what_is_far_from_the_windows_answers_nothing(family: int, changed: dict[str, int | bytes]) -> None:
    parser = Parser(held_of(family, (900, 500, 60)), FAMILIES[family][:2], NETWORK, ROW)
    found = parser.split(rows_of([answer(family, **changed)]), np.zeros(1, np.int64), np.zeros(1, np.bool_))
    assert (len(found.answers.slots), found.noted.tolist(), found.other_slots.tolist()) == (0, [False], [2])


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 99)), max_size=40))
def test_rounds_keep_order_and_have_each_slot_once(entries: list[tuple[int, int]]) -> None:
    slots = np.array([slot for slot, _ in entries], np.int64)
    numbers = np.array([number for _, number in entries], np.int64)
    parts = rounds(Answers(slots, numbers, numbers), np.zeros(6, np.int64))
    for part in parts:
        assert len(set(part.slots.tolist())) == len(part.slots)
    seen = [(slot, number) for part in parts for slot, number in zip(part.slots, part.revolutions, strict=True)]
    assert sorted(seen) == sorted(entries)
    for wanted in range(6):
        assert [n for slot, n in seen if slot == wanted] == [n for slot, n in entries if slot == wanted]


@pytest.mark.parametrize("family", [0, 1])
def test_what_an_older_frame_left_in_the_row_is_not_read(family: int) -> None:
    parser = Parser(held_of(family, (900, 500, 60)), FAMILIES[family][1:2], NETWORK, ROW)
    rows = rows_of([answer(family)])
    rows[0, 8] -= 1
    found = parser.split(rows, np.zeros(1, np.int64), np.zeros(1, np.bool_))
    assert (len(found.answers.slots), found.others.tolist()) == (0, [0])
    assert found.other_lengths.tolist() == [len(answer(family)) - 1]


def test_another_address_than_the_only_one_does_not_pass() -> None:
    parser = Parser(held_of(0, (900, 500, 60)), FAMILIES[0][:1], NETWORK, ROW)
    found = parser.split(rows_of([answer(0)]), np.zeros(1, np.int64), np.zeros(1, np.bool_))
    assert (len(found.answers.slots), found.others.tolist()) == (0, [0])


@given(st.lists(st.integers(0, 1 << 31), min_size=1, max_size=12), words)
def test_the_newest_stamp_is_kept_in_whatever_order_they_come(after: list[int], first: int) -> None:
    held = held_of(0, (900, 500, first))
    stamps = np.array([(first + ahead) & 0xFFFFFFFF for ahead in after if ahead < 1 << 31] or [first], np.uint32)
    held.newest(np.full(len(stamps), 2), stamps)
    assert held.ts_recent[2] == (first + max((ahead for ahead in after if ahead < 1 << 31), default=0)) & 0xFFFFFFFF
