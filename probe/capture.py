"""A packet capture on the vantage, by tcpdump: an account of the answers that owes nothing to the probe itself."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

from core.errors import VipchaosError
from core.inventory import Vip

_FILE = struct.Struct("<IHHiIII")
_PACKET = struct.Struct("<IIII")
NANOSECOND_MAGIC = 0xA1B23C4D
COOKED = 113  # LINKTYPE_LINUX_SLL, what `-i any` gives
COOKED_HEADER = 16


class CaptureError(VipchaosError):
    """A capture file cannot be read."""

    exit_code = 5


def command(path: Path, vip: Vip) -> list[str]:
    """Return the command that captures what the VIP answers, resets left out, into `path` until it is terminated."""
    answers = f"src host {vip.address} and tcp src port {vip.port} and tcp[13] & 4 == 0"
    return [
        "tcpdump",
        "-i",
        "any",
        "-y",
        "LINUX_SLL",
        "-n",
        "-p",
        "-Q",
        "in",
        "-s",
        "72",
        "-B",
        "16384",
        "-Z",
        "root",
        "--time-stamp-precision=nano",
        "-w",
        str(path),
        answers,
    ]


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
        tcp = at + COOKED_HEADER + (data[at + COOKED_HEADER] & 0x0F) * 4 if length > COOKED_HEADER else at + length
        if at + length > len(data) or tcp + 4 > at + length:
            break
        port = data[tcp + 2] << 8 | data[tcp + 3]
        found.setdefault(port, []).append(seconds * 1_000_000_000 + nanoseconds - wall_offset_ns)
        at += length
    return dict(found)
