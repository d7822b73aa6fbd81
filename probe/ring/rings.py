"""The memory-mapped rings of AF_PACKET (packet(7), TPACKET_V2): frames out, frames in, without a call for each.

The receiving one is bound to every interface and every protocol and ignores what goes out, so it sees a packet before
any nftables rule does; its frames are small, and what is longer comes whole by a copy in the socket's queue.
"""

from __future__ import annotations

import contextlib
import mmap
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import PrivilegeError
from probe.filters import Filter, attach
from probe.ring.held import Layout
from probe.sockets import wall_offset_ns

SOL_PACKET = 263
PACKET_RX_RING = 5
PACKET_STATISTICS = 6
PACKET_COPY_THRESH = 7
PACKET_VERSION = 10
PACKET_TX_RING = 13
PACKET_LOSS = 14
PACKET_QDISC_BYPASS = 20
PACKET_IGNORE_OUTGOING = 23
SO_TIMESTAMPNS = 35
SO_RCVBUFFORCE = 33
ETH_P_ALL = 3
TPACKET_V2 = 1
STATUS_AVAILABLE = 0
STATUS_SEND_REQUEST = 1
STATUS_WRONG_FORMAT = 4
STATUS_USER = 1
STATUS_COPY = 2
BLOCK = 1 << 16
TX_FRAME = 128
TX_DATA = 32  # tpacket2_hdr, aligned; the frame follows
RX_FRAME = 256
RX_NETWORK = 80  # where a SOCK_DGRAM ring puts the network header: aligned header and address, and 16 bytes
LONGEST = 65_535
COPIES = 4_096
LOOK = 1_024
LEAST_LOOK = 16
NO_LINK = "raw packets need CAP_NET_RAW: run as root, or grant the capability"


def packet_socket(kind: int, protocol: int) -> socket.socket:
    """Return an AF_PACKET socket. Raises PrivilegeError without CAP_NET_RAW."""
    try:
        return socket.socket(socket.AF_PACKET, kind, socket.htons(protocol) if protocol else 0)
    except PermissionError as error:
        raise PrivilegeError(NO_LINK) from error


def _map(packets: socket.socket, option: int, frame: int, frames: int) -> mmap.mmap:
    packets.setsockopt(SOL_PACKET, PACKET_VERSION, TPACKET_V2)
    packets.setsockopt(SOL_PACKET, option, struct.pack("IIII", BLOCK, frame * frames // BLOCK, frame, frames))
    return mmap.mmap(packets.fileno(), frame * frames, mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0))


class TxRing:
    """Sends whole frames. `room` gives rows to fill, `flush` makes the kernel send them; it never blocks."""

    def __init__(self, layout: Layout, frames: int) -> None:
        self._socket = packet_socket(socket.SOCK_RAW, 0)
        self._socket.setsockopt(SOL_PACKET, PACKET_LOSS, 1)
        with contextlib.suppress(OSError):
            self._socket.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)
        self._memory = _map(self._socket, PACKET_TX_RING, TX_FRAME, frames)
        rows = np.frombuffer(self._memory, np.uint8).reshape(frames, TX_FRAME)
        self._status = rows[:, :4].view(np.uint32).reshape(frames)
        self._data = rows[:, TX_DATA:]
        self._fields = rows.reshape(-1).view(layout.fields(TX_DATA, TX_FRAME))
        rows[:, 4:8].view(np.uint32)[:] = layout.length
        rows[:, 8:12].view(np.uint32)[:] = layout.length
        self._frames = frames
        self._head = 0
        self._address: tuple[str, int] | None = None
        self.refused = 0

    def use(self, interface: str) -> None:
        """Send through `interface` from now on."""
        self._address = (interface, 0)

    def room(self, count: int) -> Iterator[tuple[int, NDArray[np.uint8], NDArray[np.void]]]:
        """Yield (offset in the batch, rows of frame bytes, the same rows as fields) for `count` frames, in runs.

        Frames that the kernel has not sent yet are in the way: what finds no room is counted in `refused`.
        """
        done = 0
        while done < count:
            high = min(self._head + count - done, self._frames)
            busy = np.flatnonzero(self._status[self._head : high] != STATUS_AVAILABLE)
            free = int(busy[0]) if len(busy) else high - self._head
            if not free:
                self.refused += count - done
                return
            rows = slice(self._head, self._head + free)
            yield done, self._data[rows], self._fields[rows]
            self._status[rows] = STATUS_SEND_REQUEST
            self._head = rows.stop % self._frames
            done += free

    def flush(self) -> None:
        """Let the kernel send what was filled. What it refuses (interface down or gone) is counted."""
        if self._address is None:
            return
        try:
            self._socket.sendto(b"", socket.MSG_DONTWAIT, (self._address[0], ETH_P_ALL))
        except BlockingIOError:
            return
        except OSError:
            # The kernel stays at the frame that it could not send: what waits is given up from there on, so that
            # both go on at the same one. (Else it would send nothing until we had come round the whole ring.)
            waiting = self._status == STATUS_SEND_REQUEST
            count = int(np.count_nonzero(waiting))
            self._status[waiting] = STATUS_AVAILABLE
            self._head = (self._head - count) % self._frames
            self.refused += count

    def close(self) -> None:
        """Close the socket; the memory goes with the last view of it."""
        self._socket.close()


@dataclass(frozen=True, slots=True)
class Batch:
    """Frames that came: `rows` as bytes, their instants on the monotonic clock, and which came by a whole copy."""

    rows: NDArray[np.uint8]
    r_ns: NDArray[np.int64]
    copied: NDArray[np.bool_]


class RxRing:
    """Receives what a filter lets through, each packet stamped by the kernel when it came."""

    def __init__(self, wanted: Filter, frames: int) -> None:
        self._socket = packet_socket(socket.SOCK_DGRAM, ETH_P_ALL)
        attach(self._socket, wanted)
        self._socket.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._socket.setsockopt(SOL_PACKET, PACKET_COPY_THRESH, COPIES)
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
        self._memory = _map(self._socket, PACKET_RX_RING, RX_FRAME, frames)
        self._rows = np.frombuffer(self._memory, np.uint8).reshape(frames, RX_FRAME)
        self._status = self._rows[:, :4].view(np.uint32).reshape(frames)
        self._stamps = self._rows[:, 16:24].view(np.uint32)
        self._frames = frames
        self._head = 0
        self._came = 0
        while self.whole():
            pass  # what came before the filter was on and the ring was there

    def drain(self) -> Iterator[Batch]:
        """Yield what has come, in order; the rows are given back to the kernel when the next batch is asked for."""
        offset_ns = wall_offset_ns()
        left = self._frames
        # Each look touches a line of cold memory a frame: begin with about as many as came the last time.
        look, self._came = 2 * self._came + LEAST_LOOK, 0
        while left:
            high = min(self._frames, self._head + min(left, look))
            waiting = self._status[self._head : high] & STATUS_USER == 0
            ready = int(waiting.argmax()) if waiting.any() else high - self._head
            if not ready:
                return
            rows = slice(self._head, self._head + ready)
            stamps = self._stamps[rows]
            r_ns = stamps[:, 0].astype(np.int64) * 1_000_000_000 + stamps[:, 1] - offset_ns
            yield Batch(self._rows[rows], r_ns, self._status[rows] & STATUS_COPY != 0)
            self._status[rows] = STATUS_AVAILABLE
            self._head = rows.stop % self._frames
            left -= ready
            self._came += ready
            if rows.stop < high:
                return
            look = LOOK

    def whole(self) -> bytes:
        """Return the next packet that came by a whole copy; b'' when there is none."""
        try:
            return self._socket.recv(LONGEST, socket.MSG_DONTWAIT)
        except OSError:
            return b""

    def dropped(self) -> int:
        """Return how many packets found the ring full, since last asked."""
        return int(struct.unpack("II", self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1])

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
