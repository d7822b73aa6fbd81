"""What others need for a probe and its answer, over the same veth pair: processor time of the whole tool."""

from __future__ import annotations

import asyncio
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass

from lab.client import environment
from tests.bench.world import CLOSED_PORT, FAR, PORT, VIP, World


@dataclass(frozen=True)
class Peer:
    """One measurement: `answered` of `sent` probes took `cpu_s` processor seconds."""

    name: str
    what: str
    sent: int
    answered: int
    cpu_s: float

    @property
    def cpu_us(self) -> float:
        """Processor time of one probe and its answer, in us."""
        return 1e6 * self.cpu_s / max(1, self.answered)


def _measured(world: World, words: list[str], ends_by: int | None = None) -> tuple[str, float]:
    """Run a tool to its end and return what it said and its processor seconds, system time included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        world.argv(words), capture_output=True, text=True, env=environment(), check=False, timeout=120
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = done.stdout + done.stderr
    if done.returncode not in (0, ends_by):
        raise RuntimeError(f"{words[0]} ended with {done.returncode}: {said[-400:]}")
    return said, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def fping(world: World, count: int) -> Peer:
    """ICMP echo, one target, as fast as one a millisecond."""
    said, cpu_s = _measured(world, ["fping", "-q", "-c", str(count), "-p", "1", "-i", "1", FAR], 1)
    answered = int(_one(r"xmt/rcv/%loss = \d+/(\d+)/", said))
    return Peer("fping", "ICMP echo", count, answered, cpu_s)


def hping3(world: World, count: int) -> Peer:
    """TCP SYN to a closed port, answered by a reset."""
    words = ["hping3", "-q", "-S", "-p", str(CLOSED_PORT), "-c", str(count), "-i", "u1000", FAR]
    said, cpu_s = _measured(world, words)
    return Peer("hping3", "SYN, answered by RST", count, int(_one(r"(\d+) packets received", said)), cpu_s)


def nping(world: World, count: int) -> Peer:
    """TCP SYN to a closed port, answered by a reset."""
    words = ["nping", "-q", "--tcp", "-p", str(CLOSED_PORT), "-c", str(count), "--rate", "1000", "-H", FAR]
    said, cpu_s = _measured(world, words)
    return Peer("nping", "SYN, answered by RST", count, int(_one(r"Rcvd: (\d+)", said)), cpu_s)


def trafgen(world: World, count: int) -> Peer:
    """UDP frames of the size of a heartbeat, sent only: it has no answers."""
    with tempfile.NamedTemporaryFile("w", suffix=".cfg") as config:
        fields = f"eth(da={_mac(world)}), ipv4(sa=10.99.0.2, da={FAR}, ttl=1), udp(dp=9), fill(0, 25)"
        config.write(f"{{ {fields} }}\n")
        config.flush()
        words = ["trafgen", "--dev", "uplink", "--in", config.name, "--num", str(count), "--cpus", "1", "--no-sock-mem"]
        _, cpu_s = _measured(world, words)
    return Peer("trafgen", "send only", count, count, cpu_s)


def _mac(world: World) -> str:
    world.must(["ping", "-c1", "-W1", FAR]) if shutil.which("ping") else None
    return world.must(["cat", "/sys/class/net/downlink/address"], far=True).strip()


def scapy(world: World, count: int) -> Peer:
    """SYN to a closed port and the reset dissected, as stock Scapy does it: an L3 socket, a packet built each time."""
    return _self(world, "scapy", "Scapy, stock", "SYN, answered by RST", count)


def kernel_sockets(world: World, count: int) -> Peer:
    """A question to the reflector on each of 100 asyncio connections, each answered by a line."""
    return _self(world, "asyncio", "asyncio, kernel sockets", "question, answered by a line", count)


def _self(world: World, which: str, name: str, what: str, count: int) -> Peer:
    said, _ = _measured(world, [sys.executable, "-m", "tests.bench.peers", which, str(count)])
    answered, cpu_s = said.split()[-2:]
    return Peer(name, what, count, int(answered), float(cpu_s))


PEERS: tuple[tuple[Callable[[World, int], Peer], int], ...] = (
    (scapy, 300),
    (kernel_sockets, 20_000),
    (hping3, 3_000),
    (nping, 3_000),
    (fping, 5_000),
    (trafgen, 300_000),
)


def _one(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise RuntimeError(f"nothing like {pattern!r} in: {text[-400:]}")
    return found[1]


# --- run at the near end, as programs of their own ------------------------------------------------------------


def _scapy(count: int) -> int:
    from scapy.config import conf
    from scapy.layers.inet import IP, TCP

    socket = conf.L3socket(filter=f"tcp and src host {FAR}")
    answered = 0
    for number in range(count):
        socket.send(IP(dst=FAR) / TCP(sport=40_000 + number % 10_000, dport=CLOSED_PORT, flags="S", seq=number))
        until_s = time.monotonic() + 1
        while time.monotonic() < until_s:
            found = socket.recv()
            if found is not None and TCP in found and found[TCP].flags.R:
                answered += 1
                break
    return answered


async def _asyncio(count: int) -> int:
    pairs = await asyncio.gather(*(asyncio.open_connection(VIP, PORT) for _ in range(100)))

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
        answered = 0
        for number in range(count // len(pairs)):
            writer.write(b"W %x\n" % number)
            await reader.readline()
            answered += 1
        writer.close()
        return answered

    return sum(await asyncio.gather(*(talk(reader, writer) for reader, writer in pairs)))


def main() -> None:
    """Do one of the two and print how many were answered, and the processor seconds."""
    which, count = sys.argv[1], int(sys.argv[2])
    if which == "scapy":
        _scapy(3)  # what is loaded and compiled at first is not counted
    before = os.times()
    answered = _scapy(count) if which == "scapy" else asyncio.run(_asyncio(count))
    after = os.times()
    print(answered, after.user + after.system - before.user - before.system)  # noqa: T201


if __name__ == "__main__":
    main()
