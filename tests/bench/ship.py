"""How fast a journal goes to VictoriaMetrics: vipchaos beside the client's own batching mode, in one run, in turns.

All send the same lines in batches of one size, compressed. The client's batching mode is measured twice: given the
lines as they are read from the journal, and given them ready in memory, as no user has them. Processor time is
that of the shipping process alone; the server runs on the same machine.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import WriteOptions

from store.feed import Feed
from store.influx import Api, Destination, Influx
from store.ship_ledger import ShipLedger
from store.shipper import POINTS, Clocks, Shipper
from tests.pages import put
from tests.store.journals import busy, make_run
from tests.store.servers import Victoria, victoria
from tests.waiting import wait_for

ROUNDS = 3
OURS, BATCHING, READY = "vipchaos ship", "batching mode", "batching mode, ready lines"
PER_SECOND = 5  # points that one second of `busy` gives


@dataclass(frozen=True)
class Speed:
    """Medians of one way to ship: points, seconds of wall and of processor time."""

    name: str
    points: int
    wall_s: float
    cpu_s: float

    @property
    def per_s(self) -> float:
        return self.points / self.wall_s


def ours(runs: Path, server: Victoria, environment: str) -> int:
    """Ship the journals of `runs` and return how many points were accepted."""
    destination = Destination(server.url, "-", "vipchaos", Api.V2)
    with tempfile.TemporaryDirectory() as directory:
        ledger, sink = ShipLedger(Path(directory) / "ship.db", destination.key), Influx(destination, "")
        shipper = Shipper(
            Feed({}, environment, runs), sink, ledger, Clocks(threading.Event(), random.random), environment
        )
        shipper.run(once=True)
        sink.close()
        ledger.close()
    return shipper.accepted


def theirs(lines: Iterable[str], server: Victoria) -> int:
    """Ship lines by the client's batching mode, one line a call, and wait until it has sent all."""
    options = WriteOptions(batch_size=POINTS, flush_interval=1_000)
    count = 0
    with (
        InfluxDBClient(url=server.url, token="-", org="-", enable_gzip=True) as client,
        client.write_api(write_options=options) as api,
    ):
        for line in lines:
            api.write("vipchaos", "-", line)
            count += 1
    return count


def lines_of(runs: Path, environment: str) -> Iterator[str]:
    """Read the journals as vipchaos does."""
    feed = Feed({}, environment, runs)
    while (batch := feed.take(POINTS)).lines:
        yield from batch.lines


def in_a_process(what: str, *words: str) -> tuple[int, float, float]:
    """Run one side in a process of its own; return points, wall and processor seconds as it measured them."""
    argv = [sys.executable, "-m", "tests.bench.ship", "--side", what, *words]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()
    return int(said[-3]), float(said[-2]), float(said[-1])


def side(what: str, words: list[str]) -> None:
    """Measure one side here: what comes before the shipping itself is not counted."""
    server = Victoria([], words[0], "", Path())
    runs, environment = Path(words[1]), words[2]
    work: Callable[[], int]
    if what == OURS:
        work = partial(ours, runs, server, environment)
    elif what == BATCHING:
        work = partial(theirs, lines_of(runs, environment), server)
    else:
        work = partial(theirs, list(lines_of(runs, environment)), server)
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    points = work()
    sys.stdout.write(f"{points} {time.perf_counter() - wall_s} {time.process_time() - cpu_s}\n")


def measure(points: int, rounds: int) -> list[Speed]:
    """Ship `points` points both ways, `rounds` times in turns, and return the medians."""
    found: dict[str, list[tuple[int, float, float]]] = {OURS: [], BATCHING: [], READY: []}
    with tempfile.TemporaryDirectory() as directory, victoria(Path(directory)) as server:
        runs = Path(directory) / "runs"
        make_run(runs, "bench", {f"c{n}": busy(f"c{n}", points // 4 // PER_SECOND) for n in range(4)})
        for number in range(rounds):
            for what, results in found.items():
                environment = f"{what.replace(' ', '-')}-{number}"
                results.append(in_a_process(what, server.url, str(runs), environment))
                selector = f'sessions_alive{{environment="{environment}"}}'
                wait_for(lambda chosen=selector: server.count(chosen) == points // PER_SECOND * 4, 60)  # type: ignore[misc]
    return [
        Speed(name, results[0][0], median(one[1] for one in results), median(one[2] for one in results))
        for name, results in found.items()
    ]


def table(speeds: list[Speed], rounds: int) -> str:
    """Return the figures as lines."""
    rows = [
        f"{one.name:28}{one.points:>9}{one.per_s:>10,.0f}{speeds[0].per_s / one.per_s:>8.2f}"
        f"{1e6 * one.cpu_s / one.points:>9.2f}{one.cpu_s / speeds[0].cpu_s:>8.2f}"
        for one in speeds
    ]
    load = os.getloadavg()[0]
    return "\n".join(
        [
            f"from the journal to VictoriaMetrics, medians of {rounds} rounds; load of the machine {load:.1f}",
            f"{'':28}{'points':>9}{'points/s':>10}{'ratio':>8}{'cpu us':>9}{'ratio':>8}",
            *rows,
        ]
    )


def run(short: bool = False, points: int = 1_000_000) -> str:
    """Measure and return the table: what `make bench` prints of shipping."""
    points, rounds = (40_000, 1) if short else (points, ROUNDS)
    return table(measure(points, rounds), rounds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--docs", action="store_true", help="write the table to docs/shipping.md")
    parser.add_argument("--side")
    parser.add_argument("words", nargs="*")
    arguments = parser.parse_args()
    if arguments.side:
        side(arguments.side, arguments.words)
    else:
        text = run(arguments.short, arguments.points)
        sys.stdout.write(f"{text}\n")
        if arguments.docs:
            put(
                "shipping.md",
                "python -m tests.bench.ship",
                "\n".join(f"    {line}".rstrip() for line in text.splitlines()),
            )
