"""The raw sockets of a vantage: one that sends whole IP packets, one that sees what comes back, with kernel stamps."""

from __future__ import annotations

import ctypes
import socket
import struct
import time
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address

from core.errors import PrivilegeError

ETH_P_IP = 0x0800
SOL_PACKET = 263
PACKET_STATISTICS = 6
SO_TIMESTAMPNS = 35
SO_ATTACH_FILTER = 26
RECEIVE_BUFFER_BYTES = 8 << 20
SO_RCVBUFFORCE = 33
LARGEST_PACKET = 65_535
_STAMP = struct.Struct("qq")
_BPF = struct.Struct("HBBI")


class PacketSockets:
    """Sends and receives IPv4 packets for TCP sessions from `ports` to `vip`:`port`.

    The kernel routes what is sent, so a changed next hop is followed. Raises PrivilegeError without CAP_NET_RAW.
    """

    def __init__(self, vip: IPv4Address, port: int, ports: range) -> None:
        self._in = listener(vip, port, ports)
        self._in.setblocking(False)
        self._out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self._out.setblocking(False)
        self._destination = (str(vip), 0)
        self.send_errors = 0
        for _ in self.drain():
            pass  # what came before the filter was on

    def send(self, packet: bytes) -> None:
        """Send one packet. What the kernel refuses (no route, full queue) is a lost packet and counted."""
        try:
            self._out.sendto(packet, self._destination)
        except OSError:
            self.send_errors += 1

    def drain(self) -> Iterator[tuple[int, bytes]]:
        """Yield (instant of reception on the monotonic clock in ns, packet) of all that has come."""
        offset_ns = time.time_ns() - time.monotonic_ns()
        receive = self._in.recvmsg
        while True:
            try:
                data, ancillary, _, _ = receive(LARGEST_PACKET, 64)
            except BlockingIOError:
                return
            except OSError:
                # ENETDOWN is told once when an interface goes; the socket goes on when it is back.
                return
            yield kernel_stamp(ancillary) - offset_ns, data

    def dropped(self) -> int:
        """Return how many packets the kernel dropped because the buffer was full, since the last call."""
        return dropped(self._in)

    def close(self) -> None:
        """Close both."""
        self._out.close()
        self._in.close()


def listener(vip: IPv4Address, port: int, ports: range) -> socket.socket:
    """Return a packet socket that sees TCP from `vip`:`port` to `ports`, and ICMP, each stamped by the kernel.

    What came before its filter was on is still in it. Raises PrivilegeError without CAP_NET_RAW.
    """
    try:
        found = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
    except PermissionError as error:
        raise PrivilegeError("raw packets need CAP_NET_RAW: run as root, or grant the capability") from error
    try:
        found.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES)
    except PermissionError:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    found.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    _attach(found, _filter(vip, port, ports))
    return found


def dropped(packets: socket.socket) -> int:
    """Return how many packets the kernel dropped because the buffer of a packet socket was full, since last asked."""
    return int(struct.unpack("II", packets.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1])


def kernel_stamp(ancillary: Iterable[tuple[int, int, bytes]]) -> int:
    """Return the wall-clock instant in ns at which the kernel received a packet; now, where it gave none."""
    for level, kind, value in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
            seconds, nanoseconds = _STAMP.unpack_from(value)
            return int(seconds) * 1_000_000_000 + int(nanoseconds)
    return time.time_ns()


def source_address(vip: IPv4Address) -> IPv4Address:
    """Return the address that the kernel sends from towards the VIP. Raises OSError without a route."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((str(vip), 9))
        return IPv4Address(probe.getsockname()[0])


def _filter(vip: IPv4Address, port: int, ports: range) -> list[tuple[int, int, int, int]]:
    """Return classic BPF (code, jump if true, jump if false, operand): TCP from the VIP to our ports, and ICMP."""
    load_byte, load_half, load_word, load_half_x, load_header = 0x30, 0x28, 0x20, 0x48, 0xB1
    equal, above, at_least, any_bit, give = 0x15, 0x25, 0x35, 0x45, 0x06
    return [
        (load_byte, 0, 0, 9),
        (equal, 1, 0, 6),
        (equal, 10, 11, 1),
        (load_word, 0, 0, 12),
        (equal, 0, 9, int(vip)),
        (load_half, 0, 0, 6),
        (any_bit, 7, 0, 0x1FFF),
        (load_header, 0, 0, 0),
        (load_half_x, 0, 0, 0),
        (equal, 0, 4, port),
        (load_half_x, 0, 0, 2),
        (at_least, 0, 2, ports.start),
        (above, 1, 0, ports.stop - 1),
        (give, 0, 0, LARGEST_PACKET),
        (give, 0, 0, 0),
    ]


def _attach(receiver: socket.socket, program: list[tuple[int, int, int, int]]) -> None:
    code = ctypes.create_string_buffer(b"".join(_BPF.pack(*instruction) for instruction in program))
    header = struct.pack("HL", len(program), ctypes.addressof(code))
    receiver.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, header)
