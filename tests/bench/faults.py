"""`make faults`: how exactly faults come, and how fast the kill switch takes them back, on the lab, by tcpdump.

A ping (fping) a millisecond runs from dc1's router to a node; the capture on the router shows when answers end.
The effect of a fault lies between the last request that is answered and the first that is not.
"""

from __future__ import annotations

import argparse
import re
import signal
import subprocess
import sys
import tempfile
import time
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from chaos.guard.client import GuardClient
from core.inventory import Host
from core.lease import Lease, LeasedFault, LeasedSite
from lab import client

ROUTER, NODE, ADDRESS = "r1", "ace2", "10.1.1.12"
FAULTS = {
    "nft": LeasedFault(
        "drop", "nft", Host(NODE, "netns", NODE), {"action": "drop", "hook": "input", "protocol": "icmp"}, {}
    ),
    "link": LeasedFault("down", "link", Host("sw1", "netns", "sw1"), {"interface": NODE}, {}),
}
SITES = (LeasedSite("dc2", ("ace3", "ace4")),)
AHEAD_S = 0.3
OUT_S = 0.15
LEASES = 20
ROUNDS = 5
DUMP = ("tcpdump", "-i", "lan", "-n", "-tt", "--nano", "-B", "16384", "--immediate-mode")
"""Else what it has not been handed yet when it is told to end is lost: up to a second of packets."""
_LINE = re.compile(r"^(\d+)\.(\d{9}) IP (\S+) > \S+: ICMP echo (request|reply), id \d+, seq (\d+),")


@dataclass(frozen=True)
class Fault:
    """One injection, on the monotonic clock; the effect was after `answered_ns` and not after `unanswered_ns`."""

    kind: str
    planned_ns: int
    began_ns: int
    ended_ns: int
    answered_ns: int
    unanswered_ns: int

    @property
    def late_ms(self) -> float:
        """From the planned instant to the effect, at most."""
        return (self.unanswered_ns - self.planned_ns) / 1e6

    def off_ms(self, instant_ns: int) -> float:
        """How far an instant lies from the effect, at least."""
        return max(self.answered_ns - instant_ns, instant_ns - self.unanswered_ns, 0) / 1e6


def asked(name: str, fault: LeasedFault, directory: Path) -> Lease:
    """The lease for one fault that takes nothing out of service."""
    return Lease(
        name, "make faults", "faults", 0, "", str(directory / f"{name}.db"), (fault,), sites=SITES, who="bench"
    )


def inject_all(count: int, directory: Path) -> list[tuple[str, int, int, int]]:
    """Inject so many faults of each kind; return (kind, planned, began, ended)."""
    guard = GuardClient()
    found = []
    for number in range(count):
        for kind, fault in FAULTS.items():
            name = f"{kind}-{number}"
            guard.arm(asked(name, fault, directory), 30, ["dc2"])
            planned_ns = time.monotonic_ns() + round(AHEAD_S * 1e9)
            done = guard.inject(name, fault.name, planned_ns, ["dc2"])
            found.append((kind, planned_ns, done.began_ns, done.ended_ns))
            time.sleep(OUT_S)
            guard.release(name, lambda _: None, 5, [fault.name])
    guard.close()
    return found


def captured(text: str, offset_ns: int) -> tuple[list[int], list[int]]:
    """Return when the answered requests and the unanswered ones were sent; `offset_ns` is wall minus monotonic."""
    sent: dict[tuple[int, int], int] = {}
    answered: set[tuple[int, int]] = set()
    round_, last = 0, 0
    for line in text.splitlines():
        found = _LINE.match(line)
        if found is None:
            continue
        number = int(found[5])
        if found[4] == "request":
            round_ += number < last  # the number has 16 bits
            last = number
            sent[round_, number] = int(found[1]) * 10**9 + int(found[2]) - offset_ns
        else:
            answered.add((round_ if number <= last else round_ - 1, number))
    return sorted(t for key, t in sent.items() if key in answered), sorted(
        t for key, t in sent.items() if key not in answered
    )


def measure(count: int, directory: Path) -> list[Fault]:
    """Inject with ping and tcpdump running, and hold each fault against what was captured."""
    inside = ["ip", "netns", "exec", ROUTER]
    capture, words = directory / "capture", directory / "words"
    offset_ns = time.time_ns() - time.monotonic_ns()
    with capture.open("w") as file, words.open("w") as said:
        dump = subprocess.Popen(
            [*inside, *DUMP, "icmp", "and", "host", ADDRESS],
            stdout=file,
            stderr=said,
        )
        ping = subprocess.Popen(
            [*inside, "fping", "-l", "-q", "-p", "1", "-i", "1", ADDRESS],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while "listening" not in words.read_text():
            time.sleep(0.01)
        injected = inject_all(count, directory)
        time.sleep(0.1)
        for process in (ping, dump):
            process.send_signal(signal.SIGINT)
            process.wait()
    answered, unanswered = captured(capture.read_text(), offset_ns)
    return [_fault(one, answered, unanswered) for one in injected]


def _fault(one: tuple[str, int, int, int], answered: Sequence[int], unanswered: Sequence[int]) -> Fault:
    """The effect: the first run of at least 20 unanswered requests from its planned instant on."""
    kind, planned_ns, began_ns, ended_ns = one
    first = bisect_left(unanswered, planned_ns)
    while True:
        begin_ns = unanswered[first]
        after = bisect_left(answered, begin_ns)
        until_ns = answered[after] if after < len(answered) else begin_ns + 10**9
        if bisect_left(unanswered, until_ns) - first >= 20:
            return Fault(kind, planned_ns, began_ns, ended_ns, answered[after - 1], begin_ns)
        first = bisect_left(unanswered, until_ns)


def kill_switch(directory: Path) -> tuple[int, float]:
    """Have 20 leases out, call `vipchaos stop`; return how many faults were out after 2 s, and how long it took (s)."""
    guard = GuardClient()
    for number in range(LEASES):
        node = ("ace1", "ace2", "ace3", "ace4")[number % 4]
        arguments = {"action": "drop", "hook": "input", "protocol": "udp", "destination_port": 30000 + number}
        fault = LeasedFault("drop", "nft", Host(node, "netns", node), arguments, {})
        guard.arm(asked(f"switch-{number}", fault, directory), 60, ["dc2"])
        guard.inject(f"switch-{number}", "drop", 0, ["dc2"])
    began_s = time.monotonic()
    stop = subprocess.Popen(
        [sys.executable, "-m", "cli", "stop", "--reason", "make faults"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while _tables() and time.monotonic() - began_s < 30:
        time.sleep(0.01)
    took_s = time.monotonic() - began_s
    stop.wait()
    subprocess.run([sys.executable, "-m", "cli", "resume"], stdout=subprocess.DEVNULL, check=True)
    guard.close()
    return stop.returncode, took_s


def _tables() -> int:
    """Return how many faults are out: tables of the kernel, by its own word."""
    said = [
        subprocess.run(
            ["ip", "netns", "exec", node, "nft", "list", "tables"], capture_output=True, text=True, check=True
        )
        for node in ("ace1", "ace2", "ace3", "ace4")
    ]
    return sum(done.stdout.count("vipchaos_fault_") for done in said)


def table(faults: Sequence[Fault], switches: Sequence[tuple[int, float]]) -> str:
    """Return the figures as text."""
    lines = [
        f"{'ms':<44}{'median':>8}{'p99':>8}{'max':>8}",
    ]
    for kind in FAULTS:
        mine = [fault for fault in faults if fault.kind == kind]
        lines.append(_row(f"{kind}: effect after the planned instant", [fault.late_ms for fault in mine]))
        lines.append(_row(f"{kind}: recorded end of injection off", [fault.off_ms(fault.ended_ns) for fault in mine]))
        lines.append(_row(f"{kind}: recorded begin of injection off", [fault.off_ms(fault.began_ns) for fault in mine]))
        ordered = sum(f.began_ns <= f.unanswered_ns and f.answered_ns <= f.ended_ns for f in mine)
        lines.append(f"{kind}: effect between the two: {ordered} of {len(mine)}")
    lines.append(_row("all: effect after the planned instant", [fault.late_ms for fault in faults]))
    took = ", ".join(f"{seconds:.2f}" for _, seconds in switches)
    lines.append(f"kill switch, {LEASES} leases out: all faults gone after {took} s")
    return "\n".join(lines)


def _row(name: str, values: Sequence[float]) -> str:
    ordered = sorted(values)
    p99 = ordered[min(len(ordered) - 1, -(-99 * len(ordered) // 100) - 1)]
    return f"{name:<44}{median(ordered):>8.2f}{p99:>8.2f}{ordered[-1]:>8.2f}"


def main() -> int:
    """Bring a lab up, measure in it, print."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--count", type=int, default=50, help="so many of each kind")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        faults = measure(arguments.count, arguments.inside)
        print(table(faults, [kill_switch(arguments.inside) for _ in range(ROUNDS)]))  # noqa: T201
        return 0
    with tempfile.TemporaryDirectory() as directory:
        lab = client.up("faults")
        try:
            argv = [sys.executable, "-m", "tests.bench.faults", "--inside", directory, "--count", str(arguments.count)]
            environment = client.environment() | {"VIPCHAOS_HOME": directory}
            return subprocess.run(lab.enter_argv(None, argv), env=environment, check=False).returncode
        finally:
            lab.down()


if __name__ == "__main__":
    sys.exit(main())
