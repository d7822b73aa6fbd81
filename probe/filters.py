"""Which packets a packet socket lets through: classic BPF for TCP from the VIP to the probe's ports, and for ICMP."""

from __future__ import annotations

import ctypes
import socket
import struct
from dataclasses import dataclass

from core.inventory import Address

SO_ATTACH_FILTER = 26
ETH_P_IP = 0x0800
ETH_P_IPV6 = 0x86DD
LONGEST = 65_535
_BPF = struct.Struct("HBBI")
_LOAD_BYTE, _LOAD_HALF, _LOAD_WORD, _LOAD_HALF_X, _LOAD_HEADER = 0x30, 0x28, 0x20, 0x48, 0xB1
_EQUAL, _ABOVE, _AT_LEAST, _ANY_BIT, _GIVE = 0x15, 0x25, 0x35, 0x45, 0x06
_PROTOCOL = 0xFFFFF000  # SKF_AD_OFF + SKF_AD_PROTOCOL: the EtherType, whatever VLAN tag was stripped

Step = tuple[int, int, str, str]
"""One instruction: code, operand, and where to go when it holds and when not ('' is the next one)."""


@dataclass(frozen=True, slots=True)
class Filter:
    """TCP from `vip`:`port` to `ports`, and every ICMP packet of the VIP's family."""

    vip: Address
    port: int
    ports: range


def program(wanted: Filter) -> bytes:
    """Return the filter as instructions for a socket whose packets begin at the network header."""
    steps = _ipv4(wanted) if wanted.vip.version == 4 else _ipv6(wanted)
    ends = {"take": len(steps), "leave": len(steps) + 1}
    code = b""
    for number, (operation, operand, holds, fails) in enumerate(steps):
        jumps = [0 if not label else ends[label] - number - 1 for label in (holds, fails)]
        code += _BPF.pack(operation, *jumps, operand)
    return code + _BPF.pack(_GIVE, 0, 0, LONGEST) + _BPF.pack(_GIVE, 0, 0, 0)


def _ipv4(wanted: Filter) -> list[Step]:
    return [
        (_LOAD_HALF, _PROTOCOL, "", ""),
        (_EQUAL, ETH_P_IP, "", "leave"),
        (_LOAD_BYTE, 9, "", ""),
        (_EQUAL, socket.IPPROTO_ICMP, "take", ""),
        (_EQUAL, socket.IPPROTO_TCP, "", "leave"),
        (_LOAD_WORD, 12, "", ""),
        (_EQUAL, int(wanted.vip), "", "leave"),
        (_LOAD_HALF, 6, "", ""),
        (_ANY_BIT, 0x1FFF, "leave", ""),  # a fragment but the first has no ports
        (_LOAD_HEADER, 0, "", ""),
        (_LOAD_HALF_X, 0, "", ""),
        (_EQUAL, wanted.port, "", "leave"),
        (_LOAD_HALF_X, 2, "", ""),
        (_AT_LEAST, wanted.ports.start, "", "leave"),
        (_ABOVE, wanted.ports.stop - 1, "leave", "take"),
    ]


def _ipv6(wanted: Filter) -> list[Step]:
    words = struct.unpack("!4I", wanted.vip.packed)
    source: list[Step] = []
    for number, word in enumerate(words):
        source += [(_LOAD_WORD, 8 + 4 * number, "", ""), (_EQUAL, word, "", "leave")]
    return [
        (_LOAD_HALF, _PROTOCOL, "", ""),
        (_EQUAL, ETH_P_IPV6, "", "leave"),
        (_LOAD_BYTE, 6, "", ""),
        (_EQUAL, socket.IPPROTO_ICMPV6, "take", ""),
        (_EQUAL, socket.IPPROTO_TCP, "", "leave"),
        *source,
        (_LOAD_HALF, 40, "", ""),
        (_EQUAL, wanted.port, "", "leave"),
        (_LOAD_HALF, 42, "", ""),
        (_AT_LEAST, wanted.ports.start, "", "leave"),
        (_ABOVE, wanted.ports.stop - 1, "leave", "take"),
    ]


def attach(receiver: socket.socket, wanted: Filter) -> None:
    """Let the kernel give `receiver` nothing else."""
    instructions = program(wanted)
    code = ctypes.create_string_buffer(instructions)
    header = struct.pack("HL", len(instructions) // _BPF.size, ctypes.addressof(code))
    receiver.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, header)
