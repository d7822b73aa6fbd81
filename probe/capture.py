"""A packet capture on the vantage, by tcpdump where it can run: an account of the answers beside the probe's own."""

from __future__ import annotations

import re
import signal
import socket
import struct
import sys
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

from core.errors import VipchaosError
from core.inventory import Address, Vip
from probe.filters import Filter
from probe.sockets import dropped, kernel_stamp, listener

_FILE = struct.Struct("<IHHiIII")
_PACKET = struct.Struct("<IIII")
_COOKED = struct.Struct("!HHH8sH")
_LOST = re.compile(r"(\d+) packets? dropped by kernel")
SNAP_BYTES = 72
RESET = 0x04
NANOSECOND_MAGIC = 0xA1B23C4D
COOKED = 113  # LINKTYPE_LINUX_SLL, what `-i any` gives
COOKED_HEADER = 16


class CaptureError(VipchaosError):
    """A capture file cannot be read."""

    exit_code = 5


def tool() -> str:
    """Return what captures here: tcpdump, or vipchaos itself where tcpdump cannot run.

    As root tcpdump changes its groups before it begins, which a user namespace of an ordinary user forbids
    (user_namespaces(7), "/proc/pid/setgroups").
    """
    try:
        groups = Path("/proc/self/setgroups").read_text().strip()
    except OSError:
        groups = "allow"
    return "tcpdump" if groups != "deny" else "vipchaos"


def command(path: Path, vip: Vip) -> list[str]:
    """Return the command that captures what the VIP answers, resets left out, into `path` until it is terminated."""
    if tool() != "tcpdump":
        return [sys.executable, "-m", "probe.capture", str(path), str(vip.address), str(vip.port)]
    flags = "tcp[13]" if vip.address.version == 4 else "ip6[53]"
    wanted = f"src host {vip.address} and tcp src port {vip.port} and {flags} & 4 == 0"
    form = ["-y", "LINUX_SLL", "--time-stamp-precision=nano", "-s", str(SNAP_BYTES), "-B", "16384"]
    # Immediate mode: what a ring buffer still held back at the end would be missing from the file.
    options = ["-i", "any", "-n", "-p", "-Q", "in", "-Z", "root", "--immediate-mode"]
    return ["tcpdump", *options, *form, "-w", str(path), wanted]


def capture(path: Path, address: Address, port: int) -> None:
    """Do what the command of tcpdump does, in the same file format, until SIGTERM. Raises PrivilegeError."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with listener(Filter(address, port, range(65_536))) as packets, path.open("wb") as file:
        file.write(_FILE.pack(NANOSECOND_MAGIC, 2, 4, 0, 0, SNAP_BYTES, COOKED))
        file.flush()
        try:
            while True:
                data, ancillary, _, (_, protocol, kind, hardware, source) = packets.recvmsg(65_535, 64)
                if not _is_answer(data, address, port):
                    continue
                stamp_ns = kernel_stamp(ancillary)
                link = _COOKED.pack(kind, hardware, len(source), source[:8], protocol)
                kept = link + data[: SNAP_BYTES - len(link)]
                file.write(_PACKET.pack(*divmod(stamp_ns, 1_000_000_000), len(kept), len(link) + len(data)) + kept)
        finally:
            file.flush()
            sys.stderr.write(f"{dropped(packets)} packets dropped by kernel\n")


def _tcp_at(packet: bytes) -> int:
    """Return where the TCP header of an IP packet begins."""
    return 40 if packet[0] >> 4 == 6 else (packet[0] & 0x0F) * 4


def _is_answer(data: bytes, address: Address, port: int) -> bool:
    tcp = _tcp_at(data)
    protocol, source = (data[9], data[12:16]) if address.version == 4 else (data[6], data[8:24])
    return (
        len(data) > tcp + 13
        and protocol == socket.IPPROTO_TCP
        and source == address.packed
        and int.from_bytes(data[tcp : tcp + 2], "big") == port
        and not data[tcp + 13] & RESET
    )


def lost(log: Path) -> int:
    """Return how many packets a capture says, in its log, that it lost; 0 where it says nothing."""
    found = _LOST.search(log.read_text(errors="replace")) if log.exists() else None
    return int(found[1]) if found else 0


def answers_by_port(path: Path, wall_offset_ns: int) -> dict[int, Sequence[int]]:
    """Return the instants of the captured answers, by the local port that they came to.

    `wall_offset_ns` is wall clock minus monotonic clock; the instants are on the monotonic clock. A packet that
    was cut off at the end of the file (the capture was killed) is left out. Raises CaptureError.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CaptureError(f"{path}: {error.strerror}") from error
    if len(data) < _FILE.size:
        raise CaptureError(f"{path}: is no packet capture")
    magic, _, _, _, _, _, link = _FILE.unpack_from(data)
    if magic != NANOSECOND_MAGIC or link != COOKED:
        raise CaptureError(f"{path}: is not a capture that vipchaos made (magic {magic:#x}, link type {link})")
    found: dict[int, list[int]] = {}
    at = _FILE.size
    while at + _PACKET.size <= len(data):
        seconds, nanoseconds, length, _ = _PACKET.unpack_from(data, at)
        at += _PACKET.size
        ip = at + COOKED_HEADER
        tcp = ip + _tcp_at(data[ip : ip + 1]) if length > COOKED_HEADER else at + length
        if at + length > len(data) or tcp + 4 > at + length:
            break
        port = data[tcp + 2] << 8 | data[tcp + 3]
        found.setdefault(port, []).append(seconds * 1_000_000_000 + nanoseconds - wall_offset_ns)
        at += length
    return dict(found)


if __name__ == "__main__":
    capture(Path(sys.argv[1]), ip_address(sys.argv[2]), int(sys.argv[3]))
