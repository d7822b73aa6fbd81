"""Packets made by hand, put on a network by raw sockets: `python -m tests.probe.forge`, in the namespace of the forger.

Commands: `see VIP PORT COUNT` prints the numbers of so many sessions as JSON, once a heartbeat and an answer of each
have passed by; `ip` sends the IP packets that standard input has as lines of hex; `frames INTERFACE` sends frames;
`relay VIP FROM TO ETHERNET` sends what the VIP answers on FROM out of TO as well, tagged for a VLAN.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
from dataclasses import asdict, dataclass
from ipaddress import ip_address

from core.inventory import Address
from core.tcp.segments import Flag, Segment
from probe.wire import Template

ETH_P_ALL = 3
VLAN = 5
PORTS = range(20_000, 21_000)


@dataclass(frozen=True)
class Session:
    """A held session: the client's address and port, the next number of each side, the VIP's newest stamp, its echo."""

    client: str
    port: int
    una: int = 0
    rcv: int = 0
    tsval: int = 0
    tsecr: int = 0


def forged(vip: str, port: int, session: Session, segment: Segment) -> str:
    """Return a packet from the VIP to the session, as hex."""
    template = Template(ip_address(vip), ip_address(session.client), session.port, syn=bool(segment.flags & Flag.SYN))
    return template.packet(port, segment).hex()


def unreachable(router: str, vip: str, port: int, session: Session, seq: int, *, kind: int = 3, code: int = 3) -> str:
    """Return an ICMP error about a packet of the session that had the number `seq`, as hex."""
    source, target = ip_address(session.client).packed, ip_address(vip).packed
    quoted = struct.pack("!BBHHHBBH", 0x45, 0, 52, 1, 0, 1, 6, 0) + source + target
    quoted += struct.pack("!HHI", session.port, port, seq % (1 << 32))
    body = bytes([kind, code, 0, 0, 0, 0, 0, 0]) + quoted
    body = body[:2] + _sum(body).to_bytes(2, "big") + body[4:]
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0, 64, 1, 0) + ip_address(router).packed + source
    return (head[:10] + _sum(head).to_bytes(2, "big") + head[12:] + body).hex()


def _sum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def see(vip: Address, port: int, count: int) -> None:
    """Print `count` sessions whose heartbeat and answer have passed by."""
    found: dict[int, Session] = {}
    beats: dict[int, tuple[int, int]] = {}
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL)) as passing:
        while len(found) < count:
            packet = passing.recv(65_535)
            if len(packet) < 52 or packet[0] != 0x45 or packet[9] != 6 or packet[33] & 7 or packet[32] != 0x80:
                continue
            sport, dport, seq, ack = struct.unpack_from("!HHII", packet, 20)
            tsval, tsecr = struct.unpack_from("!II", packet, 44)
            if packet[16:20] == vip.packed and dport == port and len(packet) == 53 and sport in PORTS:
                beats[sport] = ((seq + 1) % (1 << 32), ack)
            elif packet[12:16] == vip.packed and sport == port and dport in beats:
                client = socket.inet_ntoa(packet[16:20])
                found[dport] = Session(client, dport, *beats[dport], tsval, tsecr)
    print(json.dumps([asdict(session) for session in found.values()]))  # noqa: T201


def send(family: int, interface: str = "") -> None:
    """Send the lines of standard input."""
    raw = (socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    with socket.socket(*(raw if family == socket.AF_INET else (socket.AF_PACKET, socket.SOCK_RAW))) as out:
        if interface:
            out.bind((interface, 0))
        for line in sys.stdin:
            packet = bytes.fromhex(line)
            if interface:
                out.send(packet)
            else:
                out.sendto(packet, (socket.inet_ntoa(packet[16:20]), 0))


def relay(vip: Address, arriving: str, leaving: str, ethernet: bytes) -> None:
    """Send what the VIP sends, as it arrives on one interface, out of the other with an 802.1Q tag, until killed."""
    with (
        socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL)) as inside,
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as out,
    ):
        inside.bind((arriving, ETH_P_ALL))
        out.bind((leaving, 0))
        tag = struct.pack("!HHH", 0x8100, VLAN, 0x0800)
        while True:
            packet, (_, protocol, kind, _, _) = inside.recvfrom(65_535)
            if protocol == 0x0800 and kind != socket.PACKET_OUTGOING and packet[12:16] == vip.packed:
                out.send(ethernet + tag + packet)


if __name__ == "__main__":
    command, *words = sys.argv[1:]
    if command == "see":
        see(ip_address(words[0]), int(words[1]), int(words[2]))
    elif command == "ip":
        send(socket.AF_INET)
    elif command == "frames":
        send(socket.AF_PACKET, words[0])
    elif command == "relay":
        relay(ip_address(words[0]), words[1], words[2], bytes.fromhex(words[3]))
