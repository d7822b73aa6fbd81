"""Packets as bytes: Scapy makes the templates, struct fills them in and reads what comes, however damaged.

A packet is a template with ports, numbers, stamps and payload patched in and its checksum added up from the
template's. The steady state does not come here: `probe.ring` builds and reads it in batches.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import ip_address

from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6

from core.inventory import Address
from core.tcp.segments import Flag, Segment

HEADER = {4: 20, 6: 40}
TCP_PROTOCOL = 6
ICMP_PROTOCOL = 1
ICMPV6_PROTOCOL = 58
UNREACHABLE = 3
TOO_BIG = 4  # unreachable's code that asks for smaller packets: no end of a path
ICMP_ERRORS = frozenset({3, 11})  # RFC 792: destination unreachable, time exceeded
ICMPV6_ERRORS = {1: 3, 3: 11}  # RFC 4443: the same two, by their numbers in ICMP
TCP_HEADER = 20
END_OF_OPTIONS, NO_OPERATION, TIMESTAMPS = 0, 1, 8
STAMP_OPTION = b"\x01\x01\x08\x0a"
DEFAULT_TTL = 64
_PORTS_SEQ_ACK = struct.Struct("!HHII")
_STAMPS = struct.Struct("!II")
_TCP = struct.Struct("!HHIIBBH")
_HALF = struct.Struct("!H")
_QUOTED = struct.Struct("!HHI")  # what RFC 792 promises of a quoted packet
QUOTED_TCP = _QUOTED.size
_ANSWER = struct.Struct("!HHIIBBHHH4sII")  # TCP header with exactly NOP NOP timestamps


class Template:
    """A TCP packet of one direction; `packet` returns it with the changing fields filled in.

    Without `stamps` twelve NOPs stand where the timestamps were, so that all packets are of one shape.
    """

    def __init__(self, source: Address, destination: Address, port: int, *, syn: bool, stamps: bool = True) -> None:
        options: list[tuple[str, object]] = [("NOP", None), ("NOP", None), ("Timestamp", (0, 0))]
        if not stamps:
            options = [("NOP", None)] * 12
        if syn:
            options = [*options, ("MSS", 1460 if source.version == 4 else 1440)]
        tcp = TCP(sport=0, dport=port, seq=0, ack=0, flags=0, window=0, options=options)
        if source.version == 4:
            layers = IP(src=str(source), dst=str(destination), id=0, flags="DF") / tcp
        else:
            layers = IPv6(src=str(source), dst=str(destination), hlim=DEFAULT_TTL) / tcp
        self._bytes = bytes(layers)
        self._version = source.version
        self._port = port
        self._stamps = stamps
        self._tcp = HEADER[source.version]
        # The checksum that Scapy computed, taken back into the plain sum that more words can be added to.
        self._sum = ~_HALF.unpack_from(self._bytes, self._tcp + 16)[0] & 0xFFFF

    def packet(self, source_port: int, segment: Segment, ttl: int = DEFAULT_TTL, mark: int = 0) -> bytes:
        """Return the packet of `segment` from `source_port`.

        `mark` is what an ICMP error about the packet will show again: the IP id in IPv4 (0 lets the kernel choose),
        the window in IPv6, which has no id.
        """
        buffer = bytearray(self._bytes)
        at = self._tcp
        window = segment.window
        if self._version == 4:
            buffer[8] = ttl
            _HALF.pack_into(buffer, 4, mark)
        else:
            buffer[7] = ttl
            window = mark or window
        seq, ack, flags, payload = segment.seq, segment.ack, int(segment.flags), segment.payload
        _PORTS_SEQ_ACK.pack_into(buffer, at, source_port, self._port, seq, ack)
        buffer[at + 13] = flags
        _HALF.pack_into(buffer, at + 14, window)
        total = self._sum + source_port + (seq >> 16) + (seq & 0xFFFF) + (ack >> 16) + (ack & 0xFFFF) + flags + window
        if self._stamps:
            tsval, tsecr = segment.tsval or 0, segment.tsecr or 0
            _STAMPS.pack_into(buffer, at + TCP_HEADER + len(STAMP_OPTION), tsval, tsecr)
            total += (tsval >> 16) + (tsval & 0xFFFF) + (tsecr >> 16) + (tsecr & 0xFFFF)
        if payload:
            padded = payload if len(payload) % 2 == 0 else payload + b"\0"
            # The pseudo header has the length of the segment in it.
            total += sum(struct.unpack(f"!{len(padded) // 2}H", padded)) + len(payload)
            buffer += payload
            length_at, counted = (2, len(buffer)) if self._version == 4 else (4, len(buffer) - at)
            _HALF.pack_into(buffer, length_at, counted)
        while total >> 16:
            total = (total & 0xFFFF) + (total >> 16)
        _HALF.pack_into(buffer, at + 16, ~total & 0xFFFF)
        if self._version == 4:
            _header_checksum(buffer)
        return bytes(buffer)


class Templates:
    """What packets from one source address to the VIP are made of."""

    def __init__(self, source: Address, vip: Address, port: int) -> None:
        self._syn = Template(source, vip, port, syn=True)
        self._other = Template(source, vip, port, syn=False)
        self._plain = Template(source, vip, port, syn=False, stamps=False)

    def packet(self, source_port: int, segment: Segment, ttl: int = DEFAULT_TTL, mark: int = 0) -> bytes:
        """See `Template.packet`; the segment tells which template it is."""
        template = self._syn if segment.flags & Flag.SYN else self._other
        if segment.tsval is None:
            template = self._plain
        return template.packet(source_port, segment, ttl, mark)


def _header_checksum(buffer: bytearray) -> None:
    """Put IPv4's header checksum (RFC 791) into a packet; a raw socket would, a ring does not."""
    _HALF.pack_into(buffer, 10, 0)
    total = sum(struct.unpack_from("!10H", buffer))
    total = (total & 0xFFFF) + (total >> 16)
    _HALF.pack_into(buffer, 10, ~(total + (total >> 16)) & 0xFFFF)


@dataclass(frozen=True, slots=True)
class Arrived:
    """A TCP segment from the VIP: the local address and port it came to, and what it says."""

    address: bytes
    port: int
    segment: Segment


@dataclass(frozen=True, slots=True)
class IcmpError:
    """An ICMP error: who sent it, ICMP's type and code; of the packet it quotes, addresses, ports, seq and mark."""

    router: Address
    type: int
    code: int
    address: bytes
    port: int
    mark: int
    to: bytes
    to_port: int
    seq: int


def parse(data: bytes) -> Arrived | IcmpError | None:
    """Return what an IP packet says, or None for one that is damaged, a fragment, or of no interest."""
    if len(data) < HEADER[4] + 8:
        return None
    if data[0] >> 4 == 6:
        return _parse_ipv6(data)
    header = (data[0] & 0x0F) * 4
    length = int.from_bytes(data[2:4], "big")
    if data[0] >> 4 != 4 or int.from_bytes(data[6:8], "big") & 0x3FFF:
        return None
    if header < HEADER[4] or not header < length <= len(data):
        return None
    if data[9] == TCP_PROTOCOL:
        return _parse_tcp(data, header, length)
    return _parse_icmp(data, header) if data[9] == ICMP_PROTOCOL else None


def _parse_ipv6(data: bytes) -> Arrived | IcmpError | None:
    header = HEADER[6]
    length = header + int.from_bytes(data[4:6], "big")
    if not header < length <= len(data):
        return None
    if data[6] == TCP_PROTOCOL:
        return _parse_tcp(data, header, length)
    return _parse_icmpv6(data, header) if data[6] == ICMPV6_PROTOCOL else None


def _parse_tcp(data: bytes, header: int, length: int) -> Arrived | None:
    address = data[16:20] if header < HEADER[6] or data[0] >> 4 == 4 else data[24:40]
    if length >= header + _ANSWER.size:
        _, port, seq, ack, offset, flags, window, _, _, option, tsval, tsecr = _ANSWER.unpack_from(data, header)
        if offset == 0x80 and option == STAMP_OPTION and not flags & 0x07:
            payload = data[header + _ANSWER.size : length]
            return Arrived(address, port, Segment(seq, ack, Flag(flags & 0x1F), window, payload, tsval, tsecr))
    return _read_tcp(data[header:length], address)


def _read_tcp(data: bytes, address: bytes) -> Arrived | None:
    """The unusual: handshakes, resets, other options."""
    if len(data) < TCP_HEADER:
        return None
    _, port, seq, ack, offset, flags, window = _TCP.unpack_from(data)
    header = (offset >> 4) * 4
    if not TCP_HEADER <= header <= len(data):
        return None
    tsval, tsecr = _stamps(data[TCP_HEADER:header])
    return Arrived(address, port, Segment(seq, ack, Flag(flags & 0x1F), window, data[header:], tsval, tsecr))


def _stamps(options: bytes) -> tuple[int, int] | tuple[None, None]:
    """Return the timestamps in a list of options, which ends at the first that is damaged (RFC 9293 section 3.1)."""
    at = 0
    while at < len(options) and options[at] != END_OF_OPTIONS:
        if options[at] == NO_OPERATION:
            at += 1
            continue
        length = options[at + 1] if at + 1 < len(options) else 0
        if length < 2 or at + length > len(options):
            break
        if options[at] == TIMESTAMPS and length == 2 + _STAMPS.size:
            tsval, tsecr = _STAMPS.unpack_from(options, at + 2)
            return tsval, tsecr
        at += length
    return None, None


def _parse_icmp(data: bytes, header: int) -> IcmpError | None:
    """RFC 792: type, code, and of the packet in question the IP header and at least eight bytes."""
    quoted = header + 8
    if len(data) < quoted + HEADER[4] + QUOTED_TCP or data[header] not in ICMP_ERRORS:
        return None
    kind, code = data[header], data[header + 1]
    tcp = quoted + (data[quoted] & 0x0F) * 4
    if data[quoted] >> 4 != 4 or tcp < quoted + HEADER[4] or len(data) < tcp + QUOTED_TCP:
        return None
    if data[quoted + 9] != TCP_PROTOCOL or (kind == UNREACHABLE and code == TOO_BIG):
        return None
    port, to_port, seq = _QUOTED.unpack_from(data, tcp)
    mark = int.from_bytes(data[quoted + 4 : quoted + 6], "big")
    source, to = data[quoted + 12 : quoted + 16], data[quoted + 16 : quoted + 20]
    return IcmpError(ip_address(data[12:16]), kind, code, source, port, mark, to, to_port, seq)


def _parse_icmpv6(data: bytes, header: int) -> IcmpError | None:
    """RFC 4443: as much of the packet in question as fits, so its TCP header too."""
    quoted = header + 8
    tcp = quoted + HEADER[6]
    if len(data) < tcp + 16 or data[quoted] >> 4 != 6 or data[quoted + 6] != TCP_PROTOCOL:
        return None
    kind = ICMPV6_ERRORS.get(data[header])
    if kind is None:
        return None
    port, to_port, seq = _QUOTED.unpack_from(data, tcp)
    mark = int.from_bytes(data[tcp + 14 : tcp + 16], "big")
    source, to = data[quoted + 8 : quoted + 24], data[quoted + 24 : quoted + 40]
    return IcmpError(ip_address(data[8:24]), kind, data[header + 1], source, port, mark, to, to_port, seq)
