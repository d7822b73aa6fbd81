"""One connection on a non-blocking kernel socket: bytes out and in, with the kernel's receive stamps."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import ssl
import struct
import time

from core.inventory import Address, Vip
from core.records import DropCause
from probe.kernel.tcp_info import TcpInfo, tcp_info
from probe.sockets import SO_TIMESTAMPNS, kernel_stamp

DEAD_MS = 20_000
"""What the far end has not acknowledged for so long ends the session, ETIMEDOUT (RFC 5482, TCP_USER_TIMEOUT)."""
IP_BIND_ADDRESS_NO_PORT = 24
_NO_LINGER = struct.pack("ii", 1, 0)
_READ = 1 << 14
_STAMP_SPACE = socket.CMSG_SPACE(16)


class Link:
    """A connection to the VIP that is being opened. Closing it resets it, so that nothing of it stays anywhere.

    `keepalive` makes the kernel send keepalives, one a second, which is as often as it can. Raises OSError at once
    where there is no route, or no such source address here.
    """

    def __init__(self, vip: Vip, source: Address | None, *, keepalive: bool) -> None:
        family = socket.AF_INET if vip.address.version == 4 else socket.AF_INET6
        self.socket = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._unsent = b""
        try:
            self._set(keepalive=keepalive)
            if source is not None:
                with contextlib.suppress(OSError):
                    self.socket.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
                self.socket.bind((str(source), 0))
            _check(self.socket.connect_ex((str(vip.address), vip.port)))
        except OSError:
            self.socket.close()
            raise

    def _set(self, *, keepalive: bool) -> None:
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_MS)
        if keepalive:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)

    def connected(self) -> None:
        """Return when the handshake is done. Raises OSError with what became of it otherwise."""
        _check(self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))

    def local(self) -> tuple[str, int]:
        """Return the address and port that it comes from."""
        address, port = self.socket.getsockname()[:2]
        return str(address), int(port)

    def info(self) -> TcpInfo:
        """Return what the kernel tells of it."""
        return tcp_info(self.socket)

    def send(self, data: bytes) -> None:
        """Send, without waiting; what the kernel does not take goes with the next. Raises OSError when it is dead."""
        self._unsent += data
        with contextlib.suppress(BlockingIOError):
            self._unsent = self._unsent[self.socket.send(self._unsent) :]

    def receive(self) -> tuple[bytes, int] | None:
        """Return what has come and when (monotonic ns); b'' at the far end's FIN, None where nothing has.

        Raises OSError as the kernel tells it.
        """
        try:
            data, ancillary, _, _ = self.socket.recvmsg(_READ, _STAMP_SPACE)
        except BlockingIOError:
            return None
        age_ns = time.time_ns() - kernel_stamp(ancillary)
        return data, time.monotonic_ns() - max(0, age_ns)

    def close(self) -> None:
        """Reset the connection."""
        self.socket.close()


def _check(number: int) -> None:
    if number not in (0, errno.EINPROGRESS):
        raise OSError(number, os.strerror(number))


def cause_of(error: OSError) -> tuple[DropCause, str]:
    """Return what the kernel's error, or TLS's, says of the end of a session."""
    if isinstance(error, ssl.SSLError):
        return DropCause.FIN, f"TLS: {error.reason or error}"
    detail = error.strerror or str(error)
    if error.errno in (errno.ECONNRESET, errno.EPIPE, errno.ECONNREFUSED):
        return DropCause.RESET, detail
    return (DropCause.TIMEOUT if error.errno == errno.ETIMEDOUT else DropCause.ICMP), detail
