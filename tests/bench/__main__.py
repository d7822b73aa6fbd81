"""`make bench`: vipchaos beside other tools in one run, medians and ratios; `--short` is the cut that CI takes."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from statistics import median

from tests.bench.held import Held, Load, hold
from tests.bench.page import tables, write
from tests.bench.peers import PEERS, Peer
from tests.bench.world import world

ROUNDS = 3
MAIN = Load(10_000, 0.1, 60)
SMALL = Load(100, 0.01, 20)
LARGE = Load(100_000, 1.0, 20, sources=10)
SOCKETS = Load(1_000, 0.1, 10, mode="line", engine="socket")
ALONE = Load(1, 1.0, 5)
SCALE = (Load(100, 1.0, 10), Load(1_000, 1.0, 10), Load(10_000, 1.0, 10))


def say(text: str = "") -> None:
    """Print, at once."""
    print(text, flush=True)  # noqa: T201


def measure(load: Load, directory: Path) -> Held:
    """Measure one load in a world of its own."""
    what = f"{load.engine} engine, {load.sessions} sessions, one heartbeat each {load.period_s:g} s"
    say(f"... {what}, {load.seconds:g} s")
    with world(load.sources, load.sessions) as ends:
        return hold(ends, load, directory)


def measure_peers(short: bool) -> list[Peer]:
    """Measure every peer `ROUNDS` times and return the medians."""
    found = []
    with world() as ends:
        for peer, count in PEERS:
            say(f"... {peer.__name__}")
            rounds = [peer(ends, count // 10 if short else count) for _ in range(1 if short else ROUNDS)]
            middle = median(one.cpu_us for one in rounds)
            found.append(min(rounds, key=lambda one: abs(one.cpu_us - middle)))
    return found


def main() -> int:
    """Run it all and print two tables."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--short", action="store_true", help="small loads and few probes: does it work at all")
    parser.add_argument("--json", type=Path, help="write every figure there too")
    parser.add_argument("--docs", action="store_true", help="write the tables to docs/performance.md, and the plot")
    arguments = parser.parse_args()
    if arguments.docs and arguments.short:
        parser.error("--docs wants all loads: leave --short out")
    main_load = Load(500, 0.1, 3) if arguments.short else MAIN
    loads = [main_load] if arguments.short else [main_load, SMALL, *SCALE, LARGE, SOCKETS]
    peers = measure_peers(arguments.short)
    with tempfile.TemporaryDirectory() as directory:
        held = [measure(load, Path(directory)) for load in loads]
        alone = None if arguments.short else measure(ALONE, Path(directory))
    text = tables(peers, held, alone)
    say("\n" + text)
    if arguments.docs:
        write(text, [one for one in held if one.load in (*SCALE, LARGE)])
    if arguments.json:
        document = {"held": [asdict(one) for one in held], "peers": [asdict(one) for one in peers]}
        arguments.json.write_text(json.dumps(document, indent=1) + "\n")
    # The path was never down: what was told of it was made up.
    return 1 if any(one.outages or one.drops for one in held) else 0


if __name__ == "__main__":
    sys.exit(main())
