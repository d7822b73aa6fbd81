"""Evidence files are whole, to the nanosecond, bounded in bytes, and read by tcpdump and Scapy."""

from __future__ import annotations

import errno
import subprocess
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from scapy.utils import RawPcapNgReader

from core.evidence import EvidenceWritten
from core.records import Note, Record
from core.tcp.segments import Flag, Segment
from probe import evidence_files, pcapng
from probe.evidence import Beat, Burst, Mark, Packet, Story
from probe.evidence_files import EvidenceFiles
from probe.wire import Template
from tests.waiting import wait_for

DATA = Template(IPv4Address("10.0.0.2"), IPv4Address("203.0.113.10"), 7000, syn=False).packet(
    40_000, Segment(7, 8, Flag.ACK, 1_000, b"x" * 300, 1, 2)
)
WALL_NS = 1_800_000_000_123_456_789


class Given:
    """Two packets to be told of."""

    def within(self, first_ns: int, last_ns: int) -> list[Packet]:
        assert (first_ns, last_ns) == (-95, 105)
        return [Packet(5, DATA[:52]), Packet(9, DATA)]


def burst(slot: int = 0) -> Burst:
    story = Story(slot, [Mark(5, out=False, words="here")], ["outage"], [Given()])
    return Burst([story], 3, 100, no_heartbeat)


def no_heartbeat(beat: Beat) -> bytes:
    raise AssertionError(beat)


def test_instants_directions_lengths_and_comments_come_back(tmp_path: Path) -> None:
    path = tmp_path / "x.pcapng"
    packets = [Packet(1, DATA[:256], words="grün"), Packet(2, DATA + b"trailer", out=True)]
    paused: list[int] = []
    size = pcapng.write(path, "about", packets * 20, WALL_NS, lambda: paused.append(1))
    assert size == path.stat().st_size
    assert len(paused) == 2
    with RawPcapNgReader(str(path)) as reader:
        found = list(reader)
    assert len(found) == 40
    for (data, meta), packet in zip(found, packets * 20, strict=True):
        assert data == packet.data[: len(DATA)]
        assert (meta.tshigh << 32) + meta.tslow == WALL_NS + packet.t_ns
        assert (meta.tsresol, meta.linktype, meta.wirelen) == (1_000_000_000, 101, len(DATA))
        assert meta.direction == (2 if packet.out else 1)
        assert meta.comments == ([packet.words.encode()] if packet.words else None)
    words = ["tcpdump", "-n", "--time-stamp-precision=nano", "-tt", "-r", str(path)]
    read = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(read) == 40
    assert read[0].startswith("1800000000.123456790 IP 10.0.0.2.40000 > 203.0.113.10.7000: Flags [.], seq 7:307")
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        pcapng.write(tmp_path / "x.pcapng", "about", [Packet(1, DATA)] * 30, 0, full)
    assert list(tmp_path.iterdir()) == []


def test_names_go_on_and_each_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "evidence").mkdir()
    (tmp_path / "evidence" / "v1-7.pcapng").write_bytes(b"old")
    (tmp_path / "evidence" / "v1-2-9.pcapng").write_bytes(b"of vantage v1-2")
    told: list[Record] = []
    files = EvidenceFiles(tmp_path / "v1.db", "v1", told.append)
    files.start()
    files.put(burst())
    files.stop()
    (record,) = told
    path = tmp_path / "evidence" / "v1-8.pcapng"
    assert record == EvidenceWritten(
        5, "v1", "evidence/v1-8.pcapng", ("outage",), 1, 2, path.stat().st_size, left_out_sessions=3
    )


def test_all_files_together_are_bounded_and_what_is_left_out_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence_files, "MOST_BYTES", 1_500)
    told: list[Record] = []
    files = EvidenceFiles(tmp_path / "v1.db", "v1", told.append)
    files.start()
    for number in range(6):
        files.put(burst())
        wait_for(lambda number=number: len(told) > min(number, 2))  # type: ignore[misc]
    files.stop()
    written = [record for record in told if isinstance(record, EvidenceWritten)]
    notes = [record.text for record in told if isinstance(record, Note)]
    assert sum(record.bytes for record in written) < 1_500 + written[-1].bytes
    assert 0 < len(written) < 6
    assert len(notes) == 2, "once, and the sum at the end"
    assert notes[1].startswith(f"no evidence of {4 * (6 - len(written))} sessions was written: the files of v1")


def test_a_full_queue_is_counted_in_the_next_file(tmp_path: Path) -> None:
    told: list[Record] = []
    files = EvidenceFiles(tmp_path / "v1.db", "v1", told.append)
    for _ in range(evidence_files.WAITING + 2):
        files.put(burst())
    files.start()
    files.stop()
    written = [record for record in told if isinstance(record, EvidenceWritten)]
    assert [record.left_out_sessions for record in written] == [3 + 8, 3, 3, 3]
