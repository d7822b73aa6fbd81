"""`make accuracy`: outages of 50 ms to 10 s, losses, late and doubled packets, and a busy machine; then a table."""

from __future__ import annotations

import argparse
import contextlib
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from core.loader import load_inventory
from core.records import Answer, Opened, OutageEnded, ProbeHealth, ProbeStarted, Record, Summary
from core.truth import captured
from lab import client
from probe import capture
from store.journal import JournalError, read_journal
from tests.accuracy.judge import Trial, trials, unexplained
from tests.accuracy.path import ROUTER, VANTAGE, VIP, Kind, Route
from tests.bench.held import Load, hold
from tests.bench.world import world
from tests.busy import busy
from tests.pages import put

ROOT = Path(__file__).resolve().parents[2]
INVENTORY = ROOT / "experiments" / "lab.yaml"
SHORTEST_S, LONGEST_S = 0.05, 10.0
WAIT_S = 30.0
LEAST = 50
"""So many losses, and so many answers out of order, are the least that shows anything."""
LEASH = '"$@" & read _; kill $!; wait $!'
"""What runs in the lab's process namespace gets no signal from here: so it ends with its standard input."""
Damage = Callable[[], contextlib.AbstractContextManager[None]]


def say(text: str = "") -> None:
    """Print, at once."""
    print(text, flush=True)  # noqa: T201


@dataclass
class Probe:
    """An agent at the vantage, a capture beside it, and what they wrote once both have ended."""

    agent: subprocess.Popen[bytes]
    sniffer: subprocess.Popen[bytes]
    directory: Path
    seq: int = 0

    def wait_answered(self) -> None:
        """Return once a whole second was answered after now; a link that was down needs its neighbours again."""
        from_ns = time.monotonic_ns() + 1_000_000_000
        until_s = time.monotonic() + WAIT_S
        while time.monotonic() < until_s:
            time.sleep(0.1)
            fresh, self.seq = read_journal(self.directory / "v.db", self.seq)
            seconds = [record for record in fresh if isinstance(record, Summary) and record.t_ns > from_ns]
            if any(record.alive and record.answered >= record.sent - record.alive for record in seconds):
                return
        raise RuntimeError(f"the sessions were not answered again within {WAIT_S:g} s")

    def stop(self) -> list[Record]:
        """End both; return the agent's records with what the capture shows at each outage."""
        for process in (self.agent, self.sniffer):
            if process.stdin is not None:
                process.stdin.close()
        if self.agent.wait(30):
            raise RuntimeError((self.directory / "agent.log").read_text())
        self.sniffer.wait(10)
        records = read_journal(self.directory / "v.db")[0]
        started = next(record for record in records if isinstance(record, ProbeStarted))
        answers = capture.answers_by_port(self.directory / "v.pcap", started.wall_ns - started.t_ns)
        ports: dict[int, list[int]] = {}
        for record in records:
            if isinstance(record, Opened) and record.slot >= 0:
                ports.setdefault(record.slot, []).append(record.source_port)
        gaps = captured([r for r in records if isinstance(r, OutageEnded)], answers, ports)
        return [*records, *gaps]


def start(lab: client.Lab, directory: Path) -> Probe:
    """Start both and wait until every session is answered."""
    inventory = load_inventory(INVENTORY)

    def begin(words: list[str], log: str) -> subprocess.Popen[bytes]:
        with (directory / log).open("wb") as out:
            argv = lab.enter_argv(VANTAGE, ["sh", "-c", LEASH, "sh", *words])
            return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=out, stderr=out, env=client.environment())

    sniffer = begin(capture.command(directory / "v.pcap", inventory.vip), "capture.log")
    words = ["agent", "--inventory", str(INVENTORY), "--vantage", VANTAGE, "--journal", str(directory / "v.db")]
    agent = begin([sys.executable, "-m", "cli", *words], "agent.log")
    until_s = time.monotonic() + 30
    known: set[int] = set()
    while len(known) < inventory.vantages[VANTAGE].sessions:
        if agent.poll() is not None or time.monotonic() > until_s:
            raise RuntimeError(f"the probe did not begin: {(directory / 'agent.log').read_text()}")
        time.sleep(0.2)
        with contextlib.suppress(JournalError):
            known = {r.slot for r in read_journal(directory / "v.db")[0] if isinstance(r, Answer)}
    time.sleep(1)
    return Probe(agent, sniffer, directory)


def cuts(lab: client.Lab, each: int, longest_s: float) -> tuple[list[Trial], int, int]:
    """Make `each` cuts of every kind, in random order, log-uniform in length; return them with their reports."""
    plan = [(kind, random.uniform(0, 1)) for kind in Kind for _ in range(each)]
    random.shuffle(plan)
    way, switched = Route(lab), []
    with probing(lab) as probe:
        for number, (kind, share) in enumerate(plan, 1):
            seconds = SHORTEST_S * (longest_s / SHORTEST_S) ** share
            switched.append(way.cut(kind, seconds))
            if number % 10 == 0 or number == len(plan):
                say(f"... {number} of {len(plan)} cuts")
            probe.wait_answered()
            time.sleep(random.uniform(0, 0.5))
        records = probe.stop()
    vantage = load_inventory(INVENTORY).vantages[VANTAGE]
    period_ns = round(vantage.period_s * 1e9)
    false, real = unexplained(records, switched, period_ns)
    return trials(records, switched, period_ns, vantage.sessions), len(false), len(real)


@contextlib.contextmanager
def probing(lab: client.Lab) -> Iterator[Probe]:
    """Yield a probe that is at work; nothing of it is left."""
    with tempfile.TemporaryDirectory() as directory:
        probe = start(lab, Path(directory))
        try:
            yield probe
        finally:
            for process in (probe.agent, probe.sniffer):
                if process.stdin is not None:
                    process.stdin.close()
                process.wait(30)


@dataclass(frozen=True)
class Quiet:
    """What was reported while the path was never down for three heartbeats on purpose."""

    what: str
    seconds: float
    false: int
    captured: int
    self_inflicted: int
    lost: int
    overtaken: int
    wanted: str = ""

    @property
    def good(self) -> bool:
        """Whether nothing was made up, and whether what was wanted of the path did happen, often enough."""
        happened = {"": True, "losses": self.lost >= LEAST, "disorder": self.overtaken >= LEAST}[self.wanted]
        return not self.false and happened


def observe(lab: client.Lab, what: str, seconds: float, damage: Damage, wanted: str = "") -> Quiet:
    """Damage the path or the machine for a while.

    Where the path is damaged, an outage that the capture shows as well is not false. Where only the machine is, the
    path was never down, whatever the capture shows: it hears no answer to what the probe does not send.
    """
    with probing(lab) as probe:
        with damage():
            time.sleep(seconds)
        records = probe.stop()
    period_ns = round(load_inventory(INVENTORY).vantages[VANTAGE].period_s * 1e9)
    false, real = unexplained(records, [], period_ns)
    own = sum(isinstance(r, OutageEnded) and r.self_inflicted and r.slot >= 0 for r in records)
    health = [record for record in records if isinstance(record, ProbeHealth)]
    own += sum(record.untold_own for record in health)
    counts = (own, sum(record.lost for record in health), sum(record.overtaken for record in health))
    untold = sum(record.untold for record in health)
    if not wanted:
        return Quiet(what, seconds, len(false) + len(real) + untold, 0, *counts)
    return Quiet(what, seconds, len(false), len(real), *counts, wanted)


def full_load(seconds: float) -> Quiet:
    """Hold as many sessions as the engine is made for, on a path that is never down and a machine that is busy."""
    load = Load(10_000, 0.1, seconds)
    with tempfile.TemporaryDirectory() as directory, world(load.sources, load.sessions) as ends, busy():
        held = hold(ends, load, Path(directory))
    what = f"every core busy, {load.sessions} sessions, {load.sessions / load.period_s:g} heartbeats a second"
    return Quiet(what, seconds, held.outages, 0, held.self_inflicted, max(0, held.sent - held.answered), 0)


def losses(lab: client.Lab) -> Damage:
    """Lose one packet in fifty, both ways."""

    @contextlib.contextmanager
    def damage() -> Iterator[None]:
        way = Route(lab)
        way.lose(50)
        yield
        way.lose(0)

    return damage


def disorder(lab: client.Lab) -> Damage:
    """Double one answer in twenty and hold back one in twenty for up to 25 ms."""

    @contextlib.contextmanager
    def damage() -> Iterator[None]:
        def run(node: str, *words: str) -> str:
            argv = lab.enter_argv(node, list(words))
            return subprocess.run(argv, text=True, check=True, capture_output=True, env=client.environment()).stdout

        own = run(ROUTER, "cat", f"/sys/class/net/{VANTAGE}/address").strip()
        theirs = run(VANTAGE, "cat", "/sys/class/net/eth0/address").strip()
        address = re.findall(r"inet ([0-9.]+)/", run(VANTAGE, "ip", "address", "show", "eth0"))[0]
        header = (theirs + own).replace(":", "") + "0800"
        rule = f"ip saddr {VIP} ip daddr {address} drop;"
        way = Route(lab)
        words = [sys.executable, "-m", "tests.accuracy.relay", VIP, address, VANTAGE, header]
        argv = lab.enter_argv(ROUTER, ["sh", "-c", LEASH, "sh", *words])
        relay = subprocess.Popen(argv, stdin=subprocess.PIPE, env=client.environment())
        try:
            time.sleep(0.5)  # both carry the answers for a moment
            way.only(rule)
            yield
            way.lose(0)
        finally:
            if relay.stdin is not None:
                relay.stdin.close()
            relay.wait(10)

    return damage


def table(found: list[Trial], quiet: list[Quiet], false: int, real: int) -> str:
    """Return what was found as Markdown."""
    columns = "each session told", "capture's gap inside", "switch agrees", "width as stated", "answers held back"
    lines = [f"| outages | trials | {' | '.join(columns)} | widest |", "| --- " + "| ---: " * (len(columns) + 2) + "|"]
    for kind in Kind:
        mine = [trial for trial in found if trial.switched.kind is kind]
        counts = [
            sum(getattr(trial, what) for trial in mine)
            for what in ("reported", "captured_inside", "switch_agrees", "narrow", "held_back")
        ]
        widest_ms = max((trial.widest_ns for trial in mine), default=0) / 1e6
        lines.append(f"| {kind} | {len(mine)} | " + " | ".join(map(str, counts)) + f" | {widest_ms:.1f} ms |")
    gaps = sum(len(trial.reports) for trial in found)
    lines += [
        "",
        f"{gaps} intervals in all. Reported while nothing was cut: {false} outages that the capture does not show;",
        f"{real} that it does show (a link that is up again comes and goes while its ends find each other).",
        "",
        "| no outage | seconds | false outages | that the capture shows too | self-inflicted | lost | overtaken |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {q.what} | {q.seconds:g} | {q.false} | {q.captured} | {q.self_inflicted} | {q.lost} | {q.overtaken} |"
        for q in quiet
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Do it all; the exit code is 0 when every interval holds the truth and no outage was made up."""
    parser = argparse.ArgumentParser(prog="make accuracy", description=__doc__)
    parser.add_argument("--each", type=int, default=50, help="cuts of each kind")
    parser.add_argument("--longest", type=float, default=LONGEST_S, help="longest cut in seconds")
    parser.add_argument("--quiet", type=float, default=600.0, help="seconds on a busy machine")
    parser.add_argument("--noisy", type=float, default=60.0, help="seconds of losses, and of disorder")
    parser.add_argument("--docs", action="store_true", help="write the tables to docs/accuracy.md too")
    arguments = parser.parse_args()
    lab = client.up("accuracy")
    try:
        found, false, real = cuts(lab, arguments.each, arguments.longest)
        quiet = []
        for what, damage, wanted in (
            ("one packet in 50 lost, both ways", losses(lab), "losses"),
            ("answers doubled (1 in 20) and late by up to 25 ms (1 in 20)", disorder(lab), "disorder"),
        ):
            say(f"... {what}, {arguments.noisy:g} s")
            quiet.append(observe(lab, what, arguments.noisy, damage, wanted))
        say(f"... every core busy, {arguments.quiet:g} s")
        with ThreadPoolExecutor() as beside:
            full = beside.submit(full_load, arguments.quiet)
            quiet.append(observe(lab, "every core busy", arguments.quiet, busy))
            quiet.append(full.result())
    finally:
        lab.down()
    text = table(found, quiet, false, real)
    say("\n" + text)
    if arguments.docs:
        put("accuracy.md", "make accuracy", text)
    good = all(t.reported and t.captured_inside and t.switch_agrees and t.narrow for t in found)
    return 0 if good and not false and all(one.good for one in quiet) else 1


if __name__ == "__main__":
    sys.exit(main())
