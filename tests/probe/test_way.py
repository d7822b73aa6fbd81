"""The way to the VIP changes under a probe that runs: it says so, goes on, and recovers by itself."""

from __future__ import annotations

import struct
import sys
import time
from ipaddress import ip_address

from core.records import Drop, OutageEnded, Summary
from tests.probe.conftest import Agent, Network
from tests.waiting import wait_for

OTHER_MAC = "02:00:00:00:00:99"


def dropped(agent: Agent) -> list[Drop]:
    return [record for record in agent.stop() if isinstance(record, Drop) and not record.held_kernel]


def wait_recovered(agent: Agent, since_ns: int) -> None:
    """Return once the outage of every slot has ended, and a whole second was answered."""

    def ended() -> set[int]:
        found = [record for record in agent.of(OutageEnded) if isinstance(record, OutageEnded)]
        return {record.slot for record in found if record.t_ns > since_ns and record.slot >= 0}

    wait_for(lambda: len(ended()) == 25, 30)
    wait_answered(agent, time.monotonic_ns())


def wait_answered(agent: Agent, since_ns: int) -> None:
    """Return once two later seconds were answered."""

    def answered() -> bool:
        later = [r for r in agent.of(Summary) if isinstance(r, Summary) and r.t_ns > since_ns + 1_000_000_000]
        return sum(record.answered >= record.sent - 50 > 0 for record in later) >= 2

    wait_for(answered)


def test_a_gateway_that_is_gone_and_comes_back(network: Network, agent: Agent) -> None:
    # The kernel doubts a neighbour after half a minute and asks it after five seconds; here at once, to be short.
    network.run(network.client, "sysctl", "-qw", "net.ipv4.neigh.uplink.delay_first_probe_time=0")
    gone_ns = time.monotonic_ns()
    network.run(network.node, "ip", "address", "del", "10.77.1.1/24", "dev", "10-77-1")
    network.run(network.client, "ip", "neighbour", "change", "10.77.1.1", "dev", "uplink", "nud", "stale")
    wait_for(lambda: agent.said("gateway 10.77.1.1 on uplink does not answer"))
    network.run(network.node, "ip", "address", "add", "10.77.1.1/24", "dev", "10-77-1")
    wait_for(lambda: agent.said("the VIP is reached by uplink again"))
    wait_recovered(agent, gone_ns)


def test_a_gateway_that_fails_over_to_another_mac(network: Network, agent: Agent) -> None:
    """As VRRP does it: the same address at another interface, told by a gratuitous ARP (RFC 5798 section 6.4)."""
    since_ns = time.monotonic_ns()
    network.run(network.node, "ip", "link", "set", "10-77-1", "address", OTHER_MAC)
    mac, address = bytes.fromhex(OTHER_MAC.replace(":", "")), ip_address("10.77.1.1").packed
    arp = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + mac + address + bytes(6) + address
    frame = (b"\xff" * 6 + mac + b"\x08\x06" + arp).hex()
    forge = (sys.executable, "-m", "tests.probe.forge", "frames", "10-77-1")
    network.run(network.node, *forge, text=f"{frame}\n")
    wait_for(lambda: agent.said(f"next hop changed: uplink {OTHER_MAC}"))
    wait_answered(agent, since_ns)
    assert dropped(agent) == []


def test_a_route_that_moves_to_another_interface(network: Network, agent: Agent) -> None:
    network.run(network.client, "ip", "link", "add", "second", "type", "veth", "peer", "third", "netns", network.node)
    for name, link, address in ((network.client, "second", "10.77.3.2/24"), (network.node, "third", "10.77.3.1/24")):
        network.run(name, "ip", "address", "add", address, "dev", link)
        network.run(name, "ip", "link", "set", link, "up")
    moved_ns = time.monotonic_ns()
    network.run(network.client, "ip", "route", "replace", "default", "via", "10.77.3.1")
    # Its new gateway's address has to be asked for first; meanwhile there is no way.
    wait_for(lambda: agent.said("the VIP is reached by second") or agent.said("next hop changed: second"))
    wait_answered(agent, moved_ns)
    counter = "table ip c { chain f { type filter hook forward priority 1; iifname third tcp dport 7000 counter; }; }\n"
    network.run(network.node, "nft", "-f", "-", text=counter)
    wait_for(lambda: "packets 0 " not in network.run(network.node, "nft", "list", "table", "ip", "c"))
    network.run(network.client, "ip", "link", "del", "second")
    gone_ns = time.monotonic_ns()
    wait_for(lambda: agent.said("no route to 203.0.113.10"))
    network.run(network.client, "ip", "route", "add", "default", "via", "10.77.1.1")
    wait_for(lambda: agent.said("the VIP is reached by uplink again"))
    wait_recovered(agent, gone_ns)
    assert dropped(agent) == []
