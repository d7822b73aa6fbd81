"""Packets as bytes: as Scapy makes them, read back as they were, and nothing from outside is ever a fault."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6TimeExceeded, IPv6

from core.tcp.segments import Flag, Segment
from probe.wire import Arrived, IcmpError, Template, parse

HERE6, VIP6 = IPv6Address("2001:db8::2"), IPv6Address("2001:db8:1::10")
HERE, VIP, PORT = IPv4Address("10.0.0.2"), IPv4Address("203.0.113.10"), 7000
words = st.integers(0, 0xFFFFFFFF)
segments = st.builds(
    Segment,
    seq=words,
    ack=words,
    flags=st.sampled_from([Flag.ACK, Flag.ACK | Flag.PSH, Flag.FIN | Flag.ACK, Flag.RST | Flag.ACK]),
    window=st.integers(0, 0xFFFF),
    payload=st.binary(max_size=40),
    tsval=words,
    tsecr=words,
)


def recomputed(packet: bytes) -> bytes:
    """The packet with length and checksum as Scapy computes them."""
    dissected = IP(packet)
    del dissected[TCP].chksum, dissected.len, dissected.chksum
    return bytes(dissected)


@given(segments, st.integers(1, 0xFFFF), st.integers(1, 255), st.integers(1, 0xFFFF))
def test_a_packet_is_what_scapy_makes(segment: Segment, port: int, ttl: int, ip_id: int) -> None:
    packet = Template(HERE, VIP, PORT, syn=False).packet(port, segment, ttl, ip_id)
    whole = recomputed(packet)
    assert packet == whole
    dissected = IP(packet)
    assert (dissected.src, dissected.dst, dissected.ttl, dissected.id) == (str(HERE), str(VIP), ttl, ip_id)
    assert (dissected[TCP].sport, dissected[TCP].dport, dissected[TCP].seq) == (port, PORT, segment.seq)


@given(segments, st.integers(1, 0xFFFF), st.integers(1, 255), st.integers(1, 0xFFFF), st.booleans())
def test_a_packet_of_ipv6_is_what_scapy_makes(segment: Segment, port: int, hops: int, mark: int, stamps: bool) -> None:
    if not stamps:
        segment = replace(segment, tsval=None, tsecr=None)
    packet = Template(HERE6, VIP6, port, syn=False, stamps=stamps).packet(PORT, segment, hops, mark)
    dissected = IPv6(packet)
    del dissected[TCP].chksum, dissected.plen
    assert packet == bytes(dissected)
    assert (dissected.src, dissected.dst, dissected.hlim) == (str(HERE6), str(VIP6), hops)
    # Read from the other side, as above; the mark stands where the window was.
    assert parse(packet) == Arrived(VIP6.packed, port, replace(segment, window=mark))


@given(segments, st.integers(1, 0xFFFF), st.binary(max_size=8))
def test_what_was_made_is_read_back(segment: Segment, port: int, padding: bytes) -> None:
    # Read from the other side: our own port is where it came to. Frames may be padded at the end.
    packet = recomputed(Template(VIP, HERE, port, syn=False).packet(PORT, segment))
    assert parse(packet + padding) == Arrived(HERE.packed, port, segment)


def test_a_syn_ack_with_many_options() -> None:
    options = [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (9, 7)), ("NOP", None), ("WScale", 7)]
    packet = bytes(IP(src=str(VIP), dst=str(HERE)) / TCP(sport=PORT, dport=20_000, flags="SA", seq=5, options=options))
    found = parse(packet)
    assert isinstance(found, Arrived)
    assert found.segment.flags == Flag.SYN | Flag.ACK
    assert (found.segment.tsval, found.segment.tsecr) == (9, 7)


def test_an_icmp_error_names_the_flow() -> None:
    quoted = IP(src=str(HERE), dst=str(VIP), id=77) / TCP(sport=20_001, dport=PORT, seq=9)
    packet = bytes(IP(src="10.0.0.1", dst=str(HERE)) / ICMP(type=11, code=0) / bytes(quoted)[:28])
    assert parse(packet) == IcmpError(IPv4Address("10.0.0.1"), 11, 0, HERE.packed, 20_001, 77, VIP.packed, PORT, 9)
    echo = bytes(IP(src="10.0.0.1", dst=str(HERE)) / ICMP(type=8) / bytes(quoted)[:28])
    assert parse(echo) is None
    for short in range(len(packet)):
        assert parse(packet[:short]) is None
    too_big = bytes(IP(src="10.0.0.1", dst=str(HERE)) / ICMP(type=3, code=4) / bytes(quoted)[:28])
    assert parse(too_big) is None
    about_udp = bytes(IP(src="10.0.0.1", dst=str(HERE)) / ICMP(type=11) / IP(src=str(HERE), dst=str(VIP)) / UDP())
    assert parse(about_udp) is None


def test_an_icmpv6_error_names_the_flow() -> None:
    quoted = IPv6(src=str(HERE6), dst=str(VIP6)) / TCP(sport=20_001, dport=PORT, window=77, seq=9)
    packet = bytes(IPv6(src="2001:db8::1", dst=str(HERE6)) / ICMPv6TimeExceeded() / quoted)
    assert parse(packet) == IcmpError(IPv6Address("2001:db8::1"), 11, 0, HERE6.packed, 20_001, 77, VIP6.packed, PORT, 9)
    assert parse(packet[:70]) is None


def test_fragments_and_other_protocols_are_left_alone() -> None:
    packet = IP(src=str(VIP), dst=str(HERE)) / TCP(sport=PORT, dport=20_000)
    assert parse(bytes(packet)) is not None
    assert parse(bytes(IP(bytes(packet), frag=3))) is not None  # parsed anew: frag is not in the bytes
    fragment = IP(bytes(packet))
    fragment.frag = 3
    assert parse(bytes(fragment)) is None
    assert parse(bytes(IP(src=str(VIP), dst=str(HERE)) / UDP())) is None


@given(st.binary(max_size=120))
def test_any_bytes_are_read_or_left(data: bytes) -> None:
    assert isinstance(parse(data), Arrived | IcmpError | None)


@given(st.integers(0, 0xFF), st.binary(min_size=28, max_size=120), st.sampled_from([1, 6, 58]))
def test_any_bytes_after_a_plausible_header_are_read_or_left(first: int, data: bytes, protocol: int) -> None:
    damaged = bytearray(data)
    damaged[0] = first
    for length in (len(data), (first & 0xF) * 4 + 1):
        for packet in (damaged[:length], damaged):
            packet[2:4] = packet[4:6] = length.to_bytes(2, "big")
            packet[6:10] = bytes([protocol, 0, 0, protocol])
            assert isinstance(parse(bytes(packet)), Arrived | IcmpError | None)


@given(segments, st.integers(0, 75), st.integers(0, 255))
def test_a_damaged_packet_is_read_or_left(segment: Segment, at: int, value: int) -> None:
    packet = bytearray(recomputed(Template(VIP, HERE, 20_000, syn=False).packet(PORT, segment)))
    packet[min(at, len(packet) - 1)] = value
    assert isinstance(parse(bytes(packet)), Arrived | IcmpError | None)
    assert isinstance(parse(bytes(packet[: at + 1])), Arrived | IcmpError | None)
