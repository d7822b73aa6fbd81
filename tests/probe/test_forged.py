"""What somebody else puts on the wire: forged packets, floods, tags and merged segments, on a real network."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections import Counter
from pathlib import Path

from core.records import Drop, DropCause, Note, Opened, OutageEnded, ProbeHealth, Record, Summary
from core.tcp.segments import Flag, Segment
from tests.probe.conftest import INVENTORY, VIP, Agent, Network, start_agent
from tests.probe.forge import Session, forged, unreachable
from tests.waiting import wait_for

SILENT = 7022
FORGE = ("-m", "tests.probe.forge")
TIMES = 10
FLOOD = 12_000


def ignored(agent: Agent) -> Counter[str]:
    found: Counter[str] = Counter()
    for record in agent.of(ProbeHealth):
        assert isinstance(record, ProbeHealth)
        found.update(dict(record.ignored))
    return found


def send(network: Network, packets: list[str]) -> None:
    network.run(network.node, sys.executable, *FORGE, "ip", text="".join(f"{packet}\n" for packet in packets))


def hurt(records: list[Record]) -> list[Drop | OutageEnded]:
    """The drops and outages of held sessions."""
    ended = [r for r in records if isinstance(r, Drop | OutageEnded) and r.slot >= 0]
    return [record for record in ended if isinstance(record, Drop) or not record.self_inflicted]


def seconds(agent: Agent, count: int) -> list[Summary]:
    """Wait for so many more seconds of the probe and return their summaries."""
    before = len(agent.of(Summary))
    wait_for(lambda: len(agent.of(Summary)) >= before + count)
    return [record for record in agent.of(Summary)[before:] if isinstance(record, Summary)]


def all_answered(found: list[Summary]) -> bool:
    """Whether each heartbeat of some seconds has one answer, but for what is under way at their ends."""
    sent, answered = sum(record.sent for record in found), sum(record.answered for record in found)
    return sent > 0 and abs(sent - answered) < sent // 10


def held_silently(network: Network, directory: Path) -> tuple[Agent, list[Session]]:
    """An agent whose sessions never carry data, so that their numbers stay as they were seen."""
    server = f"import socket, time; s = socket.create_server(('', {SILENT}), backlog=64); time.sleep(99)"
    network.start(network.server, sys.executable, "-c", server)
    network.listening(SILENT)
    text = INVENTORY.replace("port: 7000", f"port: {SILENT}, service: {{mode: keepalive}}")
    agent = start_agent(network, directory, inventory_text=text)
    wait_for(lambda: len({r.slot for r in agent.of(Opened) if isinstance(r, Opened) and r.slot >= 0}) == 25)
    seen = json.loads(network.run(network.node, sys.executable, *FORGE, "see", VIP, str(SILENT), "25"))
    return agent, [Session(**session) for session in seen]


def test_off_path_packets_are_ignored_and_counted_and_an_exact_reset_drops(network: Network, tmp_path: Path) -> None:
    agent, sessions = held_silently(network, tmp_path)

    def to(number: int, flags: Flag, ahead: int = 0, *, late: int = -60_000, ack: int = 0, data: bytes = b"") -> str:
        session = sessions[number]
        seq, stamps = (session.rcv + ahead) % (1 << 32), ((session.tsval - late) % (1 << 32), session.tsecr)
        segment = Segment(seq, (session.una + ack) % (1 << 32), flags, 1000, data, *stamps)
        return forged(VIP, SILENT, session, segment)

    def icmp(number: int, ahead: int, code: int) -> str:
        return unreachable("10.77.2.9", VIP, SILENT, sessions[number], sessions[number].una + ahead, code=code)

    stranger = Session("10.77.1.2", 20_900)
    attack = {
        "reset outside the window": [to(0, Flag.RST, 70_000), to(1, Flag.RST, -1)],
        "reset elsewhere in the window": [to(2, Flag.RST, 1), to(3, Flag.RST | Flag.ACK, 60_000)],
        "SYN in a synchronised state": [to(4, Flag.SYN), to(5, Flag.SYN | Flag.ACK, 9)],
        "outside the window": [to(6, Flag.ACK | Flag.PSH, 70_000, data=b"x"), to(7, Flag.ACK | Flag.FIN, -9)],
        "old timestamp": [to(8, Flag.ACK | Flag.PSH, late=1_000_000, data=b"x")],
        "ack of what was not sent": [to(9, Flag.ACK | Flag.PSH, ack=70_000, data=b"x")],
        "no ACK": [to(10, Flag.PSH, data=b"x")],
        # Port and host unreachable, with a number that was never sent, and with the right one: hard errors are soft
        # for a session that is established (RFC 1122 section 4.2.3.9, RFC 5927).
        "icmp": [icmp(11, 1_000_000, 3), icmp(12, -1, 3), icmp(13, -1, 1), icmp(14, 0, 2)],
        "of no session": [unreachable("10.77.2.9", VIP, SILENT, stranger, 5)],
    }
    before = ignored(agent)
    send(network, [packet for packets in attack.values() for packet in packets * TIMES])

    def missing() -> dict[str, int]:
        now = ignored(agent)
        missed = {reason: TIMES * len(packets) - now[reason] + before[reason] for reason, packets in attack.items()}
        return {reason: count for reason, count in missed.items() if count > 0}

    def dropped() -> list[Drop]:
        return [record for record in agent.of(Drop) if isinstance(record, Drop) and record.slot >= 0]

    wait_for(lambda: not missing())
    assert all_answered(seconds(agent, 2))
    assert hurt(agent.records()) == []
    victim = sessions[15]
    send(network, [forged(VIP, SILENT, victim, Segment(victim.rcv, 0, Flag.RST, 0, b"", 0, 0))])
    wait_for(dropped)
    records = agent.stop()
    (drop,) = [record for record in records if isinstance(record, Drop) and not record.held_kernel]
    assert drop.cause is DropCause.RESET
    (opened,) = [r for r in records if isinstance(r, Opened) and r.source_port == victim.port]
    assert opened.slot == drop.slot


def test_a_full_ring_is_counted(network: Network, agent: Agent) -> None:
    forgery = forged(VIP, 7000, Session("10.77.1.2", 20_000), Segment(1, 1, Flag.ACK, 1000, b"", 1, 1))
    os.kill(agent.process.pid, signal.SIGSTOP)
    try:
        send(network, [forgery] * FLOOD)
    finally:
        os.kill(agent.process.pid, signal.SIGCONT)

    def lost() -> int:
        return sum(record.ring_dropped for record in agent.of(ProbeHealth) if isinstance(record, ProbeHealth))

    wait_for(lost)
    seconds(agent, 2)
    assert lost() < FLOOD
    records = agent.stop()
    assert hurt(records) == []


def test_answers_with_a_vlan_tag_and_answers_that_come_twice(network: Network, agent: Agent) -> None:
    links = {
        name: network.run(name, "cat", f"/sys/class/net/{link}/address").strip()
        for name, link in ((network.client, "uplink"), (network.node, "10-77-1"))
    }
    ethernet = "".join(links[name].replace(":", "") for name in (network.client, network.node))
    network.start(network.node, sys.executable, *FORGE, "relay", VIP, "10-77-2", "10-77-1", ethernet)
    tagged = ("tcpdump", "-i", "uplink", "-n", "-c", "1", "vlan 5 and tcp src port 7000")
    network.run(network.client, *tagged)
    # Each answer comes twice now, plain and tagged, as on a host that has the VLAN as an interface of its own.
    assert all_answered(seconds(agent, 3))
    network.drop(f"ip saddr {VIP}")
    # From here on only the tagged ones come, which this host's own TCP does not take.
    assert all_answered(seconds(agent, 4))
    records = agent.stop()
    assert hurt(records) == []


def test_merged_segments_are_taken_whole(network: Network, tmp_path: Path) -> None:
    config = tmp_path / "nginx.conf"
    names = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = " ".join(f"{name}_temp_path {tmp_path}/{name};" for name in names)
    (tmp_path / "index.html").write_text("x" * 20_000)
    config.write_text(
        f"user root; daemon off; master_process off; pid {tmp_path}/nginx.pid; error_log stderr;\nevents {{}}\n"
        f"http {{ access_log off; {places} server {{ listen 7080; keepalive_requests 100000; root {tmp_path}; "
        "add_header X-Client $remote_addr; add_header X-Served-By web1; } }\n"
    )
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    assert program is not None
    network.start(network.server, program, "-c", str(config))
    network.listening(7080)
    told = "client: {header: X-Client, pattern: '(.+)'}, server: {header: X-Served-By, pattern: '(.+)'}"
    text = INVENTORY.replace("port: 7000", f"port: 7080, service: {{mode: http, {told}}}")
    agent = start_agent(network, tmp_path, inventory_text=text)
    agent.wait_answered()
    # One frame with several segments' payload: what GRO makes of them, and what a virtual link never took apart.
    network.run(network.client, "tcpdump", "-i", "uplink", "-n", "-c", "5", "greater 4000 and tcp src port 7080")
    assert all_answered(seconds(agent, 3))
    records = agent.stop()
    assert hurt(records) == []
    assert not [record for record in records if isinstance(record, Note)]
