"""Packet sockets that are no ring: one sends IP packets by the kernel's routes, one listens, with kernel stamps."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Iterable
from ipaddress import ip_address

from core.errors import PrivilegeError
from core.inventory import Address
from probe.filters import ETH_P_IP, ETH_P_IPV6, Filter, attach

SOL_PACKET = 263
PACKET_STATISTICS = 6
SO_TIMESTAMPNS = 35
RECEIVE_BUFFER_BYTES = 8 << 20
SO_RCVBUFFORCE = 33
_STAMP = struct.Struct("qq")
MOST_LOOKS = 5
LONG_LOOK_NS = 20_000
"""A look at two clocks that takes longer was interrupted between them."""


class RawSender:
    """Sends IP packets to the VIP by the kernel's routes and neighbours, which it so keeps fresh.

    Raises PrivilegeError without CAP_NET_RAW. What the kernel refuses (no route, full queue) is counted in `refused`.
    """

    def __init__(self, vip: Address) -> None:
        family = socket.AF_INET if vip.version == 4 else socket.AF_INET6
        try:
            self._socket = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
        except PermissionError as error:
            raise PrivilegeError("raw packets need CAP_NET_RAW: run as root, or grant the capability") from error
        self._socket.setblocking(False)
        self._destination = (str(vip), 0) if vip.version == 4 else (str(vip), 0, 0, 0)
        self.refused = 0

    def send(self, packet: bytes) -> None:
        """Send one packet."""
        try:
            self._socket.sendto(packet, self._destination)
        except OSError:
            self.refused += 1

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def listener(wanted: Filter) -> socket.socket:
    """Return a packet socket that gives what `wanted` lets through, each packet stamped by the kernel.

    What came before its filter was on is still in it. Raises PrivilegeError without CAP_NET_RAW.
    """
    protocol = ETH_P_IP if wanted.vip.version == 4 else ETH_P_IPV6
    try:
        found = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(protocol))
    except PermissionError as error:
        raise PrivilegeError("raw packets need CAP_NET_RAW: run as root, or grant the capability") from error
    found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    with contextlib.suppress(PermissionError):
        found.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES)
    found.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    attach(found, wanted)
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


def source_address(vip: Address) -> Address:
    """Return the address that the kernel sends from towards the VIP. Raises OSError without a route."""
    family = socket.AF_INET if vip.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((str(vip), 9))
        return ip_address(probe.getsockname()[0])


def wall_offset_ns() -> int:
    """Return the wall clock minus the monotonic one, now; of a few looks the one that took the shortest."""
    looks = []
    for _ in range(MOST_LOOKS):
        before_ns, wall_ns, after_ns = time.monotonic_ns(), time.time_ns(), time.monotonic_ns()
        looks.append((after_ns - before_ns, wall_ns - (before_ns + after_ns) // 2))
        if looks[-1][0] < LONG_LOOK_NS:
            break
    return min(looks)[1]
