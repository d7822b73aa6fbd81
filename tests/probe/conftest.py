"""A small network for the probe: client, one node that forwards, server with the VIP; and an agent at the client."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from core.records import Answer, Note, Record
from lab.client import environment
from store.journal import JournalError, read_journal
from tests.waiting import wait_for

VIP = "203.0.113.10"
INVENTORY = """
vip: {name: vip, address: 203.0.113.10, port: 7000}
sites:
  here:
    # No translation in this network: the server sees the client's own address.
    nat_pool: {name: N1, network: 10.77.1.0/28}
    nodes: {node: {host: box, addresses: [10.77.1.1]}}
vantages:
  v1: {host: box, sessions: 25, period_s: 0.01}
hosts:
  box: {transport: local}
"""


VIP6 = "2001:db8:ff::10"
INVENTORY6 = (
    INVENTORY.replace(f"{VIP}, port: 7000", f"'{VIP6}', port: 7006")
    .replace("10.77.1.0/28", "'2001:db8:1::/64'")
    .replace("[10.77.1.1]", "['2001:db8:1::1']")
)


@dataclass
class Network:
    """Namespaces `client`, `node` and `server` in a line."""

    client: str
    node: str
    server: str
    directory: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def run(self, namespace: str, *argv: str, text: str | None = None) -> str:
        """Run a command that must succeed and return what it prints."""
        done = subprocess.run(
            ["ip", "netns", "exec", namespace, *argv],
            capture_output=True,
            text=True,
            check=False,
            input=text,
            env=environment(),
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def listening(self, port: int) -> None:
        """Return once something listens on `port` of the server."""
        wait_for(lambda: f":{port}" in self.run(self.server, "ss", "-Hltn"))

    def start(self, namespace: str, *argv: str) -> subprocess.Popen[bytes]:
        """Start a program that ends with the test."""
        with (self.directory / f"log-{len(self.processes)}").open("wb") as log:
            process = subprocess.Popen(
                ["ip", "netns", "exec", namespace, *argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment(),
            )
        self.processes.append(process)
        return process

    def log(self, process: subprocess.Popen[bytes]) -> str:
        """Return what a program has said."""
        return (self.directory / f"log-{self.processes.index(process)}").read_text()

    def drop(self, what: str) -> None:
        """Drop what matches at the node, from now on; '' drops nothing any more."""
        rule = f"chain f {{ type filter hook forward priority 0; {what} drop; }};" if what else ""
        self.run(self.node, "nft", "-f", "-", text=f"table ip t\ndelete table ip t\ntable ip t {{ {rule} }}\n")


@dataclass
class Agent:
    """An agent at the client, and its journal."""

    process: subprocess.Popen[bytes]
    journal: Path

    def records(self) -> list[Record]:
        """Return what the journal holds."""
        return read_journal(self.journal)[0]

    def of(self, *kinds: type[Record]) -> list[Record]:
        """Return the records of some kinds."""
        return [record for record in self.records() if isinstance(record, kinds)]

    def said(self, words: str) -> list[Note]:
        """Return the notes that have `words` in them."""
        return [record for record in self.of(Note) if isinstance(record, Note) and words in record.text]

    def stop(self) -> list[Record]:
        """Stop it in order and return all records."""
        self.process.terminate()
        assert self.process.wait(30) == 0
        return self.records()

    def answers(self) -> dict[int, Answer]:
        """Return who answers each slot now."""
        return {record.slot: record for record in self.of(Answer) if isinstance(record, Answer)}

    def wait_answered(self) -> None:
        """Return once every slot knows server and node."""
        wait_for(lambda: sum(bool(r.server and r.node) for r in self.answers().values()) == 25)


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    """Bring the network up, with the reflector behind the VIP; take it down."""
    tag = f"vcp{os.getpid()}"
    found = Network(f"{tag}c", f"{tag}n", f"{tag}s", tmp_path)
    names = (found.client, found.node, found.server)
    try:
        for name in names:
            subprocess.run(["ip", "netns", "add", name], check=True)
            found.run(name, "ip", "link", "set", "lo", "up")
        for left, right, net in ((found.client, found.node, "10.77.1"), (found.server, found.node, "10.77.2")):
            host, port = ("uplink", net.replace(".", "-"))
            found.run(left, "ip", "link", "add", host, "type", "veth", "peer", port, "netns", right)
            for name, link, address in ((left, host, f"{net}.2/24"), (right, port, f"{net}.1/24")):
                found.run(name, "ip", "address", "add", address, "dev", link)
                found.run(name, "ip", "link", "set", link, "up")
                net6 = f"2001:db8:{net[-1]}::{address.removeprefix(f'{net}.').split('/')[0]}/64"
                found.run(name, "ip", "-6", "address", "add", net6, "dev", link, "nodad")
            found.run(left, "ip", "route", "add", "default", "via", f"{net}.1")
            found.run(left, "ip", "-6", "route", "add", "default", "via", f"2001:db8:{net[-1]}::1")
        forward = ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        found.run(found.node, "sysctl", "-qw", *forward, "net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0")
        found.run(found.node, "ip", "-6", "route", "add", VIP6, "via", "2001:db8:2::2")
        found.run(found.server, "ip", "-6", "address", "add", f"{VIP6}/128", "dev", "lo")
        found.run(found.node, "ip", "route", "add", VIP, "via", "10.77.2.2")
        found.run(found.server, "ip", "address", "add", f"{VIP}/32", "dev", "lo")
        found.start(found.server, sys.executable, "-m", "probe.reflector", "--name", "s1")
        found.listening(7000)
        yield found
    finally:
        for process in found.processes:
            process.kill()
            process.wait()
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False)


@pytest.fixture
def agent(network: Network, tmp_path: Path) -> Agent:
    """An agent whose sessions are all answered."""
    found = start_agent(network, tmp_path)
    found.wait_answered()
    return found


def start_agent(
    network: Network,
    directory: Path,
    journal: str = "v1.db",
    inventory_text: str = INVENTORY,
    engine: str = "auto",
    before: Sequence[str] = (),
) -> Agent:
    """Start an agent at the client; `before` are the words of a command that runs it."""
    inventory = directory / "inventory.yaml"
    inventory.write_text(inventory_text)
    path = directory / journal
    argv = ["-m", "cli", "agent", "--inventory", str(inventory), "--vantage", "v1", "--journal", str(path)]
    process = network.start(network.client, *before, sys.executable, *argv, "--engine", engine)
    log = directory / f"log-{len(network.processes) - 1}"

    def begun() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            return bool(read_journal(path)[0])
        except JournalError:
            return False  # its tables are not there yet

    wait_for(begun)
    return Agent(process, path)
