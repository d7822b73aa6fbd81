"""What the bus carries from an agent's journal to the controller's: records a second, delay, and a fleet of vantages.

`python -m tests.bench.bus`: agent, receiver and nats-server are processes of their own on this machine. The fleet is
replayed: each vantage tells what one of 1 000 sessions tells, five records a second, for some seconds at once.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from core.bus import CLOCK_SUBJECT, RECORDS, Access, BusAwayError, BusDiffersError, records_subject
from core.records import ProbeHealth, Summary
from store.bus import Bus
from store.journal import JournalError, JournalWriter, read_rows
from store.parcel import Parcel, Row, pack
from tests.store.fleet import Agent
from tests.store.journals import S, busy, health, make_run, summary
from tests.store.servers import Nats, nats
from tests.waiting import wait_for

QUANTILES = {"p50_ms": 0.5, "p99_ms": 0.99, "max_ms": 1.0}
TICKS_S = os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def receiver(server: Nats, home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A receiving process into `home`."""
    with subprocess.Popen([sys.executable, "-m", "tests.store.receiving", server.bus, str(home)]) as process:
        try:
            yield process
        finally:
            process.terminate()


def committed(path: Path) -> int:
    """Return how far a journal goes; its last row, which costs nothing to ask for."""
    try:
        ((found,),) = read_rows(path, "SELECT coalesce(max(seq), 0) FROM records", ())
    except JournalError:
        return 0
    return int(found)


def throughput(server: Nats, place: Path, _: int, seconds: int) -> dict[str, float]:
    """A backlog of an agent's journal, shipped and received at once."""
    agent = Agent(server, place, "fast")
    (place / "controller").mkdir()
    make_run(agent.home / "runs", "fast", {"fast+b1": busy("fast", seconds)})
    total, home = 5 * seconds + 1, place / "controller"
    with receiver(server, home):
        agent.bus.wait()
        wait_for(lambda: _asked(agent.bus), 30)
        began_s = time.monotonic()
        agent.ship()
        shipped_s = time.monotonic() - began_s
        wait_for(lambda: committed(home / "runs/fast/fast+b1.db") >= total, 120)
        took_s = time.monotonic() - began_s
    agent.close()
    return {"records": total, "shipped_per_s": total / shipped_s, "committed_per_s": total / took_s}


def delay(server: Nats, place: Path, rate: int, seconds: int) -> dict[str, float]:
    """From a record's instant until it can be read at the controller, at `rate` records a second."""
    agent = Agent(server, place, "slow")
    path = agent.journal("slow")
    path.parent.mkdir(parents=True)
    home = place / "controller"
    home.mkdir()
    there = home / "runs/slow/slow+b1.db"
    writer, delays_ns, last, written = JournalWriter(path, "slow"), list[int](), 0, 0
    with receiver(server, home):
        agent.bus.wait()
        wait_for(lambda: _asked(agent.bus), 30)
        shipping = agent.start(once=False)
        began_ns = time.monotonic_ns()
        while len(delays_ns) < rate * seconds:
            due = min(rate * seconds, (time.monotonic_ns() - began_ns) * rate // S)
            for _ in range(due - written):
                writer.append(health(time.monotonic_ns(), "slow"))
            written = due
            if there.exists():
                with contextlib.suppress(JournalError):
                    new = read_rows(there, "SELECT seq, t_ns, kind FROM records WHERE seq > ? ORDER BY seq", (last,))
                    now_ns = time.monotonic_ns()
                    last = new[-1][0] if new else last
                    delays_ns += [now_ns - t_ns for _, t_ns, kind in new if kind == "ProbeHealth"]
            time.sleep(0.005)
        agent.clocks.stop.set()
        shipping.join()
    writer.close()
    agent.close()
    delays_ns.sort()
    return {name: delays_ns[round(part * (len(delays_ns) - 1))] / 1e6 for name, part in QUANTILES.items()}


def fleet(server: Nats, place: Path, vantages: int, seconds: int) -> dict[str, float]:
    """So many vantages with five records a second each: whether a receiver keeps up, and at what cost."""
    home = place / "controller"
    home.mkdir()
    names = [f"v{number}" for number in range(vantages)]
    with receiver(server, home) as receiving, Bus(Access((server.bus,), "fleet")) as bus:
        bus.wait()
        bus.need_stream(RECORDS)
        began_s = time.monotonic()
        for second in range(seconds):
            for name in names:
                parcel = _second(name, second)
                bus.publish(records_subject(name), pack(parcel), parcel.message_id)
            time.sleep(max(0.0, began_s + second + 1 - time.monotonic()))
            if not second:
                wait_for(lambda: len(list(home.glob("runs/fleet/*.db"))) == vantages, 60)
                before_s = _cpu_s(receiving.pid)
        told_s = time.monotonic() - began_s
        wait_for(lambda: all(committed(home / f"runs/fleet/{name}+b1.db") >= 5 * seconds for name in names), 120)
        return {
            "vantages": vantages,
            "seconds": seconds,
            "told_in_s": told_s,
            "behind_s": time.monotonic() - began_s - told_s,
            "receiver_cpu_percent": 100 * (_cpu_s(receiving.pid) - before_s) / (time.monotonic() - began_s - 1),
            "receiver_mb": _resident_mb(receiving.pid),
            "server_mb": _resident_mb(server.process.pid if server.process else 0),
        }


def _asked(bus: Bus) -> bool:
    """Whether the receiver is there, and tells its clock."""
    try:
        return bool(bus.request(CLOCK_SUBJECT, b"", 0.2) and bus.last_seq(RECORDS.name) >= 0)
    except (BusAwayError, BusDiffersError):
        return False


def _second(name: str, second: int) -> Parcel:
    t_ns, after = time.monotonic_ns(), 5 * second
    records: list[Summary | ProbeHealth] = [
        *(summary(t_ns + number, name, number) for number in range(4)),
        health(t_ns + 4, name),
    ]
    rows: list[Row] = [
        (after + 1 + number, one.t_ns, type(one).__name__, name, msgspec.json.encode(one).decode())
        for number, one in enumerate(records)
    ]
    return Parcel(name, "fleet", f"{name}+b1", after, 0, "here", 0, 1_000_000, 0, tuple(rows))


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_S


def _resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    """Measure, and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="a tenth of the records")
    short = parser.parse_args().short
    for measure, size, seconds in (
        (throughput, 0, 10_000 if short else 100_000),
        (delay, 1_000, 5 if short else 30),
        (fleet, 100 if short else 1_000, 5 if short else 20),
    ):
        with tempfile.TemporaryDirectory() as directory, nats(Path(directory)) as server:
            found = measure(server, Path(directory), size, seconds)
        sys.stdout.write(json.dumps({measure.__name__: found}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
