"""Evidence on a real network: what a file holds beside what tcpdump captured at the same place and what was done."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from scapy.layers.inet import IP, TCP
from scapy.utils import PcapNgReader, RawPcapReader

from core.evidence import EvidenceWritten
from core.records import Drop, Opened, OutageBegan, OutageEnded, ProbeHealth, ProbeStarted
from tests.probe.conftest import INVENTORY, VIP, Agent, Network, start_agent
from tests.waiting import wait_for

LATER_NS = 20_000_000
"""How much later than its batch's instant a heartbeat may have left on a machine that does other things too."""


@dataclass(frozen=True)
class Seen:
    """A TCP packet in a file: its wall-clock instant, and what it says."""

    t_ns: int
    numbers: tuple[str, int, int, int, str]
    stamps: tuple[int, int]
    words: str


def packets(path: Path) -> list[Seen]:
    """Read an evidence file by Scapy's reader."""
    found = []
    with PcapNgReader(str(path)) as reader:
        for packet in reader:
            if TCP not in packet:
                continue
            words = "\n".join(comment.decode() for comment in packet.comments or [])
            found.append(seen(round(packet.time * 1_000_000_000), packet, words))
    return found


def seen(t_ns: int, packet: IP, words: str = "") -> Seen:
    tcp = packet[TCP]
    stamps = next((value for name, value in tcp.options if name == "Timestamp"), (0, 0))
    numbers = (packet[IP].src, tcp.sport, tcp.dport, tcp.seq, str(tcp.flags))
    return Seen(t_ns, numbers, stamps, words)


def captured(path: Path) -> list[Seen]:
    """Read a capture that tcpdump made."""
    found = []
    with RawPcapReader(str(path)) as reader:
        for data, meta in reader:
            packet = IP(data[14:])
            if TCP in packet:
                found.append(seen(meta.sec * 1_000_000_000 + meta.usec, packet))
    return found


def sniff(network: Network, path: Path) -> subprocess.Popen[bytes]:
    """Capture both directions at the other end of the client's link until terminated.

    The client itself shows a capture no heartbeat: the ring passes the queue by (PACKET_QDISC_BYPASS).
    """
    form = ["--time-stamp-precision=nano", "-s", "256", "-B", "16384", "-w", str(path)]
    words = ["tcpdump", "-i", "10-77-1", "-n", "-p", "-Z", "root", "--immediate-mode", *form]
    sniffer = network.start(network.node, *words, f"host {VIP}")
    wait_for(lambda: path.exists() and path.stat().st_size > 24)
    return sniffer


def written(agent: Agent) -> list[EvidenceWritten]:
    return [record for record in agent.of(EvidenceWritten) if isinstance(record, EvidenceWritten)]


def slots(agent: Agent, kind: type[OutageBegan | OutageEnded | Drop]) -> set[int]:
    return {r.slot for r in agent.of(kind) if isinstance(r, OutageBegan | OutageEnded | Drop) and r.slot >= 0}


def test_a_file_holds_what_was_sent_and_answered_around_an_outage(
    network: Network, agent: Agent, tmp_path: Path
) -> None:
    capture = tmp_path / "both.pcap"
    sniffer = sniff(network, capture)
    wait_for(lambda: capture.stat().st_size > 300_000)  # more than the file will hold of what was before
    network.drop(f"ip daddr {VIP}")
    wait_for(lambda: len(slots(agent, OutageBegan)) == 25)
    network.drop("")
    wait_for(lambda: written(agent))
    sniffer.terminate()
    sniffer.wait(5)
    agent.stop()
    record, *_ = written(agent)
    assert (record.vantage, record.sessions, record.left_out_sessions) == ("v1", 25, 0)
    assert record.events == ("outage",)
    path = tmp_path / record.path
    assert path == tmp_path / "evidence" / "v1-1.pcapng"
    assert path.stat().st_size == record.bytes < 1_100_000
    found = packets(path)
    assert len(found) <= record.packets
    assert [packet.t_ns for packet in found] == sorted(packet.t_ns for packet in found)
    assert_told(agent, found)
    assert_as_captured(found, captured(capture))


def assert_told(agent: Agent, found: list[Seen]) -> None:
    """Before and after each outage there is a heartbeat and its answer, and the words say so."""
    outages = [r for r in agent.of(OutageEnded) if isinstance(r, OutageEnded) and r.slot >= 0 and not r.self_inflicted]
    assert {outage.slot for outage in outages} == set(range(25))
    for slot in range(25):
        outage = max((o for o in outages if o.slot == slot), key=lambda o: o.r_b_ns - o.r_a_ns)
        said = f"v1-{slot}-0: outage; the "
        (before,) = [p for p in found if said + "last answer before it" in p.words and near(agent, p, outage.r_a_ns)]
        (after,) = [p for p in found if said + "first answer after it" in p.words and near(agent, p, outage.r_b_ns)]
        assert after.t_ns - before.t_ns == outage.r_b_ns - outage.r_a_ns, "to the nanosecond"
        port = after.numbers[2]
        # A trace's copies carry the attempt that was answered last, after it.
        beats = {p.stamps[0]: p for p in reversed(found) if p.numbers[1] == port}
        assert said + "last heartbeat that was answered before it" in beats[before.stamps[1]].words
        assert said + "first heartbeat that was answered after it" in beats[after.stamps[1]].words
        gap = [attempt for attempt in beats if before.stamps[1] < attempt < after.stamps[1]]
        assert len(gap) == outage.lost
        assert not [p for p in found if p.numbers[2] == port and before.t_ns < p.t_ns < after.t_ns]


def near(agent: Agent, packet: Seen, t_ns: int) -> bool:
    """Whether a packet's wall-clock instant is the journal's monotonic one."""
    started = next(record for record in agent.of(ProbeStarted) if isinstance(record, ProbeStarted))
    return abs(packet.t_ns - started.wall_ns + started.t_ns - t_ns) < 1_000_000


def assert_as_captured(found: list[Seen], truth: list[Seen]) -> None:
    """Every packet of the file is in the capture, at its instant; and every one of the capture is in the file."""
    instants: dict[tuple[object, object], list[int]] = {}
    for packet in truth:
        instants.setdefault((packet.numbers, packet.stamps), []).append(packet.t_ns)
    rebuilt = [packet for packet in found if "rebuilt from its template" in packet.words]
    assert len(rebuilt) > 25 * 20
    for packet in found:
        there = instants[packet.numbers, packet.stamps]
        late_ns = min(there, key=lambda t_ns: abs(t_ns - packet.t_ns)) - packet.t_ns
        if packet.numbers[0] == VIP:
            assert abs(late_ns) < 1_000_000, packet
        else:
            assert -1_000_000 < late_ns < LATER_NS, packet
    for port in {packet.numbers[1] for packet in rebuilt}:
        mine = [packet for packet in found if port in packet.numbers[1:3]]
        first_ns, last_ns = mine[0].t_ns + LATER_NS, mine[-1].t_ns - LATER_NS
        here = {(packet.numbers, packet.stamps) for packet in mine}
        missing = [p for p in truth if port in p.numbers[1:3] and first_ns < p.t_ns < last_ns]
        assert {(packet.numbers, packet.stamps) for packet in missing} <= here


def test_the_reset_that_ended_a_session_is_in_the_file(network: Network, agent: Agent, tmp_path: Path) -> None:
    reflector = network.processes[0]
    reflector.kill()
    reflector.wait()
    wait_for(lambda: len(slots(agent, Drop)) == 25)
    agent.stop()
    drops = {r.session: r for r in agent.of(Drop) if isinstance(r, Drop) and r.slot >= 0}
    found = [packet for record in written(agent) for packet in packets(tmp_path / record.path)]
    assert {event for record in written(agent) for event in record.events} & {"drop by reset", "drop by fin"}
    for session, drop in drops.items():
        (last,) = [p for p in found if f"{session}: dropped ({drop.cause})" in p.words]
        assert last.numbers[0] == VIP
        assert ("R" if drop.cause == "reset" else "F") in last.numbers[4]


def test_a_thousand_sessions_at_once_are_one_file(network: Network, tmp_path: Path) -> None:
    text = INVENTORY.replace("sessions: 25, period_s: 0.01", "sessions: 1000, period_s: 0.1")
    agent = start_agent(network, tmp_path, inventory_text=text)
    wait_for(lambda: len([r for r in agent.of(Opened) if isinstance(r, Opened) and r.slot >= 0]) == 1_000)
    before = len(agent.of(ProbeHealth))
    wait_for(lambda: len(agent.of(ProbeHealth)) > before)  # all have been answered by then
    network.drop(f"ip daddr {VIP}")
    wait_for(lambda: len(slots(agent, OutageBegan)) == 1_000)
    network.drop("")
    wait_for(lambda: written(agent), within_s=60)
    agent.stop()
    (record,) = written(agent)
    assert (record.sessions, record.left_out_sessions) == (25, 975)
    assert record.bytes < 1_100_000
    assert b"Left out: 975 more sessions" in (tmp_path / record.path).read_bytes()
    assert len({p.numbers[1] for p in packets(tmp_path / record.path) if p.numbers[0] != VIP}) == 25
