"""`make soak`: an agent holds its sessions for an hour, and its memory, files and sessions are watched."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from core.records import Drop, OutageEnded, ProbeHealth, Record, Summary
from tests.bench.held import Load, Started, rss_of, start
from tests.bench.world import world
from tests.busy import busy
from tests.soak.growth import Sample, growth

PERIOD_S = 0.1
EVERY_S = 10.0
LEAST_SAMPLES = 20


@dataclass(frozen=True)
class Count:
    """What records of held sessions say."""

    sent: int
    answered: int
    drops: int
    outages: int
    self_inflicted: int
    ring_dropped: int
    skipped: int
    late_p99_ms: float


def count(records: list[Record], from_ns: int) -> Count:
    """Count what came from `from_ns` on."""
    found = [record for record in records if record.t_ns >= from_ns]
    summaries = [r for r in found if isinstance(r, Summary)]
    health = [r for r in found if isinstance(r, ProbeHealth)]
    ended = [r for r in found if isinstance(r, OutageEnded) and r.slot >= 0]
    late = sorted(r.late_p99_ns for r in health) or [0]
    return Count(
        sum(r.sent for r in summaries),
        sum(r.answered for r in summaries),
        sum(isinstance(r, Drop) and r.slot >= 0 for r in found),
        sum(not r.self_inflicted for r in ended) + sum(r.untold for r in health),
        sum(r.self_inflicted for r in ended) + sum(r.untold_own for r in health),
        sum(r.ring_dropped for r in health),
        sum(r.skipped for r in health),
        late[len(late) // 2] / 1e6,
    )


def say(text: str) -> None:
    """Print, at once."""
    print(text, flush=True)  # noqa: T201


def files_of(pid: int) -> int:
    """Return how many files a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208  a count, and not the paths


def watch(started: Started, seconds: float) -> tuple[list[Sample], list[int], int]:
    """Sample the agent for so long; return its memory, its open files, and from which instant on (ns)."""
    every_s = min(EVERY_S, seconds / LEAST_SAMPLES)
    began_s, from_ns, said = time.monotonic(), time.monotonic_ns(), 0.0
    memory: list[Sample] = []
    files: list[int] = []
    while time.monotonic() - began_s < seconds:
        time.sleep(every_s)
        assert started.agent.poll() is None, started.log.read_text()
        passed_s = time.monotonic() - began_s
        memory.append(Sample(passed_s, rss_of(started.agent.pid)))
        files.append(files_of(started.agent.pid))
        started.reader.read()
        if passed_s - said >= EVERY_S or not said:
            said = passed_s
            now = count(started.reader.records, from_ns)
            say(
                f"... {passed_s:5.0f} s  RSS {memory[-1].size / 1e6:.2f} MB  files {files[-1]}  answered {now.answered}"
                f"  drops {now.drops}  ring drops {now.ring_dropped}  skipped {now.skipped}"
            )
    return memory, files, from_ns


def main() -> int:
    """Soak as the command line asks; 1 when memory grew, a session was dropped, or an outage made up."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3_600.0)
    parser.add_argument("--sessions", type=int, default=10_000)
    parser.add_argument("--busy", action="store_true", help="burn every core of the machine meanwhile")
    wanted = parser.parse_args()
    load = Load(wanted.sessions, PERIOD_S, wanted.seconds, mode="line")
    with tempfile.TemporaryDirectory() as directory, world(load.sources, load.sessions) as ends:
        say(f"{load.sessions} sessions, {1 / PERIOD_S:g} heartbeats a second each, {wanted.seconds:g} s")
        started = start(ends, load, Path(directory))
        with busy() if wanted.busy else contextlib.nullcontext():
            memory, files, from_ns = watch(started, wanted.seconds)
        started.agent.terminate()
        assert started.agent.wait(60) == 0, started.log.read_text()
        ends.processes.remove(started.agent)
        found = count(started.reader.records, from_ns)
    grown = growth(memory)
    say(
        f"RSS at the start {grown.first / 1e6:.2f} MB, median {grown.middle / 1e6:.2f}, end {grown.last / 1e6:.2f}; "
        f"second half: {grown.an_hour / 1e6:+.2f} MB an hour, {grown.a_second * grown.over_s / 1e6:+.3f} MB in "
        f"{grown.over_s:.0f} s (allowed {grown.allowed / 1e6:.3f})"
    )
    say(f"open files at the start {files[0]}, end {files[-1]}")
    say(
        f"sent {found.sent}, answered {found.answered}, drops {found.drops}, outages {found.outages}, self-inflicted "
        f"{found.self_inflicted}, ring drops {found.ring_dropped}, skipped {found.skipped}, late p99 "
        f"{found.late_p99_ms:.2f} ms"
    )
    problems = [
        *(["memory grows"] if not grown.flat else []),
        *(["open files grow"] if files[-1] > files[0] else []),
        *([f"{found.drops} sessions were dropped"] if found.drops else []),
        *([f"{found.ring_dropped} packets found the ring full"] if found.ring_dropped else []),
        *([f"{found.outages} outages were reported, and there was none"] if found.outages else []),
    ]
    say("; ".join(problems) or "flat: memory, files and sessions stayed")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
