"""Any bytes are read as the model reads them: arbitrary ones, and packets of every kind that were damaged."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP
from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6TimeExceeded, IPv6

from probe.wire import Arrived, parse
from tests.fuzz import model

STAMPS = [("NOP", None), ("NOP", None), ("Timestamp", (9, 7))]
SYN_ACK = [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (9, 7)), ("NOP", None), ("WScale", 7)]
ENDS4 = {"src": "203.0.113.10", "dst": "10.0.0.2"}
ENDS6 = {"src": "2001:db8:ff::10", "dst": "2001:db8::2"}
BACK4 = {"src": "10.0.0.2", "dst": "203.0.113.10"}
BACK6 = {"src": "2001:db8::2", "dst": "2001:db8:ff::10"}


def tcp(flags: str, options: Sequence[tuple[str, object]], payload: bytes = b"") -> TCP:
    return TCP(sport=7000, dport=20_000, seq=5, ack=6, flags=flags, options=list(options)) / payload


SEEDS = [
    bytes(packet)
    for packet in (
        *(
            IP(**ENDS4) / part
            for part in (tcp("A", STAMPS), tcp("PA", STAMPS, b"hello"), tcp("SA", SYN_ACK), tcp("R", []))
        ),
        *(
            IPv6(**ENDS6) / part
            for part in (tcp("A", STAMPS), tcp("FA", STAMPS, b"x"), tcp("SA", SYN_ACK), tcp("RA", []))
        ),
        IP(**ENDS4, options=[b"\x01\x01\x01\x00"]) / tcp("A", STAMPS),
        IP(**ENDS4, flags="MF") / tcp("A", STAMPS),
        IP(src="10.0.0.1", dst="10.0.0.2") / ICMP(type=3, code=1) / IP(**BACK4) / TCP(dport=7000),
        IP(src="10.0.0.1", dst="10.0.0.2") / ICMP(type=11) / IP(**BACK4) / TCP(dport=7000),
        IPv6(src="2001:db8::1", dst="2001:db8::2") / ICMPv6TimeExceeded() / IPv6(**BACK6) / TCP(dport=7000),
        IPv6(src="2001:db8::1", dst="2001:db8::2") / ICMPv6DestUnreach() / IPv6(**BACK6) / TCP(dport=7000),
    )
]


@dataclass(frozen=True)
class Damage:
    """What is done to a packet: bytes set, then cut at the end, or more put there."""

    changes: list[tuple[int, int]]
    cut: int
    more: bytes

    def of(self, packet: bytes) -> bytes:
        """Return the damaged packet."""
        found = bytearray(packet + self.more)
        for place, value in self.changes:
            found[place % len(found)] = value
        return bytes(found[: max(0, len(found) - self.cut)])


damages = st.builds(
    Damage,
    changes=st.lists(st.tuples(st.integers(0, 120), st.integers(0, 255)), max_size=4),
    cut=st.one_of(st.just(0), st.integers(0, 100)),
    more=st.binary(max_size=12),
)


def same(data: bytes) -> bool:
    """Whether the probe reads these bytes as the model does."""
    ours, theirs = parse(data), model.read(data)
    if ours is None or theirs is None:
        return ours is None and theirs is None
    if isinstance(theirs, model.Icmp):
        assert not isinstance(ours, Arrived)
        quoted = (ours.address, ours.port, ours.seq, ours.mark, ours.to, ours.to_port)
        return quoted == (theirs.to, theirs.port, theirs.seq, theirs.mark, theirs.vip, theirs.vip_port)
    assert isinstance(ours, Arrived)
    segment = ours.segment
    stamps = None if segment.tsval is None else (segment.tsval, segment.tsecr)
    read = (ours.address, ours.port, segment.seq, segment.ack, segment.flags, len(segment.payload), stamps)
    return read == (theirs.to, theirs.port, theirs.seq, theirs.ack, theirs.flags, theirs.length, theirs.stamps)


def test_the_packets_are_read_before_they_are_damaged() -> None:
    assert [model.read(packet) is None for packet in SEEDS].count(True) == 1  # the fragment
    assert all(same(packet) for packet in SEEDS)


@settings(max_examples=1_000)
@given(st.sampled_from(SEEDS), damages)
def test_a_damaged_packet_is_read_as_the_model_reads_it(packet: bytes, damage: Damage) -> None:
    assert same(damage.of(packet))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_as_the_model_reads_them(data: bytes) -> None:
    assert same(data)
    for first in (b"\x45", b"\x4f", b"\x60"):
        assert same(first + data)


@settings(max_examples=500)
@given(st.binary(max_size=40), st.integers(0, 15), st.binary(max_size=20))
def test_any_options_are_read_as_the_model_reads_them(options: bytes, offset: int, payload: bytes) -> None:
    head = struct.pack("!HHIIBBHHH", 7000, 20_000, 5, 6, offset << 4, 16, 1000, 0, 0)
    data = head + options + payload
    packet = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(data), 0, 0, 64, 6, 0) + bytes(8) + data
    assert same(packet)
