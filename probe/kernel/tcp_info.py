"""What the kernel tells of one of its connections: the fields of TCP_INFO (linux/tcp.h) that are used here."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

_INFO = struct.Struct("8B24I")
_PROBES, _UNACKED, _LAST_ACK_RECV, _RTT, _TOTAL_RETRANS = 3, 12, 20, 23, 31


@dataclass(frozen=True, slots=True)
class TcpInfo:
    """`probes`: keepalives in a row without an answer; `unacked`: segments that the far end has not acknowledged.

    `ack_age_ns`: since an acknowledgement came, in whole milliseconds; `rtt_ns`: smoothed, after the handshake just
    the handshake's; `retransmitted`: segments sent again, SYNs included.
    """

    probes: int
    unacked: int
    ack_age_ns: int
    rtt_ns: int
    retransmitted: int


def tcp_info(connection: socket.socket) -> TcpInfo:
    """Ask the kernel. Raises OSError for what is no TCP socket."""
    fields = _INFO.unpack(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO.size))
    return TcpInfo(
        fields[_PROBES],
        fields[_UNACKED],
        fields[_LAST_ACK_RECV] * 1_000_000,
        fields[_RTT] * 1_000,
        fields[_TOTAL_RETRANS],
    )
