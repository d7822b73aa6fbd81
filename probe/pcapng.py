"""Packets as a pcapng file, by Scapy's writer: nanosecond stamps, directions, comments of packets and of the file."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

from scapy.data import DLT_RAW_ALT
from scapy.utils import RawPcapNgWriter

from probe.evidence import Packet

SECOND_NS = 1_000_000_000
_COMMENT, _RESOLUTION, _END = 1, 9, 0  # option codes of the pcapng format
_NANOSECONDS = b"\x09"  # ten to the power of minus nine
_INBOUND, _OUTBOUND = 1, 2
AT_ONCE = 20
"""So many packets between two pauses: some 0.2 ms of Python."""


class _Writer(RawPcapNgWriter):
    """Scapy's writer of IP packets without a link header, told to say that its stamps are nanoseconds."""

    def __init__(self, path: Path, about: str) -> None:
        super().__init__(str(path))
        self.linktype = DLT_RAW_ALT  # 101, LINKTYPE_RAW in files
        self.tsresol = SECOND_NS
        self._about = about.encode()

    def _option(self, code: int, value: bytes) -> bytes:
        return bytes(struct.pack(self.endian + "HH", code, len(value)) + self._add_padding(value))

    def _write_block_shb(self) -> None:
        body = self.endian_magic + struct.pack(self.endian + "HHq", 1, 0, -1)
        options = self._option(_COMMENT, self._about) + self._option(_END, b"")
        self.f.write(self.build_block(b"\x0a\x0d\x0d\x0a", body, options=options))

    def _write_block_idb(self, linktype: int, ifname: bytes | None = None) -> None:
        del ifname  # there is one
        body = struct.pack(self.endian + "HHI", linktype, 0, 0)
        options = self._option(_RESOLUTION, _NANOSECONDS) + self._option(_END, b"")
        self.f.write(self.build_block(struct.pack(self.endian + "I", 1), body, options=options))

    def put(self, packet: Packet, wall_offset_ns: int) -> None:
        """Write one packet."""
        data = packet.data[: packet.length]
        self._write_packet(
            data,
            self.linktype,
            sec=Fraction(packet.t_ns + wall_offset_ns, SECOND_NS),
            caplen=len(data),
            wirelen=max(packet.length, len(data)),
            direction=_OUTBOUND if packet.out else _INBOUND,
            comments=[packet.words.encode()] if packet.words else None,
        )


def write(path: Path, about: str, packets: Sequence[Packet], wall_offset_ns: int, pause: Callable[[], object]) -> int:
    """Write the file whole, by way of one beside it, and return its bytes; `pause` is called now and then.

    `wall_offset_ns` is wall clock minus the clock of the packets' instants. Raises OSError.
    """
    new = path.with_name(f".{path.name}.new")
    try:
        with _Writer(new, about) as writer:
            writer.write_header(None)
            for number, packet in enumerate(packets, 1):
                writer.put(packet, wall_offset_ns)
                if number % AT_ONCE == 0:
                    pause()
            writer.flush()
            os.fsync(writer.fileno())
        new.rename(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
    return path.stat().st_size
