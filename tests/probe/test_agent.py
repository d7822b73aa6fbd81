"""The probe on a real network of three namespaces: what it reports beside what was done to it, and captured."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from core.inventory import Vip
from core.loader import parse_inventory
from core.outage import interval
from core.path_records import PathTraced
from core.records import (
    Answer,
    Clock,
    Drop,
    DropCause,
    KnownBy,
    Note,
    Opened,
    OutageBegan,
    OutageEnded,
    ProbeHealth,
    ProbeStarted,
    ProbeStopped,
    Record,
    Summary,
)
from core.truth import captured, compare
from lab.client import environment
from probe import capture
from probe.privileges import FILES
from tests.probe.conftest import INVENTORY, INVENTORY6, VIP6, Agent, Network, start_agent
from tests.waiting import wait_for

SLOTS = set(range(25))
HELD_PORTS = "20000-20999"


def outages(records: list[Record], clock: Clock = Clock.DATA_PLANE) -> list[OutageEnded]:
    return [record for record in records if isinstance(record, OutageEnded) and record.clock is clock]


def test_who_answers_and_a_quiet_end(network: Network, agent: Agent) -> None:
    answers = agent.answers()
    assert set(answers) == SLOTS
    for record in answers.values():
        assert (record.site, record.nat_pool, record.nat_address) == ("here", "N1", "10.77.1.2")
        assert (record.server, record.node, record.node_known_by) == ("s1", "node", KnownBy.FLOW)
    paths = {record.hops for record in agent.of(PathTraced) if isinstance(record, PathTraced)}
    assert paths == {("10.77.1.1",)}
    counter = f"table ip c {{ chain f {{ type filter hook forward priority 1; tcp sport {HELD_PORTS} tcp flags rst "
    network.run(network.node, "nft", "-f", "-", text=counter + "counter; }; }\n")
    established = ("ss", "-Htn", "state", "established", "sport", "=", ":7000")
    assert len(network.run(network.server, *established).splitlines()) >= 26
    before = len(agent.of(Summary))
    wait_for(lambda: len(agent.of(Summary)) >= before + 2)
    assert "packets 0 " in network.run(network.node, "nft", "list", "table", "ip", "c"), "the kernel reset a session"
    records = agent.stop()
    opened = [record for record in records if isinstance(record, Opened)]
    assert {record.slot for record in opened} == SLOTS | {-2}
    assert not [r for r in records if isinstance(r, Drop | OutageEnded) and not getattr(r, "self_inflicted", False)]
    assert isinstance(records[-1], ProbeStopped)
    assert "packets 25 " in network.run(network.node, "nft", "list", "table", "ip", "c")
    wait_for(lambda: network.run(network.server, *established) == "")
    assert network.run(network.client, "nft", "list", "tables") == ""


def test_an_outage_is_an_interval_and_the_capture_lies_inside(network: Network, agent: Agent, tmp_path: Path) -> None:
    path = tmp_path / "v1.pcap"
    vip = parse_inventory(INVENTORY, "x").vip
    sniffer = network.start(network.client, *capture.command(path, vip))
    wait_for(lambda: path.exists() and path.stat().st_size > 24)
    for what in ("ip daddr 203.0.113.10", "ip saddr 203.0.113.10"):
        since_ns = time.monotonic_ns()
        network.drop(what)
        wait_for(lambda since=since_ns: len(_began(agent, since)) == 26)  # type: ignore[misc]
        network.drop("")
        wait_for(lambda since=since_ns: len({o.slot for o in _ended(agent, since)}) == 25)  # type: ignore[misc]
    wait_for(lambda: len(outages(agent.records(), Clock.HELD_KERNEL)) >= 1)
    sniffer.terminate()
    sniffer.wait(5)
    records = agent.stop()
    started = next(record for record in records if isinstance(record, ProbeStarted))
    answers = capture.answers_by_port(path, started.wall_ns - started.t_ns)
    ports = {r.slot: [r.source_port] for r in records if isinstance(r, Opened) and r.slot >= 0}
    found = outages(records)
    comparisons = compare([*records, *captured(found, answers, ports)])
    assert len(comparisons) == len([outage for outage in found if not outage.self_inflicted]) >= 50
    assert [comparison for comparison in comparisons if not comparison.inside] == []
    assert all(outage.same_session for outage in found)
    assert not [record for record in records if isinstance(record, Drop)]
    assert len(outages(records, Clock.NEW_CONNECTIONS)) >= 2
    for outage in found:
        assert interval(outage).upper_ns - interval(outage).lower_ns < 100_000_000


def _began(agent: Agent, since_ns: int) -> set[int]:
    found = agent.of(OutageBegan)
    return {r.slot for r in found if isinstance(r, OutageBegan) and r.t_ns > since_ns and r.slot >= -1}


def _ended(agent: Agent, since_ns: int) -> list[OutageEnded]:
    return [outage for outage in outages(agent.records()) if outage.t_ns > since_ns]


def test_a_reset_is_a_drop_with_its_cause_and_the_slot_starts_again(network: Network, agent: Agent) -> None:
    reflector = network.processes[0]
    reflector.kill()
    reflector.wait()
    wait_for(lambda: len([r for r in agent.of(Drop) if isinstance(r, Drop) and not r.held_kernel]) == 25)
    wait_for(lambda: len(_began(agent, 0)) == 26)
    network.start(network.server, sys.executable, "-m", "probe.reflector", "--name", "s2")

    def back() -> bool:
        answers = [r for r in agent.of(Answer) if isinstance(r, Answer) and r.server == "s2"]
        return {r.slot for r in answers} == SLOTS

    wait_for(back)
    records = agent.stop()
    drops = [r for r in records if isinstance(r, Drop) and not r.held_kernel]
    assert {r.cause for r in drops} <= {DropCause.RESET, DropCause.FIN}
    restarted = [r for r in records if isinstance(r, Opened) and r.restart == 1 and not r.held_kernel]
    assert {r.slot for r in restarted} == SLOTS
    first = {r.slot: r.source_port for r in records if isinstance(r, Opened) and r.restart == 0}
    assert all(r.source_port != first[r.slot] for r in restarted), "a fresh port, or the far end may refuse it"
    assert {outage.slot for outage in outages(records)} == SLOTS
    first_outages = {outage.slot: outage for outage in reversed(outages(records))}
    assert not any(outage.same_session for outage in first_outages.values())


def test_own_lateness_is_never_an_outage(agent: Agent) -> None:
    for _ in range(3):
        os.kill(agent.process.pid, signal.SIGSTOP)
        time.sleep(0.2)  # the lateness itself is what is tested
        os.kill(agent.process.pid, signal.SIGCONT)
        before = len(agent.of(Summary))
        wait_for(lambda before=before: len(agent.of(Summary)) > before)  # type: ignore[misc]
    records = agent.stop()
    found = [record for record in records if isinstance(record, OutageEnded)]
    assert {outage.clock for outage in found} >= {Clock.DATA_PLANE, Clock.HELD_KERNEL}
    assert all(outage.self_inflicted for outage in found)
    assert sum(record.skipped for record in records if isinstance(record, Summary)) > 25 * 10
    assert not [record for record in records if isinstance(record, Drop)]


def test_a_killed_agent_leaves_nothing(network: Network, agent: Agent) -> None:
    network.run(network.client, "nft", "add", "table", "ip", "somebody_elses")
    assert "vipchaos_probe_" in network.run(network.client, "nft", "list", "tables")
    agent.process.kill()
    agent.process.wait()
    others = ["table", "ip", "somebody_elses"]
    wait_for(lambda: network.run(network.client, "nft", "list", "tables").split() == others)


def test_a_link_that_goes_and_comes_is_told_and_the_probe_recovers(network: Network, agent: Agent) -> None:
    def said(words: str) -> bool:
        return any(words in record.text for record in agent.of(Note) if isinstance(record, Note))

    network.run(network.node, "ip", "link", "set", "10-77-1", "down")
    wait_for(lambda: said("interface uplink is down"))
    wait_for(lambda: len(_began(agent, 0)) == 26)
    network.run(network.node, "ip", "link", "set", "10-77-1", "up")
    up_ns = time.monotonic_ns()
    wait_for(lambda: said("the VIP is reached by uplink again"))
    wait_for(lambda: len({outage.slot for outage in _ended(agent, up_ns)}) == 25)

    def steady() -> bool:
        seconds = [r for r in agent.of(Summary) if isinstance(r, Summary) and r.t_ns > up_ns]
        return len([r for r in seconds if r.answered > 2_400 and r.rtt_p99_ns < 100_000_000]) >= 2

    wait_for(steady)
    assert not [record for record in agent.stop() if isinstance(record, Drop) and not record.held_kernel]


def test_ipv6_is_held_traced_and_measured(network: Network, tmp_path: Path) -> None:
    words = ["-m", "probe.reflector", "--name", "s6", "--bind", "::", "--port", "7006"]
    network.start(network.server, sys.executable, *words)
    network.listening(7006)
    agent = start_agent(network, tmp_path, inventory_text=INVENTORY6)
    agent.wait_answered()
    answers = {(r.site, r.nat_address, r.server, r.node) for r in agent.answers().values()}
    assert answers == {("here", "2001:db8:1::2", "s6", "node")}
    path = tmp_path / "v6.pcap"
    sniffer = network.start(network.client, *capture.command(path, parse_inventory(INVENTORY6, "x").vip))
    wait_for(lambda: path.exists() and path.stat().st_size > 24)
    # Neighbour discovery may cost a second at first: what began before there was a capture is not held against it.
    from_ns, before = time.monotonic_ns(), len(agent.of(Summary))
    wait_for(lambda: len(agent.of(Summary)) >= before + 3)
    block = f"table ip6 t {{ chain f {{ type filter hook forward priority 0; ip6 daddr {VIP6} drop; }}; }}\n"
    since_ns = time.monotonic_ns()
    network.run(network.node, "nft", "-f", "-", text=block)
    wait_for(lambda: len(_began(agent, since_ns)) == 26)
    network.run(network.node, "nft", "delete", "table", "ip6", "t")
    wait_for(lambda: len({outage.slot for outage in _ended(agent, since_ns)}) == 25)
    before = len(agent.of(Summary))
    wait_for(lambda: len(agent.of(Summary)) >= before + 2)  # tcpdump reads what came before it is told to end
    sniffer.terminate()
    sniffer.wait(5)
    records = agent.stop()
    started = next(record for record in records if isinstance(record, ProbeStarted))
    seen = capture.answers_by_port(path, started.wall_ns - started.t_ns)
    ports = {r.slot: [r.source_port] for r in records if isinstance(r, Opened) and r.slot >= 0}
    mine = [outage for outage in outages(records) if outage.s_a_ns > from_ns]
    comparisons = compare([*records, *captured(mine, seen, ports)])
    assert len(comparisons) >= 25
    assert [comparison for comparison in comparisons if not comparison.inside] == []
    assert not [record for record in records if isinstance(record, Drop)]


def test_sessions_come_from_every_source_address(network: Network, tmp_path: Path) -> None:
    for last in (3, 4):
        network.run(network.client, "ip", "address", "add", f"10.77.1.{last}/24", "dev", "uplink")
    sources = "period_s: 0.01, sources: [10.77.1.3, 10.77.1.4]"
    agent = start_agent(network, tmp_path, inventory_text=INVENTORY.replace("period_s: 0.01", sources))
    agent.wait_answered()
    network.run(network.client, "ip", "address", "del", "10.77.1.4/24", "dev", "uplink")
    wait_for(lambda: any("10.77.1.4 is not on this host" in r.text for r in agent.of(Note) if isinstance(r, Note)))
    network.run(network.client, "ip", "address", "add", "10.77.1.4/24", "dev", "uplink")
    wait_for(lambda: any("reached by uplink again" in r.text for r in agent.of(Note) if isinstance(r, Note)))
    records = agent.stop()
    held = [r for r in records if isinstance(r, Opened) and r.slot >= 0 and r.restart == 0]
    assert {r.slot % 2: r.source for r in held} == {0: "10.77.1.3", 1: "10.77.1.4"}
    assert {(r.slot, r.nat_address) for r in records if isinstance(r, Answer) and r.server} == {
        (r.slot, r.source) for r in held
    }


def test_privileges_are_given_up_once_the_sockets_are_open(agent: Agent) -> None:
    """Those who write files keep what root needs in another user's directory, and nothing else."""
    threads = {}
    for task in Path(f"/proc/{agent.process.pid}/task").iterdir():
        found = dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines() if ":\t" in line)
        assert found["NoNewPrivs"] == "1"
        left = {int(found[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")}
        threads[int(task.name)] = left
    assert threads.pop(agent.process.pid) == {0}
    assert len(threads) == 4, "the journal, the next hop, evidence, the kernel session"
    assert sorted(sorted(left) for left in threads.values()) == [[0], [0], [0, FILES], [0, FILES]]


def test_who_takes_the_agent_over_cannot_command_nft(network: Network, agent: Agent) -> None:
    """The rule's keeper has its privilege yet; it hears nothing from the agent but its end."""
    for descriptor in Path(f"/proc/{agent.process.pid}/fd").iterdir():
        if descriptor.readlink().name.startswith("pipe:") and os.access(descriptor, os.W_OK):
            with contextlib.suppress(OSError), descriptor.open("wb", buffering=0) as pipe:
                pipe.write(b"add table ip injected\n")
    before = len(agent.of(Summary))
    wait_for(lambda: len(agent.of(Summary)) >= before + 2)
    assert "injected" not in network.run(network.client, "nft", "list", "tables")
    agent.stop()
    assert network.run(network.client, "nft", "list", "tables") == ""


def test_without_its_rule_the_agent_ends_and_says_so(network: Network, agent: Agent) -> None:
    children = subprocess.run(["pgrep", "-P", str(agent.process.pid)], capture_output=True, text=True, check=True)
    for child in children.stdout.split():
        os.kill(int(child), signal.SIGKILL)
    assert agent.process.wait(20) == 6
    assert "nft, which held the rule" in network.log(agent.process)
    records = agent.records()
    assert not [r for r in records if isinstance(r, Drop)], "a reset by its own host is no drop"
    (note,) = agent.said("drops were its own resets and are not told")
    assert isinstance(records[-1], ProbeStopped)
    assert note.t_ns <= records[-1].t_ns


def test_what_the_kernel_stamps_is_no_later_for_our_own_lateness(agent: Agent) -> None:
    """Answers that came while the agent stood still have the instant at which they came."""
    for _ in range(3):
        agent.process.send_signal(signal.SIGSTOP)
        time.sleep(0.4)  # what is measured is a stop of this length
        agent.process.send_signal(signal.SIGCONT)
        before = len(agent.of(Summary))
        wait_for(lambda before=before: len(agent.of(Summary)) >= before + 2)  # type: ignore[misc]
    buckets = [r.rtt_histogram for r in agent.stop() if isinstance(r, Summary)]
    slowest_us = max(2**number for counts in buckets for number, count in enumerate(counts) if count)
    assert slowest_us < 200_000


def test_a_probe_that_was_stopped_for_long_takes_no_session_for_dead(agent: Agent) -> None:
    """After 10 s of silence a session is dead; the probe's own silence is none of the path's."""
    before = len(agent.of(ProbeHealth))
    wait_for(lambda: len(agent.of(ProbeHealth)) >= before + 2)
    agent.process.send_signal(signal.SIGSTOP)
    time.sleep(11)  # what is measured is a stop of this length
    agent.process.send_signal(signal.SIGCONT)
    before = len(agent.of(ProbeHealth))
    wait_for(lambda: len(agent.of(ProbeHealth)) >= before + 3)
    assert not [r for r in agent.stop() if isinstance(r, Drop) and not r.held_kernel]


def test_two_agents_do_not_write_one_journal(network: Network, agent: Agent, tmp_path: Path) -> None:
    """Records of both under one name would make one story of two probes."""
    second = start_agent(network, tmp_path, agent.journal.name)
    assert second.process.wait(20) == 2
    assert "another agent writes this journal; give each its own" in network.log(second.process)
    assert len([r for r in agent.stop() if isinstance(r, ProbeStarted)]) == 1
    assert not list(tmp_path.glob("*.lock"))


def test_two_agents_share_a_machine(network: Network, agent: Agent, tmp_path: Path) -> None:
    second = start_agent(network, tmp_path, "second.db")
    second.wait_answered()
    ports = [{r.source_port for r in a.of(Opened) if isinstance(r, Opened) and r.slot >= 0} for a in (agent, second)]
    assert not ports[0] & ports[1]
    assert network.run(network.client, "nft", "list", "tables").count("vipchaos_probe_") == 2
    for one in (agent, second):
        assert not [record for record in one.stop() if isinstance(record, Drop)]


def test_without_the_right_it_says_so(network: Network, tmp_path: Path) -> None:
    inventory = tmp_path / "inventory.yaml"
    inventory.write_text(INVENTORY)
    argv = ["-m", "cli", "agent", "--inventory", str(inventory), "--vantage", "v1", "--journal", str(tmp_path / "j.db")]
    argv += ["--engine", "ring"]
    powerless = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    done = subprocess.run(
        ["ip", "netns", "exec", network.client, *powerless, sys.executable, *argv],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
        timeout=20,
    )
    assert done.returncode == 6
    words = "raw packets need CAP_NET_RAW: run as root, or grant the capability"
    assert done.stderr == f"error: {words}\n"


def test_our_own_capture_is_what_tcpdump_writes(network: Network, agent: Agent, tmp_path: Path) -> None:
    vip: Vip = parse_inventory(INVENTORY, "x").vip
    theirs, ours = tmp_path / "theirs.pcap", tmp_path / "ours.pcap"
    own = [sys.executable, "-m", "probe.capture", str(ours), str(vip.address), str(vip.port)]
    sniffers = [network.start(network.client, *argv) for argv in (own, capture.command(theirs, vip))]
    wait_for(lambda: all(path.exists() and path.stat().st_size > 200_000 for path in (theirs, ours)))
    for sniffer in reversed(sniffers):
        sniffer.terminate()
        sniffer.wait(5)
    agent.stop()
    assert capture.lost(tmp_path / "log-2") == 0
    assert "packets dropped by kernel" in (tmp_path / "log-2").read_text()
    by_port = [capture.answers_by_port(path, 0) for path in (theirs, ours)]
    assert len(by_port[0]) > 25
    for port in sorted(set(by_port[0]) & set(range(20_000, 21_000))):
        first, second = (found[port] for found in by_port)
        # While it starts, tcpdump changes filters and may lose some; and the kernel stamps for each on its own.
        low, high = max(first[0], second[0]) + 100_000_000, min(first[-1], second[-1]) - 50_000_000
        both = [t_ns for t_ns in first if low <= t_ns <= high]
        assert len(both) > 20
        other = [t_ns for t_ns in second if both[0] - 100_000 <= t_ns <= both[-1] + 100_000]
        assert max(abs(a_ns - b_ns) for a_ns, b_ns in zip(both, other, strict=True)) < 5_000_000
